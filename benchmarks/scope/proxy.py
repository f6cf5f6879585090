"""One running Envoy: what it holds, by its own administration, and what it takes, by the kernel."""

import json
import re
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

_ADMIN = "http://127.0.0.1:15000"
_TIMEOUT_S = 60
_NS_PER_US = 1000
_MIB = 1 << 20
_KIB_PER_MIB = 1 << 10
_STEADY_MIB = 0.5


@dataclass(frozen=True, slots=True, kw_only=True)
class Holdings:
    """What an Envoy holds: ``heap_mib`` allocated, ``pss_mib`` of the whole process."""

    config_kib: float
    heap_mib: float
    pss_mib: float
    clusters: int
    endpoints: int
    listeners: int

    def is_like(self, other: "Holdings") -> bool:
        """Whether nothing has come or gone since, and the heap is the same but for what requests take."""
        same = (self.clusters, self.endpoints, self.listeners) == (other.clusters, other.endpoints, other.listeners)
        return same and abs(self.heap_mib - other.heap_mib) < _STEADY_MIB


class Proxy:
    """The Envoy in a pod's network namespace. Raises RuntimeError when there is none, or two."""

    def __init__(self, network: Path) -> None:
        """``network`` is the namespace's file, as of a process in it."""
        self.network = network
        wanted = network.stat().st_ino
        found = [item for item in Path("/proc").glob("[0-9]*") if _is_envoy(item, wanted)]
        if len(found) != 1:
            raise RuntimeError(f"{len(found)} Envoys in the network namespace {network}")
        self._process = found[0]

    def holdings(self) -> Holdings:
        """Return what it holds now.

        Source: Envoy documentation, operations/admin, `/memory`, `/config_dump`, `/clusters`, `/stats`; kernel
        documentation, filesystems/proc, smaps_rollup.
        """
        clusters = json.loads(self.ask("clusters?format=json"))["cluster_statuses"]
        rollup = (self._process / "smaps_rollup").read_text()
        return Holdings(
            config_kib=len(self.ask("config_dump")) / 1024,
            heap_mib=int(json.loads(self.ask("memory"))["allocated"]) / _MIB,
            pss_mib=int(re.search(r"^Pss:\s+(\d+) kB", rollup, re.MULTILINE)[1]) / _KIB_PER_MIB,
            clusters=len(clusters),
            endpoints=sum(len(item.get("host_statuses", ())) for item in clusters),
            listeners=self.stat("listener_manager.total_listeners_active"),
        )

    def cpu_us(self) -> float:
        """Return the processor time of all its threads so far, in microseconds.

        Source: kernel documentation, scheduler/sched-stats, `/proc/<pid>/schedstat`: the first field, nanoseconds.
        """
        threads = (self._process / "task").glob("*/schedstat")
        return sum(int(item.read_text().split()[0]) for item in threads) / _NS_PER_US

    def stat(self, name: str) -> int:
        """Return a counter or gauge of exactly this name; raises RuntimeError when there is none."""
        for line in self.ask(f"stats?filter=^{re.escape(name)}$").splitlines():
            return int(line.rpartition(": ")[2])
        raise RuntimeError(f"the proxy has no figure {name}")

    def listeners(self) -> Any:
        """Return the listeners that its configuration came with."""
        return json.loads(self.ask("config_dump?resource=dynamic_listeners"))

    def ask(self, path: str) -> str:
        """Return what its administration answers to a path."""
        argv = ["nsenter", f"--net={self.network}", "--", "curl", "--silent", "--fail", "--globoff"]
        done = subprocess.run(
            [*argv, f"{_ADMIN}/{path}"], capture_output=True, text=True, timeout=_TIMEOUT_S, check=True
        )
        return done.stdout


def _is_envoy(process: Path, network: int) -> bool:
    try:
        return (process / "comm").read_text() == "envoy\n" and (process / "ns/net").stat().st_ino == network
    except OSError:
        return False  # it has ended
