"""A machine's data disk: a file of this computer as a block device. It stays when the machine goes."""

from pathlib import Path

from slipway.lab.machines import record
from slipway.world import process

_TIMEOUT_S = 20.0
_PREFIX = "/dev/loop"


def attach(spec: record.MachineSpec) -> int | None:
    """Return the number of the loop device that is the machine's data disk; None where it has none."""
    if not spec.data_disk:
        return None
    found = _devices(spec.data_disk)
    if not found:
        argv = ["losetup", "--find", "--show", spec.data_disk]
        found = [process.run(argv, timeout_s=_TIMEOUT_S).stdout.strip()]
    return int(found[0].removeprefix(_PREFIX))


def detach(spec: record.MachineSpec) -> None:
    """Give the device back; the file keeps what is on the disk. The machine must not run."""
    for device in _devices(spec.data_disk) if spec.data_disk and Path(spec.data_disk).exists() else ():
        process.run(["losetup", "--detach", device], timeout_s=_TIMEOUT_S)


def _devices(path: str) -> list[str]:
    argv = ["losetup", "--noheadings", "--output", "NAME", "--associated", path]
    return process.run(argv, timeout_s=_TIMEOUT_S).stdout.split()
