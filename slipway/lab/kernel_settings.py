"""Settings of the whole computer that labs change: remembered before the first lab, put back after the last."""

import json
from pathlib import Path

from slipway.lab import network, texts

# Source: Kubernetes 1.34 pkg/kubelet/cm/container_manager_linux.go, setupKernelTunables.
SETTINGS = (
    "vm/overcommit_memory",
    "vm/panic_on_oom",
    "kernel/panic",
    "kernel/panic_on_oops",
    "kernel/keys/root_maxkeys",
    "kernel/keys/root_maxbytes",
    "fs/inotify/max_user_instances",
)
# systemd ends at once when it gets no inotify instance; a lab with two machines holds about 60 of the usual 128.
_LEAST = {"fs/inotify/max_user_instances": 1024}
_FOLDER = Path("/proc/sys")
_REMEMBERED = Path("/run/slipway-kernel-settings.json")  # gone with a reboot, as the settings are


def remember() -> None:
    """Write down what stands now, once for all labs of this computer."""
    if not _REMEMBERED.exists():
        found = {name: (_FOLDER / name).read_text(encoding="utf-8").strip() for name in SETTINGS}
        texts.write(_REMEMBERED, json.dumps(found, indent=1) + "\n")


def provide() -> None:
    """Raise the limits that several labs side by side would reach; call :func:`remember` first."""
    for name, least in _LEAST.items():
        path = _FOLDER / name
        if int(path.read_text(encoding="utf-8")) < least:
            path.write_text(str(least), encoding="utf-8")


def put_back() -> None:
    """Restore the settings when no lab is up any more."""
    if not _REMEMBERED.exists() or network.is_any_lab_up():
        return
    found: dict[str, str] = json.loads(_REMEMBERED.read_text(encoding="utf-8"))
    for name, value in found.items():
        path = _FOLDER / name
        if path.read_text(encoding="utf-8").strip() != value:
            path.write_text(value, encoding="utf-8")
    _REMEMBERED.unlink()
