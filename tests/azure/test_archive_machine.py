"""A database machine whose log is archived, on a real machine without a cluster: one piece of the whole story."""

from pathlib import Path
from types import SimpleNamespace

import archived
import azure_lab
import bare_instances
import pytest
import stand_in_example as example
from standin import arm, catalogue, cloud, data_plane, faults, manager
from standin.types import protection

from policies.bundles import compiler
from slipway.lab import certificates, network, platform
from slipway.lab import instance as instances
from slipway.lab.machines import api, sidecar_package
from slipway.machines import arguments, user_data
from slipway.mesh import azure_plan, loader

pytestmark = pytest.mark.lab
ROOT = Path(__file__).parents[2]
DISK_BYTES = 2 * 1024**3
NAME, ADDRESS, ACCOUNT = "db-vm", "10.60.2.12", "stlogs"
HOST = f"{ACCOUNT}.blob.core.windows.net"


def build(path):
    """Make a cloud in which the machine has an identity that may write its container."""
    known = cloud.Cloud(path)
    operations = manager.Manager(known, faults.Faults(None, known))

    def create(made) -> None:
        kind = catalogue.by_token(f"azure-native:{made.token}")
        place = {"location": example.REGION} if kind.is_top_level and "resourceGroupName" in made.inputs else {}
        operations.create(kind, {**place, **made.inputs})

    for made in example.BASE:
        create(made)
    create(example.network("VirtualNetwork", "lab", addressSpace={"addressPrefixes": ["10.60.0.0/16"]}))
    create(example.subnet("machines", "10.60.2.0/24", virtualNetworkName="lab"))
    item = {"name": "main", "subnet": {"id": example.subnet_id("machines", "lab")}}
    fixed = {**item, "privateIPAllocationMethod": "Static", "privateIPAddress": ADDRESS}
    create(example.network("NetworkInterface", "nic-lab", ipConfigurations=[fixed]))
    identity = example.rid("Microsoft.ManagedIdentity/userAssignedIdentities", "id-shop")
    who = {"type": "UserAssigned", "userAssignedIdentities": [identity]}
    create(example.machine(NAME, "nic-lab", identity=who))
    create(example.blobs("BlobContainer", f"{NAME}-log", containerName=azure_plan.container_name(NAME)))
    scope = example.rid("Microsoft.Storage/storageAccounts", ACCOUNT, f"blobServices/default/containers/{NAME}-log")
    role = f"{arm.ROOT}/providers/Microsoft.Authorization/roleDefinitions/{data_plane.BLOB_CONTRIBUTOR}"
    principal = protection.identity(known.get(identity))["principalId"]
    create(example.assignment("writes-its-log", principalId=principal, roleDefinitionId=role, scope=scope))


def specification(instance):
    """Return the example's database machine on Azure, as far as it needs no cluster."""
    sources = [
        loader.Source(file="mesh.yaml", text=(ROOT / "stacks/mesh.yaml").read_text()),
        loader.Source(file="dev.yaml", text=azure_lab.environment(instance)),
    ]
    mesh = loader.load(sources[:1], sources[1], environment_name="dev")
    package = sidecar_package.ensure(instance.cache, print)
    made = arguments.of(
        mesh,
        machine=NAME,
        guard_policy=compiler.compile_bundle(mesh).guards[NAME],
        token=None,
        package=arguments.SidecarPackage(url=f"file:///opt/packages/{sidecar_package.NAME}", sha256=package.sha256),
        team_cloud_config="",
        archive=arguments.Archive(
            metadata_url=f"http://{instances.METADATA_ADDRESS}",
            resource=azure_plan.STORAGE_RESOURCE,
            client_id="",
            url=azure_plan.archive_url(ACCOUNT, machine=NAME),
        ),
    )
    disk = instance.state / "data.img"
    with disk.open("wb") as file:
        file.truncate(DISK_BYTES)
    return api.MachineSpec(
        name=NAME,
        address=ADDRESS,
        user_data=user_data.user_data(made),
        nsg=compiler.compile_bundle(mesh).nsg[NAME],
        namespace="data",
        service_account=NAME,
        data_disk=str(disk),
    )


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """The machine with its database, and the services of Azure that it asks; no cluster, no DNS."""
    instance = instances.named("archive")
    folder = tmp_path_factory.mktemp("azure")
    build(folder / "cloud.json")
    bare_instances.remove(instance)
    network.create(instance)
    network.attach(instance, instances.INTERNET, [instances.on_fabric(instances.INTERNET_ADDRESS)])
    platform.prepare(instance)
    certificates.ensure(instance)
    try:
        with azure_lab.serving(instance, folder / "cloud.json", hosts=[HOST]) as plane:
            api.create(instance, specification(instance), print)

            def shell(script: str, *, timeout_s: float = 60) -> str:
                return api.execute(instance, NAME, ["/bin/sh", "-c", script], timeout_s=timeout_s).stdout

            shell(f"echo {azure_lab.ARCHIVE_ADDRESS} {HOST} >> /etc/hosts")
            container = plane.blobs / ACCOUNT / azure_plan.container_name(NAME)
            yield SimpleNamespace(plane=plane, database=archived.Database(shell, container))
    finally:
        bare_instances.remove(instance)


def test_a_log_is_archived_kept_while_that_fails_and_brought_back_by_a_recovery(place):
    archived.goes_to_the_archive(place.database)
    archived.outlives_an_outage(place.database, place.plane)
    assert place.database.restored() == [
        "1 before the snapshot",
        "2 after the snapshot",
        "3 while the archive was away",
    ]
