"""Which side decided, and by which policy: read from what the proxies of the fleet logged about each HTTP request.

A request carries its number as user agent. Connections without HTTP have only their ports, which come again.

Source: istio 1.29.1 pilot/pkg/model/telemetry_logging.go, EnvoyTextLogFormat.
"""

import dataclasses
import re
from collections.abc import Iterable, Mapping
from pathlib import Path

from benchmarks.judge import court, fleet, logged

_LINE = re.compile(
    r'\[(?P<time>[^\]]+)\] "(?P<request>.*?)" (?P<code>\d+) (?P<flags>\S+) (?P<details>\S+) (?P<end>\S+) '
    r'"(?P<transport>.*?)" \S+ \S+ \S+ \S+ ".*?" "(?P<agent>.*?)" ".*?" "(?P<host>.*?)" "(?P<upstream>\S+)" '
    r"(?P<cluster>\S+) (?P<upstream_local>\S+) (?P<local>\S+) (?P<remote>\S+) (?P<sni>\S+) (?P<route>\S+)$"
)
_POLICY = re.compile(r"rbac_access_denied_matched_policy\[(.*)\]$")
# A proxy's own answers. Source: envoyproxy/envoy 1.37 envoy/stream_info/stream_info.h, ResponseCodeDetails.
_OWN = frozenset(
    {"route_not_found", "direct_response", "cluster_not_found", "no_healthy_upstream", "no_cluster_info"}
)
_UNTRUSTED = "CERTIFICATE_VERIFY_FAILED"
_NOWHERE = frozenset({"BlackHoleCluster", "-"})


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One line of a proxy's log: ``policy`` is what refused, ``none`` for want of an ALLOW, empty otherwise."""

    details: str
    policy: str
    cluster: str


class Logs:
    """What the proxies of a fleet have logged, by request."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._entries: dict[str, dict[str, Entry]] = {}
        self._read: dict[Path, int] = {}
        self.unread: list[str] = []

    def read(self) -> None:
        """Read what came since the last time; a line that is only half there is left for the next one."""
        for path in sorted(self._folder.glob(f"{fleet.PREFIX}-*/istio-proxy/*.log")):
            namespace, pod, _ = path.parts[-3].split("_")
            with path.open("rb") as file:
                file.seek(self._read.get(path, 0))
                whole, end, _ = file.read().rpartition(b"\n")
            self._read[path] = self._read.get(path, 0) + len(whole) + len(end)
            self._take(f"{namespace}/{pod}", whole.decode("utf-8", errors="replace").splitlines())

    def _take(self, place: str, lines: Iterable[str]) -> None:
        for line in lines:
            text = line.partition(" F ")[2]
            if not text.startswith("["):
                continue
            found = _LINE.match(text)
            if found is None:
                self.unread.append(text)
                continue
            refused = _POLICY.search(found["details"]) or _POLICY.search(found["end"])
            entry = Entry(
                details=found["details"],
                policy=refused[1] if refused else "",
                cluster=found["cluster"],
            )
            self._entries.setdefault(found["agent"], {}).setdefault(place, entry)

    def of(self, trial: court.Trial) -> logged.Logged | None:
        """Return what proxies logged about a request; None where none did."""
        found = self._entries.get(trial.measured.mark, {})
        if not found:
            return None
        own = found.get(trial.request.source)
        refusing = _refusing({place: entry for place, entry in found.items() if place != trial.request.source})
        return logged.Logged(
            by_caller=None if own is None else _decided_itself(own),
            at_gateway=refusing is not None and refusing[0].endswith(f"/{fleet.GATE}"),
            policy="" if refusing is None else refusing[1].policy,
        )


def _decided_itself(entry: Entry) -> bool:
    """Return whether a caller's proxy led the request nowhere, or to somebody whose certificate it did not take."""
    return entry.details in _OWN or _UNTRUSTED in entry.details or entry.cluster in _NOWHERE


def _refusing(entries: Mapping[str, Entry]) -> tuple[str, Entry] | None:
    return next(((place, entry) for place, entry in entries.items() if entry.policy), None)
