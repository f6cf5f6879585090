"""The control groups of a lab's containers, in every hierarchy that the kernel has mounted."""

import contextlib
import os
import signal
from collections.abc import Iterator
from pathlib import Path

from slipway.lab import waiting

_MOUNTS = Path("/proc/self/mountinfo")
_END_LIMIT_S = 10.0


def create(group: str) -> None:
    """Make ``group`` (as `/slipway/NAME`) in every hierarchy: kubelet refuses a root group that is not there."""
    for hierarchy in _hierarchies():
        folder = hierarchy / group.lstrip("/")
        folder.mkdir(parents=True, exist_ok=True)
        for part in (folder.parent, folder):
            _inherit_processors(part)


def _inherit_processors(folder: Path) -> None:
    """Fill what a new group of the hierarchy `cpuset` has empty. Source: Linux admin-guide/cgroup-v1/cpusets."""
    for name in ("cpuset.cpus", "cpuset.mems"):
        file = folder / name
        if file.exists() and not file.read_text(encoding="utf-8").strip():
            file.write_text((folder.parent / name).read_text(encoding="utf-8"), encoding="utf-8")


def end(group: str) -> None:
    """Kill every process in ``group`` (as `/slipway/NAME`) and below; raises :class:`LabError` if some stay."""

    def missing() -> str:
        left = sorted(set(_members(group)))
        for identity in left:
            with contextlib.suppress(ProcessLookupError):
                os.kill(identity, signal.SIGKILL)
        return f"processes {left} do not end" if left else ""

    hint = "a process that waits for a disk or a driver cannot be killed; look at /proc/PID/stack"
    waiting.until(missing, limit_s=_END_LIMIT_S, what=f"control group {group}", hint=hint)


def remove(group: str) -> None:
    """Remove ``group`` with everything below it, and the parent that all labs share once it is empty."""
    for hierarchy in _hierarchies():
        top = hierarchy / group.lstrip("/")
        waiting.until(
            lambda folder=top: _busy(folder),
            limit_s=_END_LIMIT_S,
            what=f"the removal of {top}",
            hint="a process is still in it; run the command again",
        )
        with contextlib.suppress(OSError):  # another lab is still in it, or it is not there
            top.parent.rmdir()


def _busy(top: Path) -> str:
    """Remove ``top`` from below and say what did not go: a group stays busy for a moment after its last process."""
    for folder in sorted(_folders(top), key=lambda path: len(path.parts), reverse=True):
        try:
            folder.rmdir()
        except FileNotFoundError:
            continue
        except OSError as error:
            return str(error)
    return ""


def _members(group: str) -> Iterator[int]:
    for hierarchy in _hierarchies():
        for folder in _folders(hierarchy / group.lstrip("/")):
            with contextlib.suppress(FileNotFoundError):
                yield from map(int, (folder / "cgroup.procs").read_text(encoding="utf-8").split())


def _folders(top: Path) -> list[Path]:
    return [Path(folder) for folder, _, _ in os.walk(top)] if top.is_dir() else []


def _hierarchies() -> list[Path]:
    """Return the mount points. Source: proc(5), mountinfo: the file system's type follows the separator."""
    found: list[Path] = []
    for line in _MOUNTS.read_text(encoding="utf-8").splitlines():
        before, _, after = line.partition(" - ")
        if after.split()[0] in {"cgroup", "cgroup2"}:
            found.append(Path(before.split()[4]))
    return found
