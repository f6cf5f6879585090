"""A machine's disk: an overlay over the image, and what the platform puts on it before the first boot."""

import contextlib
import hashlib
import json
from collections.abc import Sequence
from pathlib import Path

from slipway.lab import instance as instances
from slipway.lab import texts
from slipway.lab.machines import record
from slipway.world import process

_SEED = "var/lib/cloud/seed/nocloud"
_BUNDLE = "etc/ssl/certs/ca-certificates.crt"


def prepare(
    instance: instances.Instance, spec: record.MachineSpec, *, base: Path, network_commands: Sequence[str]
) -> None:
    """Write what the platform gives a machine: its seed, its name, its resolver, the authorities that it trusts.

    ``network_commands`` are for ``ip -batch``: what the machine does to bring its network up. Nothing of what the
    machine itself wrote is touched. The machine must not run.
    """
    root = upper(instance, spec.name)
    root.mkdir(mode=0o755, parents=True, exist_ok=True)
    for name in ("work", "root"):
        (record.folder(instance, spec.name) / name).mkdir(exist_ok=True)
    write_seed(root, spec)
    texts.write(root / "etc/hostname", f"{spec.name}\n")
    texts.write(root / "etc/lab-network", "".join(f"{line}\n" for line in network_commands))
    texts.write(root / "etc/resolv.conf", f"nameserver {instances.RESOLVER_ADDRESS}\n")
    identity = hashlib.sha256(f"{instance.name}/{spec.name}".encode()).hexdigest()[:32]
    texts.write(root / "etc/machine-id", f"{identity}\n", mode=0o444)
    if not (root / "etc/hosts").exists():
        texts.write(root / "etc/hosts", f"127.0.0.1 localhost\n127.0.1.1 {spec.name}\n")
    _trust(instance, root, base=base)


def write_seed(root: Path, spec: record.MachineSpec) -> bool:
    """Write the NoCloud seed below ``root`` and return whether it is another one than before.

    New user-data makes a new instance, so that cloud-init applies it.

    Source: cloud-init documentation, "NoCloud" and "First boot determination".
    """
    digest = hashlib.sha256(spec.user_data.encode()).hexdigest()
    about = {"instance-id": f"{spec.name}-{digest[:16]}", "local-hostname": spec.name}
    texts.write(root / _SEED / "user-data", spec.user_data, mode=texts.PRIVATE_MODE)
    return texts.write(root / _SEED / "meta-data", json.dumps(about) + "\n", mode=texts.PRIVATE_MODE)


def upper(instance: instances.Instance, name: str) -> Path:
    """Return the folder that holds what differs from the image."""
    return record.folder(instance, name) / "disk"


def mount_command(instance: instances.Instance, name: str, *, base: Path) -> tuple[str, ...]:
    """Return the command that mounts the machine's disk at :func:`mounted`."""
    root = record.folder(instance, name)
    options = f"lowerdir={base},upperdir={root / 'disk'},workdir={root / 'work'}"
    return ("mount", "-t", "overlay", "overlay", "-o", options, str(mounted(instance, name)))


def mounted(instance: instances.Instance, name: str) -> Path:
    """Return where the disk is mounted, in the machine's own mount namespace only."""
    return record.folder(instance, name) / "root"


def _trust(instance: instances.Instance, root: Path, *, base: Path) -> None:
    """Let the machine trust the lab's public authority, where there is one."""
    if not instance.public_authority.exists():
        return
    authority = instance.public_authority.read_text(encoding="utf-8")
    argv = ["openssl", "x509", "-noout", "-subject_hash", "-in", str(instance.public_authority)]
    digest = process.run(argv, timeout_s=20).stdout.strip()
    texts.write(root / "usr/local/share/ca-certificates/slipway-lab.crt", authority)
    texts.write(root / _BUNDLE, (base / _BUNDLE).read_text(encoding="utf-8") + authority)
    link = root / "etc/ssl/certs" / f"{digest}.0"
    with contextlib.suppress(FileExistsError):
        link.symlink_to("/usr/local/share/ca-certificates/slipway-lab.crt")
