"""A lab that plays Azure: the stand-in's machines boot in it, its cluster is the environment's, its platform Azure's.

Beside the lab's own parts there are the data plane at the address of the key vault's private endpoint, and an image
with Python for the relay of tokens.
"""

import contextlib
import json
import os
import subprocess
import sys
from collections.abc import Generator
from pathlib import Path

from standin import arm, data_plane_server, process

from slipway.lab import certificates, images, network, platform, programs, supervision
from slipway.lab import instance as instances
from slipway.lab.machines import base, sidecar_package

NAME = "azure"
ROOT = Path(__file__).parents[2]
HERE = Path(__file__).parent
VAULT_ADDRESS = "10.60.1.164"  # the first of the private endpoints' part of the infrastructure below
RELAY = f"{images.REPOSITORY}/python:3"
PYTHON_LIBRARIES = ("libc.so.6", "libm.so.6", "libz.so.1", "libexpat.so.1", "libssl.so.3", "libcrypto.so.3")
_TIMEOUT_S = 900
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


@contextlib.contextmanager
def data_plane(instance: instances.Instance, azure: process.Running, *, vault: str) -> Generator[None, None, None]:
    """Serve metadata, login and the key vault ``vault``, in place of the lab's own, with the shop's certificate."""
    supervision.pause(instance, "platform-identity")
    platform.set_names(instance, "login", {data_plane_server.LOGIN_HOST: VAULT_ADDRESS})
    argv = ["ip", "address", "replace", f"{VAULT_ADDRESS}/32", "dev", network.INTERFACE]
    network.run(instance, instances.PLATFORM, argv, timeout_s=20)
    pair = certificates.issue_public(instance, [f"{vault}.vault.azure.net", data_plane_server.LOGIN_HOST])
    served = instance.state / "data-plane.pem"
    served.touch(mode=0o600)
    served.write_text(pair.key + pair.certificate)
    argv = [
        sys.executable,
        "-m",
        "standin.data_plane_server",
        "--cloud",
        str(azure.cloud),
        "--address",
        VAULT_ADDRESS,
    ]
    argv += ["--kubeconfig", str(instance.state / "kubeconfigs/admin"), "--certificate", str(served)]
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
        shop = certificates.issue_public(instance, ["shop.example.com"])
        secret = (
            f"{arm.ROOT}/resourceGroups/shop-dev/providers/Microsoft.KeyVault/vaults/{vault}/secrets/shop-example-com"
        )
        server.stdin.write(json.dumps({secret: shop.certificate + shop.key}) + "\n")
        server.stdin.flush()
        try:
            yield
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
