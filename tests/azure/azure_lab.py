"""A lab that plays Azure: the stand-in's machines boot in it, its cluster is the environment's, its platform Azure's.

Beside the lab's own parts there are the data plane at the address of the key vault's private endpoint, and an image
with Python for the relay of tokens.
"""

import contextlib
import http
import json
import os
import subprocess
import sys
from collections.abc import Generator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import projects
import pytest
from standin import arm, data_plane_server, process

from slipway.cli import grounds
from slipway.lab import certificates, images, network, platform, programs, supervision
from slipway.lab import instance as instances
from slipway.lab.machines import api, base, sidecar_package
from slipway.mesh import loader, model
from slipway.rollout import injection, samples, telling
from slipway.rollout import verify as rollout_verify
from slipway.rollout.checks import check
from slipway.world import files, kubernetes

NAME = "azure"
ROOT = Path(__file__).parents[2]
HERE = Path(__file__).parent
# The first two of the private endpoints' part of the infrastructure below.
VAULT_ADDRESS, ARCHIVE_ADDRESS = "10.60.1.164", "10.60.1.165"
RELAY = f"{images.REPOSITORY}/python:3"
PYTHON_LIBRARIES = ("libc.so.6", "libm.so.6", "libz.so.1", "libexpat.so.1", "libssl.so.3", "libcrypto.so.3")
_TIMEOUT_S = 900
_CONNECTED_S = 90
UNDISTURBED = frozenset(check.Group) - {check.Group.OUTAGE, check.Group.BOOT}
# What `pulumi destroy --exclude-protected` leaves: data, and what it needs to be found again.
PROTECTED = {
    "Microsoft.Authorization/locks",
    "Microsoft.Compute/disks",
    "Microsoft.KeyVault/vaults",
    "Microsoft.KeyVault/vaults/secrets",
    "Microsoft.ManagedIdentity/userAssignedIdentities",
    "Microsoft.RecoveryServices/vaults",
    "Microsoft.RecoveryServices/vaults/backupFabrics/protectionContainers/protectedItems",
    "Microsoft.RecoveryServices/vaults/backupPolicies",
    "Microsoft.Resources/resourceGroups",
    "Microsoft.Storage/storageAccounts",
    "Microsoft.Storage/storageAccounts/blobServices",
    "Microsoft.Storage/storageAccounts/blobServices/containers",
    "Microsoft.Storage/storageAccounts/blobServices/containers/immutabilityPolicies",
    "Microsoft.Storage/storageAccounts/managementPolicies",
}
# The example's networks, as the lab lays them out; and everything closed.
_REPLACED = {
    "10.20.0.0/24": "10.60.1.128/25",
    "10.20.1.": "10.60.2.",
    "10.20.2.0/24": "10.60.1.0/26",
    "10.20.8.0/21": "10.61.0.0/16",
    "10.21.0.0/16": "10.62.0.0/16",
    "https://packages.example.com/istio-sidecar_1.29.1_amd64.deb": "file:///opt/packages/istio-sidecar.deb",
    'zone: "2", ': 'zone: "2", diskGib: 4, ',
    "mtls: permissive ": "mtls: strict ",
    "egress: open ": "egress: locked ",
    "authorization: off ": "authorization: enforced ",
    "  region: westeurope\n": f"  region: westeurope\n  relayImage: {RELAY}\n",
}


def environment(instance: instances.Instance) -> str:
    """Return the example's environment file for a lab."""
    text = (ROOT / "examples/azure/dev.yaml").read_text()
    digest = text.partition("sha256: ")[2].split()[0]
    package = sidecar_package.ensure(instance.cache, print)
    for before, after in {**_REPLACED, digest: package.sha256}.items():
        assert before in text, before
        text = text.replace(before, after)
    return text


