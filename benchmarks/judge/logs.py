"""Which side decided, and by which policy: read from what the proxies of the fleet logged about each HTTP request.

A request carries its number as user agent. Connections without HTTP have only their ports, which come again.

Source: istio 1.29.1 pilot/pkg/model/telemetry_logging.go, EnvoyTextLogFormat.
"""

import dataclasses
import re
from collections.abc import Iterable, Mapping
from pathlib import Path

from benchmarks.judge import court, fleet
from slipway import reachability
from slipway.reachability import split

_LINE = re.compile(
    r'\[(?P<time>[^\]]+)\] "(?P<request>.*?)" (?P<code>\d+) (?P<flags>\S+) (?P<details>\S+) (?P<end>\S+) '
    r'"(?P<transport>.*?)" \S+ \S+ \S+ \S+ ".*?" "(?P<agent>.*?)" ".*?" "(?P<host>.*?)" "(?P<upstream>\S+)" '
    r"(?P<cluster>\S+) (?P<upstream_local>\S+) (?P<local>\S+) (?P<remote>\S+) (?P<sni>\S+) (?P<route>\S+)$"
)
_POLICY = re.compile(r"rbac_access_denied_matched_policy\[(.*)\]$")
_NAME = re.compile(r"ns\[(.*)\]-policy\[(.*)\]-rule\[(\d+)\]$")
# A proxy's own answers. Source: envoyproxy/envoy 1.37 envoy/stream_info/stream_info.h, ResponseCodeDetails.
_OWN = frozenset(
    {"route_not_found", "direct_response", "cluster_not_found", "no_healthy_upstream", "no_cluster_info"}
)
_NOWHERE = frozenset({"BlackHoleCluster", "-"})
_GATES = frozenset({reachability.Hop.INGRESS_GATEWAY, reachability.Hop.EGRESS_GATEWAY})


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One line of a proxy's log: ``policy`` is what refused, ``none`` for want of an ALLOW, empty otherwise."""

    details: str
    policy: str
    upstream: str
    cluster: str


class Logs:
    """What the proxies of a fleet have logged so far, by request."""

    def __init__(self, folder: Path) -> None:
        self._entries: dict[str, dict[str, Entry]] = {}
        self.unread: list[str] = []
        for path in sorted(folder.glob(f"{fleet.PREFIX}-*/istio-proxy/*.log")):
            namespace, pod, _ = path.parts[-3].split("_")
            self._read(f"{namespace}/{pod}", path.read_text(encoding="utf-8", errors="replace").splitlines())

    def _read(self, place: str, lines: Iterable[str]) -> None:
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
                upstream=found["upstream"],
                cluster=found["cluster"],
            )
            self._entries.setdefault(found["agent"], {}).setdefault(place, entry)

    def of(self, trial: court.Trial) -> tuple[Entry | None, Mapping[str, Entry]]:
        """Return what the caller's own proxy logged about a request, and what others did, by place."""
        found = self._entries.get(trial.measured.mark, {})
        others = {place: entry for place, entry in found.items() if place != trial.request.source}
        return found.get(trial.request.source), others


def contradiction(trial: court.Trial, logs: Logs) -> str:
    """Return how the logs contradict where and by what a refusal was decided; empty when they do not."""
    answer = trial.answer
    if answer.outcome is not reachability.Outcome.DENIED or trial.difference:
        return ""
    if any(split.OPEN in reason for reason in answer.reasons):
        return ""  # it names one of several, and says so
    own, others = logs.of(trial)
    if own is not None:
        at_source = own.details in _OWN or own.cluster in _NOWHERE
        if at_source != (answer.decided_by.hop is reachability.Hop.SOURCE_SIDECAR):
            return f"decided at {answer.decided_by.hop.value}, but the caller's proxy says {own}"
    refusing = next(((place, entry) for place, entry in others.items() if entry.policy), None)
    if refusing is None:
        return ""
    place, entry = refusing
    if place.endswith(f"/{fleet.GATE}") != (answer.decided_by.hop in _GATES):
        return f"decided at {answer.decided_by.hop.value}, but the proxy of {place} refused"
    return _policy(answer.decided_by, entry.policy)


def _policy(decider: reachability.Decider, told: str) -> str:
    found = _NAME.match(told)
    if decider.object is None or decider.object.kind != "AuthorizationPolicy":
        return f"decided by {decider}, but the proxy refused by {told}"
    if found is None:
        return "" if decider.rule is None else f"decided by {decider}, but no ALLOW matched"
    key = decider.object
    same = (key.namespace, key.name, decider.rule) == (found[1], found[2], int(found[3]))
    return "" if same else f"decided by {decider}, but the proxy refused by {told}"
