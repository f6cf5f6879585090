"""How many builds fit side by side."""

import os
from dataclasses import dataclass
from pathlib import Path

GIB = 1024**3
LINK_GIB = 3.0
"""Memory that linking the largest program takes at its peak."""  # Source: measured with k8s.io/kubernetes v1.34.4
COMPILE_GIB = 1.0
"""Memory that compiling the largest single package takes at its peak."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """``builds`` at a time, each compiling ``packages`` at a time."""

    builds: int
    packages: int


def plan(*, cores: int, available_gib: float, waiting: int) -> Plan:
    """Divide cores and memory among ``waiting`` builds; always at least one build of one package."""
    by_memory = int(available_gib // LINK_GIB)
    builds = max(1, min(cores, by_memory, waiting))
    packages = int(available_gib / builds // COMPILE_GIB)
    return Plan(builds=builds, packages=max(1, min(cores, packages)))


def available_gib(meminfo: str) -> float:
    """Read what the kernel expects to be available without swapping from the text of /proc/meminfo.

    Source: proc(5), MemAvailable, in KiB.
    """
    for line in meminfo.splitlines():
        name, _, value = line.partition(":")
        if name == "MemAvailable":
            return int(value.split()[0]) * 1024 / GIB
    return LINK_GIB


def for_this_machine(waiting: int) -> Plan:
    """Plan with the cores this process may use and the memory that is available now."""
    meminfo = Path("/proc/meminfo")
    text = meminfo.read_text(encoding="ascii") if meminfo.exists() else ""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return plan(cores=cores, available_gib=available_gib(text), waiting=waiting)