@dataclass(frozen=True, slots=True, kw_only=True)
class Shop:
    """An environment whose Azure is a stand-in and whose machines boot in a lab; nothing of it is up yet."""

    project: projects.Project
    mesh: model.Mesh
    instance: instances.Instance
    azure: process.Running
    plane: "DataPlane"
    cluster: kubernetes.Cluster

    def run(self, *arguments: str) -> str:
        """Run `pulumi` to a good end; returns what it said."""
        done = self.project.run(*arguments)
        assert done.returncode == 0, done.stdout[-9000:]
        return done.stdout

    def shell(self, machine: str, script: str, *, timeout_s: float = 60) -> str:
        """Run a script on a machine as root, past all rules."""
        return api.execute(self.instance, machine, ["/bin/sh", "-c", script], timeout_s=timeout_s).stdout

    def join(self) -> None:
        """Let the teams' workloads join, and wait until the machines have."""
        list(injection.restart_outside_mesh(self.cluster, self.mesh))
        for machine in self.mesh.machines:
            api.ready(self.instance, machine.name, level=api.Level.CONNECTED, timeout_s=_CONNECTED_S)

    def verified(self) -> str:
        """Send every request that `slipway verify` sends without a disturbance; returns what is not as declared."""
        path = self.project.folder / "stacks/probes.yaml"
        report = rollout_verify.Verification(
            self.mesh,
            known=samples.load(path.read_bytes(), file=str(path), mesh=self.mesh),
            cluster=self.cluster,
            place=grounds.of_lab(self.instance),
            options=rollout_verify.Options(groups=UNDISTURBED),
            progress=print,
        ).run()
        return "" if report.passed else telling.to_text(report, width=200)

    def kinds(self) -> set[str]:
        """Return the types of everything that is in Azure."""
        return {arm.type_of(item["id"]) for item in self.azure.records().values()}

    def is_free_of_istio(self) -> bool:
        """Whether the cluster holds nothing of what the declaration asks for, or knows no such kinds yet."""
        kinds = ("Gateway", "AuthorizationPolicy", "ServiceEntry", "WorkloadEntry")
        groups = {"AuthorizationPolicy": "security.istio.io/v1"}
        wanted = [
            kubernetes.Kind(api_version=groups.get(kind, "networking.istio.io/v1"), kind=kind) for kind in kinds
        ]
        try:
            return not any(self.cluster.list(kind) for kind in wanted)
        except kubernetes.KubernetesError as error:
            if error.status != http.HTTPStatus.NOT_FOUND:
                raise
            return True


@contextlib.contextmanager
def shop(root: Path, *, stack: str, **changes: str) -> Generator[Shop, None, None]:
    """Prepare the example as the environment ``stack``; ``changes`` are further replacements in its file."""
    if os.geteuid() != 0:
        pytest.fail("lab tests need root; run `make test` as root, or deselect them with -m 'not lab'")
    with (
        up() as instance,
        process.running(root / "azure", kubeconfig=instance.kubeconfig, lab=instance.name) as azure,
    ):
        project = projects.make(root, "shop", azure, stack=stack, mesh="true")
        stacks = project.folder / "stacks"
        text = environment(instance)
        for before, after in changes.items():
            assert before in text, before
            text = text.replace(before, after)
        (stacks / f"{stack}.yaml").write_text(text)
        sources = files.read_sources(stacks, stack)
        mesh = loader.load(sources.mesh, sources.environment, environment_name=stack)
        names = {"group": f"shop-{stack}", "vault": mesh.azure.vault, "archive": mesh.azure.archive}
        with data_plane(instance, azure, **names) as plane:
            yield Shop(
                project=project,
                mesh=mesh,
                instance=instance,
                azure=azure,
                plane=plane,
                cluster=kubernetes.Cluster(instance.kubeconfig),
            )


@contextlib.contextmanager
def up() -> Generator[instances.Instance, None, None]:
    """Run the lab with the example's workloads; nothing of it is left behind."""
    instance = instances.named(NAME)
    _slipway("lab", "up", NAME, "--example")
    try:
        images.ensure(instance, [_python(instance)], report=print)
        _kubectl(instance, "label", "node", "--all", "--overwrite", "slipway.dev/pool=system")
        yield instance
    finally:
        _slipway("lab", "down", NAME)


class DataPlane:
    """The running data plane: ``blobs`` is the folder in which the storage keeps them, ``ACCOUNT/CONTAINER/NAME``."""

    def __init__(self, server: subprocess.Popen[str], blobs: Path) -> None:
        self._server = server
        self.blobs = blobs

    def tell(self, **what: Any) -> None:
        """Do what a person would: set ``secrets``, or let the ``storage`` be `away` or `back`."""
        assert self._server.stdin is not None
        assert self._server.stdout is not None
        self._server.stdin.write(json.dumps(what) + "\n")
        self._server.stdin.flush()
        assert self._server.stdout.readline() == "done\n"


