"""The container in which a machine boots: runc's configuration as data. Pure.

systemd is process 1 with control groups of its own and without the capability to raise resource limits.
Source: opencontainers/runtime-spec 1.0.2 config.md; systemd.io/CONTAINER_INTERFACE.
"""

from collections.abc import Mapping
from typing import Any

# All but SYS_RESOURCE (not available here), SYS_MODULE, SYS_RAWIO, SYS_BOOT of the computer, SYS_TIME, MAC_*, BPF.
CAPABILITIES = (
    "CAP_AUDIT_WRITE",
    "CAP_CHOWN",
    "CAP_DAC_OVERRIDE",
    "CAP_DAC_READ_SEARCH",
    "CAP_FOWNER",
    "CAP_FSETID",
    "CAP_IPC_LOCK",
    "CAP_KILL",
    "CAP_LEASE",
    "CAP_LINUX_IMMUTABLE",
    "CAP_MKNOD",
    "CAP_NET_ADMIN",
    "CAP_NET_BIND_SERVICE",
    "CAP_NET_BROADCAST",
    "CAP_NET_RAW",
    "CAP_SETFCAP",
    "CAP_SETGID",
    "CAP_SETPCAP",
    "CAP_SETUID",
    "CAP_SYS_ADMIN",
    "CAP_SYS_BOOT",
    "CAP_SYS_CHROOT",
    "CAP_SYS_NICE",
    "CAP_SYS_PTRACE",
    "CAP_SYS_TTY_CONFIG",
)
LOOP_MAJOR = 7
SEARCH_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


def configuration(
    *,
    root: str,
    hostname: str,
    network_namespace: str,
    control_group: str,
    packages: Mapping[str, str],
    data_disk: int | None,
) -> dict[str, Any]:
    """Return the content of ``config.json``.

    ``root`` is the folder of the mounted root file system, ``network_namespace`` the path of the namespace that the
    machine lives in, ``control_group`` its path below each hierarchy; ``packages`` (name -> path on this computer)
    appear read-only below /opt/packages; ``data_disk`` is the number of the loop device that is its data disk.
    """
    capabilities = list(CAPABILITIES)
    return {
        "ociVersion": "1.0.2",
        "process": {
            "terminal": False,
            "user": {"uid": 0, "gid": 0},
            "args": ["/sbin/init"],
            "env": [f"PATH={SEARCH_PATH}", "container=runc"],
            "cwd": "/",
            "capabilities": dict.fromkeys(("bounding", "effective", "permitted"), capabilities),
            "noNewPrivileges": False,
        },
        "root": {"path": root, "readonly": False},
        "hostname": hostname,
        "mounts": [*_MOUNTS, *_package_mounts(packages)],
        "linux": {
            "cgroupsPath": control_group,
            "devices": _disks(data_disk),
            "resources": {"devices": [{"allow": False, "access": "rwm"}, *_DEVICES, *_disk_access(data_disk)]},
            "namespaces": [
                {"type": "pid"},
                {"type": "ipc"},
                {"type": "uts"},
                {"type": "mount"},
                {"type": "cgroup"},
                {"type": "network", "path": network_namespace},
            ],
            "maskedPaths": ["/proc/kcore", "/proc/keys", "/proc/latency_stats", "/proc/sched_debug"],
            # The kernel's settings belong to the computer; those of the network are the machine's own.
            "readonlyPaths": ["/proc/sys/kernel", "/proc/sys/vm", "/proc/sys/fs", "/proc/sysrq-trigger"],
        },
    }


def _mount(destination: str, kind: str, source: str, *options: str) -> dict[str, Any]:
    return {"destination": destination, "type": kind, "source": source, "options": list(options)}


_MOUNTS = (
    _mount("/proc", "proc", "proc", "nosuid", "noexec", "nodev"),
    _mount("/dev", "tmpfs", "tmpfs", "nosuid", "strictatime", "mode=755", "size=65536k"),
    _mount("/dev/pts", "devpts", "devpts", "nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620", "gid=5"),
    _mount("/dev/shm", "tmpfs", "shm", "nosuid", "noexec", "nodev", "mode=1777", "size=262144k"),  # noqa: S108
    _mount("/sys", "sysfs", "sysfs", "nosuid", "noexec", "nodev", "ro"),
    _mount("/sys/fs/cgroup", "cgroup", "cgroup", "nosuid", "noexec", "nodev", "relatime", "rw"),
    _mount("/run", "tmpfs", "tmpfs", "nosuid", "nodev", "mode=755"),
    _mount("/tmp", "tmpfs", "tmpfs", "nosuid", "nodev", "mode=1777"),  # noqa: S108 - the machine's own
)
_DEVICES = tuple(
    {"allow": True, "type": "c", "major": major, "minor": minor, "access": "rwm"}
    for major, minor in ((1, 3), (1, 5), (1, 7), (1, 8), (1, 9), (5, 0), (5, 2), (136, None))
)


def _disks(number: int | None) -> list[dict[str, Any]]:
    """Return the nodes of the data disk: where Azure's udev rules put it, and where its number belongs.

    Source: Azure documentation, virtual-machines/linux/azure-to-guest-disk-mapping; Linux, devices.txt, 7 block.
    """
    node = {"type": "b", "major": LOOP_MAJOR, "minor": number, "fileMode": 0o660, "uid": 0, "gid": 0}
    places = () if number is None else ("/dev/disk/azure/data/by-lun/0", f"/dev/loop{number}")
    return [{"path": path, **node} for path in places]


def _disk_access(number: int | None) -> list[dict[str, Any]]:
    block = {"allow": True, "type": "b", "major": LOOP_MAJOR, "minor": number, "access": "rwm"}
    return [] if number is None else [block]


def _package_mounts(packages: Mapping[str, str]) -> list[dict[str, Any]]:
    return [
        _mount(f"/opt/packages/{name}", "bind", path, "bind", "ro", "nosuid", "nodev")
        for name, path in sorted(packages.items())
    ]
