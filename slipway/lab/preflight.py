"""What this computer must offer, checked before anything is done."""

import os
import platform as computer
import shutil

from slipway.lab import instance as instances
from slipway.lab import network

_GIB = 1024**3
_NEW_GIB = 3.0
_RUNNING_GIB = 0.3


def check(instance: instances.Instance) -> None:
    """Raise :class:`LabError` without Linux, root or room on the disk, or when its name is taken."""
    if computer.system() != "Linux":
        msg = f"this computer runs {computer.system()}; the lab needs Linux: run it in a virtual machine or in CI"
        raise instances.LabError(msg)
    check_root()
    network.refuse_foreign(instance)
    wanted_gib = _RUNNING_GIB if instance.state.exists() else _NEW_GIB
    for name, folder in (("SLIPWAY_STATE", instance.state), ("SLIPWAY_CACHE", instance.cache)):
        there = next(path for path in (folder, *folder.parents) if path.exists())
        free_gib = shutil.disk_usage(there).free / _GIB
        if free_gib < wanted_gib:
            msg = (
                f"{there} has {free_gib:.1f} GiB left; the lab needs {wanted_gib:g} GiB: make room, or set {name} "
                "to a folder on another disk"
            )
            raise instances.LabError(msg)


def check_root() -> None:
    """Raise :class:`LabError` without the rights to make namespaces and mounts."""
    if os.geteuid() != 0:
        msg = f"the lab makes network namespaces and mounts and runs as root; this is user {os.geteuid()}: use sudo"
        raise instances.LabError(msg)