@contextlib.contextmanager
def data_plane(
    instance: instances.Instance, azure: process.Running, *, group: str, vault: str, archive: str
) -> Generator[DataPlane, None, None]:
    """Serve metadata, login, a key vault and a storage account in place of the lab's own services.

    The shop's certificate is in the vault already, which stands in the resource group ``group``.
    """
    supervision.pause(instance, "platform-identity")
    platform.set_names(instance, "login", {data_plane_server.LOGIN_HOST: VAULT_ADDRESS})
    hosts = [f"{vault}.vault.azure.net", f"{archive}{data_plane_server.STORAGE}", data_plane_server.LOGIN_HOST]
    kubeconfig = instance.state / "kubeconfigs/admin"
    with serving(instance, azure.cloud, hosts=hosts, kubeconfig=kubeconfig) as plane:
        shop = certificates.issue_public(instance, ["shop.example.com"])
        secret = (
            f"{arm.ROOT}/resourceGroups/{group}/providers/Microsoft.KeyVault/vaults/{vault}/secrets/shop-example-com"
        )
        plane.tell(secrets={secret: shop.certificate + shop.key})
        yield plane


@contextlib.contextmanager
def serving(
    instance: instances.Instance, known: Path, *, hosts: Sequence[str], kubeconfig: Path | None = None
) -> Generator[DataPlane, None, None]:
    """Serve the data plane of the cloud in ``known`` for ``hosts``, at its addresses in the platform's namespace.

    Without a kubeconfig no ServiceAccount can log in. Blobs lie beside the cloud's file.
    """
    for address in (VAULT_ADDRESS, ARCHIVE_ADDRESS):
        argv = ["ip", "address", "replace", f"{address}/32", "dev", network.INTERFACE]
        network.run(instance, instances.PLATFORM, argv, timeout_s=20)
    pair = certificates.issue_public(instance, hosts)
    served = instance.state / "data-plane.pem"
    served.touch(mode=0o600)
    served.write_text(pair.key + pair.certificate)
    argv = [
        *(sys.executable, "-m", "standin.data_plane_server", f"--cloud={known}", f"--certificate={served}"),
        *(f"--address={VAULT_ADDRESS}", f"--address={ARCHIVE_ADDRESS}", f"--blobs={known.parent / 'blobs'}"),
        *([] if kubeconfig is None else [f"--kubeconfig={kubeconfig}"]),
    ]
    instance.log_folder.mkdir(parents=True, exist_ok=True)
    with (
        (instance.log_folder / "data-plane.log").open("wb") as log,
        subprocess.Popen(
            network.enter(instance, instances.PLATFORM, argv),
            cwd=HERE,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
        ) as server,
    ):
        assert server.stdin is not None
        assert server.stdout is not None
        assert server.stdout.readline() == "serving\n"
        try:
            yield DataPlane(server, known.parent / "blobs")
        finally:
            server.stdin.close()
            server.wait(timeout=20)


def _python(instance: instances.Instance) -> images.Image:
    """Return an image with the Python of the machines' image, which trusts the lab's public authority."""
    root = base.ensure(instance.cache, print)
    program = (root / "usr/bin/python3").resolve()
    (libraries,) = root.glob("usr/lib/*-linux-gnu")
    return images.Image(
        name="python",
        tag="3",
        files={
            "/usr/bin/python3": program,
            f"/usr/lib/{program.name}": root / "usr/lib" / program.name,
            "/lib64/ld-linux-x86-64.so.2": root / "usr/lib64/ld-linux-x86-64.so.2",
            "/usr/lib/ssl/cert.pem": instance.public_authority,
            **{f"/lib/{libraries.name}/{name}": libraries / name for name in PYTHON_LIBRARIES},
        },
        entrypoint=("/usr/bin/python3",),
        environment={"PATH": "/usr/bin"},
        local=True,
    )


def _kubectl(instance: instances.Instance, *arguments: str) -> None:
    program = programs.ensure(["kubernetes"])["kubernetes"].bin / "kubectl"
    argv = [str(program), f"--kubeconfig={instance.kubeconfig}", *arguments]
    subprocess.run(argv, check=True, timeout=60, stdout=subprocess.DEVNULL)


def _slipway(*arguments: str) -> None:
    argv = [str(Path(sys.executable).with_name("slipway")), *arguments]
    done = subprocess.run(
        argv, cwd=ROOT, env=os.environ, capture_output=True, text=True, timeout=_TIMEOUT_S, check=False
    )
    assert done.returncode == 0, done.stderr[-6000:]
