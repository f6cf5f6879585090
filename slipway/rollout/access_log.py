"""Who came, by the identity in its certificate: read from the access log of a machine's own Envoy."""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from slipway.mesh import model
from slipway.rollout import findings
from slipway.rollout.checks import check
from slipway.world import kubernetes

# The time as the log writes it, in UTC with milliseconds.
CLOCK = ("date", "--utc", "+%FT%T.%3NZ")
LOG_FILE = "/var/log/istio/istio.log"  # Source: istio/istio 1.29.1 tools/packaging/common/istio.service
_SCHEME = "spiffe://"
_FLUSHED_WITHIN_S = 15.0
# Source: envoyproxy/envoy 1.37 source/extensions/filters/network/rbac/rbac_filter.cc, connection termination details
_DENIED = "rbac_access_denied"


def entries(text: str, *, port: int, since: str = "") -> Iterator[Mapping[str, Any]]:
    """Return the log's entries about connections to ``port`` of the machine, among whatever else is in the log.

    They are known by the port that the caller addressed, whichever filter chain took them. A connection is logged
    when it ends: those that began before ``since`` (a time as the log writes it) tell of an earlier time.
    """
    for line in text.splitlines():
        if not line.startswith("{"):
            continue
        entry = json.loads(line)
        leaving = str(entry.get("upstream_cluster")).startswith("outbound|")
        begun = str(entry.get("start_time")) >= since
        if str(entry.get("local")).endswith(f":{port}") and begun and not leaving:
            yield entry


def is_denied(entry: Mapping[str, Any]) -> bool:
    """Whether the connection ended before the application had it: by policy, or without any matching filter chain."""
    by_policy = _DENIED in f"{entry.get('connection_end')} {entry.get('code_details')}"
    return by_policy or entry.get("upstream_host") is None


def judge(
    mesh: model.Mesh,
    service: model.Service,
    port: model.Port,
    *,
    read: Callable[[], str],
    refused: Sequence[str],
    since: str = "",
) -> tuple[findings.Finding, ...]:
    """Tell whether each declared caller was let in under its own name, and nobody else was.

    ``read`` returns the log of this run so far, which began at ``since`` by the machine's clock; ``refused`` are
    principals whose refusal has to be in it.
    """
    callers = sorted(
        {
            f"{_SCHEME}{principal}"
            for caller, call in mesh.callers(service.name)
            if call.port == port.name
            for principal in mesh.principals(caller.name)
        }
    )
    wanted = [(caller, False) for caller in callers] + [(f"{_SCHEME}{name}", True) for name in sorted(refused)]
    seen: set[tuple[str, bool]] = set()

    def missing() -> str:
        found = entries(read(), port=port.number, since=since)
        seen.update((str(entry.get("caller")), is_denied(entry)) for entry in found)
        return ", ".join(caller for caller, denied in wanted if (caller, denied) not in seen)

    try:
        kubernetes.wait_until("the access log", missing, timeout_s=_FLUSHED_WITHIN_S, pause_s=0.5)
    except kubernetes.NotMetError:
        missing()
    told = f"{service.name}:{port.number}, access log of its machine"
    found = [_named(told, caller, denied=denied, there=(caller, denied) in seen) for caller, denied in wanted]
    others = sorted(caller for caller, denied in seen if not denied and caller not in callers)
    found.append(
        findings.Finding(
            group=check.Group.DATABASE,
            subject=told,
            expected="nobody else let in",
            measured=f"let in: {', '.join(others)}" if others else "nobody else",
            difference="a caller that is not declared" if others else "",
        )
    )
    return tuple(found)


def _named(told: str, caller: str, *, denied: bool, there: bool) -> findings.Finding:
    expected = f"{'refused' if denied else 'let in'}: {caller}"
    return findings.Finding(
        group=check.Group.DATABASE,
        subject=told,
        expected=expected,
        measured=expected if there else "no such entry",
        difference="" if there else "no such entry",
    )
