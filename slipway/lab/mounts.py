"""The node's own mount namespace: folders of the instance where containerd and kubelet insist on fixed paths.

Whatever they mount exists only in there and is gone with their last process.
"""

import contextlib
from collections.abc import Sequence
from pathlib import Path

from slipway.lab import instance as instances
from slipway.lab import network
from slipway.world import process

# Paths that two labs on one computer must not share.
# Source: Kubernetes 1.34 pkg/kubelet (device-plugins, plugins registry under /var/lib/kubelet; /var/log/containers);
# containerd 1.6 runtime/v2/shim (sockets in /run/containerd/s); libcni (results in /var/lib/cni).
OWN_FOLDERS = ("/var/lib/kubelet", "/var/lib/cni", "/run/containerd", "/var/log/containers", "/var/log/pods")
_TIMEOUT_S = 20.0


def create(instance: instances.Instance) -> bool:
    """Make the namespace and its folders where they are missing; return whether the namespace was."""
    missing = str(_holder(instance)) not in _mounted()
    if missing:
        destroy(instance)
        _make(_holder(instance))
    done = process.run(enter(instance, ["cat", "/proc/self/mountinfo"]), timeout_s=_TIMEOUT_S)
    present = _targets(done.stdout)
    for target in OWN_FOLDERS:
        if target in present:
            continue
        source = instance.state / "node" / target.strip("/").replace("/", "-")
        source.mkdir(parents=True, exist_ok=True)
        Path(target).mkdir(parents=True, exist_ok=True)
        process.run(enter(instance, ["mount", "--bind", str(source), target]), timeout_s=_TIMEOUT_S)
    return missing


def destroy(instance: instances.Instance) -> None:
    """Remove the namespace; its mounts go with its last process. One that is not there is fine."""
    holder = _holder(instance)
    for path in (holder, holder.parent):
        for _ in range(_mounted().count(str(path))):
            process.run(["umount", str(path)], timeout_s=_TIMEOUT_S)


def unmount_below(folder: Path) -> None:
    """Unmount everything at or below ``folder``."""
    for path in below(folder):
        process.run(["umount", path], timeout_s=_TIMEOUT_S)


def remove_host_folders() -> None:
    """Remove the fixed paths where they are empty and no lab of this computer is up, as they only carried mounts."""
    if network.is_any_lab_up():
        return  # removing a folder takes away what another namespace has mounted on it
    for target in OWN_FOLDERS:
        with contextlib.suppress(OSError):  # somebody's files are in it, or it is not there
            Path(target).rmdir()


def below(folder: Path) -> tuple[str, ...]:
    """Return what is mounted at or below ``folder``, in the order in which it can be unmounted."""
    prefix = f"{folder}/"
    return tuple(reversed([path for path in _mounted() if path == str(folder) or path.startswith(prefix)]))


def enter(instance: instances.Instance, argv: Sequence[str]) -> tuple[str, ...]:
    """Return ``argv`` as it runs inside the instance's mount namespace."""
    return ("nsenter", f"--mount={_holder(instance)}", "--", *argv)


def _make(holder: Path) -> None:
    holder.parent.mkdir(parents=True, exist_ok=True)
    process.run(["mount", "--bind", str(holder.parent), str(holder.parent)], timeout_s=_TIMEOUT_S)
    # A namespace can be bound to a file only on a private mount. Source: unshare(1), "--mount".
    process.run(["mount", "--make-private", str(holder.parent)], timeout_s=_TIMEOUT_S)
    holder.touch()
    argv = ["unshare", f"--mount={holder}", "--propagation", "slave", "true"]
    process.run(argv, timeout_s=_TIMEOUT_S)


def _holder(instance: instances.Instance) -> Path:
    return instance.state / "mounts" / "node"


def _mounted() -> list[str]:
    return _targets(Path("/proc/self/mountinfo").read_text(encoding="utf-8"))


def _targets(mountinfo: str) -> list[str]:
    lines = mountinfo.splitlines()
    return [line.split()[4].encode().decode("unicode_escape") for line in lines]
