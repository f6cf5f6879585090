"""What a lab leaves on the computer, seen from outside of it."""

import os
import subprocess
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True, kw_only=True)
class Traces:
    """Processes of the lab, and network namespaces, mounts, links, control groups and packet rules."""

    processes: frozenset[str]
    namespaces: frozenset[str]
    mounts: frozenset[str]
    links: frozenset[str]
    control_groups: frozenset[str]
    rules: frozenset[str]


def of(instance: str) -> Traces:
    """Look at the computer; ``instance`` tells whose processes count."""
    netns = Path("/run/netns")
    return Traces(
        processes=frozenset(_processes(instance)),
        namespaces=frozenset(path.name for path in netns.iterdir()) if netns.is_dir() else frozenset(),
        mounts=frozenset(line.split()[4] for line in Path("/proc/self/mountinfo").read_text().splitlines()),
        links=frozenset(path.name for path in Path("/sys/class/net").iterdir()),
        control_groups=frozenset(
            folder
            for folder, _, _ in os.walk("/sys/fs/cgroup")
            if instance in Path(folder).parts  # others come and go
        ),
        rules=frozenset(_printed("nft", "list", "ruleset") + _printed("iptables-save")),
    )


def _processes(instance: str) -> list[str]:
    found: list[str] = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            marked = f"SLIPWAY_LAB={instance}".encode() in (folder / "environ").read_bytes().split(b"\0")
            grouped = f"/slipway/{instance}" in (folder / "cgroup").read_text()
            command = (folder / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except OSError:
            continue
        if marked or grouped:
            found.append(f"{folder.name} {command}")
    return found


def _printed(*argv: str) -> list[str]:
    done = subprocess.run(argv, capture_output=True, text=True, timeout=30, check=False)
    return [line for line in done.stdout.splitlines() if line and not line.startswith("#")]
