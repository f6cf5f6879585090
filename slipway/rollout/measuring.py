"""Measure checks, with patience for what should work and none for what should be refused."""

import time
from collections.abc import Callable, Mapping, Sequence

from policies.bundles import gateways
from slipway.rollout import expectations, findings, probes
from slipway.rollout.checks import check
from slipway.world import kubernetes

EGRESS = gateways.EGRESS
PATIENCE_S = 25.0
_PAUSE_S = 1.0

Measure = Callable[[Sequence[check.Check]], Mapping[str, probes.Result]]


def measure(
    checks: Sequence[check.Check], send: Measure, *, egress: Sequence[str], patience_s: float | None = None
) -> list[findings.Finding]:
    """Send every check once; what should work and did not is sent again for at most ``patience_s`` (default: 25).

    Where a refusal is expected, the first answer counts: a second try could hide a moment without protection. A
    source that could not be used, and a proxy that did not reach the service (a connection that it kept has died),
    say nothing about either, so they are tried again. ``egress`` are the addresses of the egress gateway's pods.
    """
    attempts = dict.fromkeys((item.name for item in checks), 0)
    results: dict[str, probes.Result] = {}
    waiting = list(checks)
    ends = time.monotonic() + (PATIENCE_S if patience_s is None else patience_s)
    while waiting:
        measured = send(waiting)
        for item in waiting:
            results[item.name] = measured[item.name]
            attempts[item.name] += 1
        waiting = [item for item in waiting if _is_worth_another(item, results[item.name], egress)]
        if time.monotonic() > ends:
            break
        if waiting:
            time.sleep(_PAUSE_S)
    return [
        findings.of(
            item,
            results[item.name],
            difference=item.expected.unmet(results[item.name], egress=egress),
            attempts=attempts[item.name],
        )
        for item in checks
    ]


def egress_addresses(cluster: kubernetes.Kubernetes) -> list[str]:
    """Return the addresses of the egress gateway's pods."""
    labels = f"istio={EGRESS.selector['istio']}"
    pods = cluster.list(kubernetes.POD, namespace=EGRESS.namespace, labels=labels)
    return [pod["status"]["podIP"] for pod in pods if pod.get("status", {}).get("podIP")]


def _is_worth_another(item: check.Check, result: probes.Result, egress: Sequence[str]) -> bool:
    if not item.expected.unmet(result, egress=egress):
        return False
    return item.expected.patient or expectations.decides_nothing(result)
