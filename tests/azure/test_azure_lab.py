"""An environment on Azure whose mesh, machines and database really work: the stand-in's machines boot in a lab.

The tests are steps of one story and run in their order: up, requests, a change, nothing to do, destroy.
"""

import os
from types import SimpleNamespace

import azure_lab
import projects
import pytest
from standin import arm, process

from slipway.cli import grounds
from slipway.lab.machines import api
from slipway.mesh import loader
from slipway.rollout import injection, samples, telling
from slipway.rollout import verify as rollout_verify
from slipway.rollout.checks import check
from slipway.world import files, kubernetes

pytestmark = [pytest.mark.lab, pytest.mark.engine, pytest.mark.long]
CONNECTED_S = 60
UNDISTURBED = frozenset(check.Group) - {check.Group.OUTAGE, check.Group.BOOT}
ASK_FOR_SECRETS = """
import json, sys, urllib.error, urllib.request
metadata = "http://169.254.169.254/metadata/identity/oauth2/token"
query = "api-version=2018-02-01&resource=https://vault.azure.net"
request = urllib.request.Request(f"{metadata}?{query}", headers={"Metadata": "true"})
token = json.load(urllib.request.urlopen(request, timeout=5))["access_token"]
for method, name in (("GET", "billing-vm-istio"), ("PUT", "billing-vm-istio"), ("GET", "db-vm-istio")):
    url = f"https://{sys.argv[1]}.vault.azure.net/secrets/{name}?api-version=7.4"
    headers = {"Authorization": f"Bearer {token}"}
    body = b'{"value": "mine"}' if method == "PUT" else None
    request = urllib.request.Request(url, data=body, headers=headers, method=method)
    try:
        print(method, name, urllib.request.urlopen(request, timeout=5).status)
    except urllib.error.HTTPError as error:
        print(method, name, error.code)
"""


@pytest.fixture(scope="module")
def shop(tmp_path_factory):
    """The environment `dev`, up, with the teams' workloads restarted into the mesh."""
    if os.geteuid() != 0:
        pytest.fail("lab tests need root; run `make test` as root, or deselect them with -m 'not lab'")
    root = tmp_path_factory.mktemp("shop")
    with (
        azure_lab.up() as instance,
        process.running(root / "azure", kubeconfig=instance.kubeconfig, lab=instance.name) as azure,
    ):
        project = projects.make(root, "shop", azure, stack="dev", mesh="true")
        stacks = project.folder / "stacks"
        (stacks / "dev.yaml").write_text(azure_lab.environment(instance))
        sources = files.read_sources(stacks, "dev")
        mesh = loader.load(sources.mesh, sources.environment, environment_name="dev")
        cluster = kubernetes.Cluster(instance.kubeconfig)
        with azure_lab.data_plane(instance, azure, vault=mesh.azure.vault):
            succeed(project, "up", "--yes", "--skip-preview")
            list(injection.restart_outside_mesh(cluster, mesh))
            yield SimpleNamespace(project=project, mesh=mesh, instance=instance, azure=azure, cluster=cluster)


def succeed(project, *arguments):
    done = project.run(*arguments)
    assert done.returncode == 0, done.stdout[-9000:]
    return done.stdout


def shell(shop, machine, script):
    return api.execute(shop.instance, machine, ["/bin/sh", "-c", script], timeout_s=60).stdout


def test_declared_calls_work_and_no_others(shop):
    """Machines with their sidecars, the database over mutual TLS to its callers only, outside hosts, the ingress."""
    for machine in shop.mesh.machines:
        api.ready(shop.instance, machine.name, level=api.Level.CONNECTED, timeout_s=CONNECTED_S)
    path = shop.project.folder / "stacks/probes.yaml"
    report = rollout_verify.Verification(
        shop.mesh,
        known=samples.load(path.read_bytes(), file=str(path), mesh=shop.mesh),
        cluster=shop.cluster,
        place=grounds.of_lab(shop.instance),
        options=rollout_verify.Options(groups=UNDISTURBED),
        progress=print,
    ).run()
    assert report.passed, telling.to_text(report, width=200)


def test_a_machine_reads_its_own_secret_and_nothing_else(shop):
    command = ["setpriv", "--regid", "istio-proxy", "--clear-groups", "python3", "-c", ASK_FOR_SECRETS]
    said = api.execute(shop.instance, "billing-vm", [*command, shop.mesh.azure.vault], timeout_s=20).stdout
    assert said.splitlines() == ["GET billing-vm-istio 200", "PUT billing-vm-istio 403", "GET db-vm-istio 403"]


def test_the_database_lives_on_its_data_disk(shop):
    assert shell(shop, "db-vm", "findmnt --noheadings --output FSTYPE /var/lib/postgresql") == "ext4\n"
    assert "/var/lib/postgresql" in shell(shop, "db-vm", "runuser -u postgres -- psql -Atc 'show data_directory'")


def test_other_user_data_is_applied_in_place(shop):
    team = shop.project.folder / "examples/shop/machines/billing-vm.yaml"
    team.write_text(team.read_text() + "  - [touch, /var/lib/changed]\n")
    booted = shell(shop, "billing-vm", "cat /proc/1/stat")
    succeed(shop.project, "up", "--yes", "--skip-preview")
    assert shell(shop, "billing-vm", "ls /var/lib/changed") == "/var/lib/changed\n"
    assert shell(shop, "billing-vm", "cat /proc/1/stat").split()[21] == booted.split()[21], "it did not boot anew"


def test_a_second_up_changes_nothing(shop):
    succeed(shop.project, "up", "--yes", "--skip-preview", "--expect-no-changes")


def test_a_destroy_leaves_only_what_is_protected(shop):
    succeed(shop.project, "destroy", "--yes", "--skip-preview", "--exclude-protected")
    assert api.names(shop.instance) == ()
    kinds = {arm.type_of(item["id"]) for item in shop.azure.records().values()}
    assert kinds == {
        "Microsoft.Authorization/locks",
        "Microsoft.Compute/disks",
        "Microsoft.KeyVault/vaults",
        "Microsoft.KeyVault/vaults/secrets",
        "Microsoft.ManagedIdentity/userAssignedIdentities",
        "Microsoft.RecoveryServices/vaults",
        "Microsoft.RecoveryServices/vaults/backupFabrics/protectionContainers/protectedItems",
        "Microsoft.RecoveryServices/vaults/backupPolicies",
        "Microsoft.Resources/resourceGroups",
    }
    for kind in ("Gateway", "AuthorizationPolicy", "ServiceEntry", "WorkloadEntry"):
        api_version = "security.istio.io/v1" if kind == "AuthorizationPolicy" else "networking.istio.io/v1"
        assert shop.cluster.list(kubernetes.Kind(api_version=api_version, kind=kind)) == []
