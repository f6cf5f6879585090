"""Which objects a namespace sees, and which of several hosts names another one best."""

from collections.abc import Iterable

from slipway.reachability import strings
from slipway.reachability.objects import Service


def exported(export_to: tuple[str, ...], *, owner: str, namespace: str) -> bool:
    """Return whether an object of ``owner`` is exported to ``namespace``; ``export_to`` has the default filled in.

    Source: istio 1.29.1 pilot/pkg/model/push_context.go, IsServiceVisible.
    """
    return any(item in ("*", namespace) or (item == "." and owner == namespace) for item in export_to)


def most_specific(name: str, hosts: Iterable[str]) -> str | None:
    """Return the host that covers ``name`` best: itself, else the longest wildcard.

    Source: istio 1.29.1 pilot/pkg/model/config.go, MostSpecificHostMatch.
    """
    best: str | None = None
    for host in hosts:
        if host == name:
            return host
        if host.startswith("*") and strings.host_covers(host, name) and (best is None or len(host) > len(best)):
            best = host
    return best


def preferred(seen: list[Service], namespace: str) -> list[Service]:
    """Return those of one host that win for proxies of a namespace: its own ones, then Kubernetes Services."""
    own = [item for item in seen if item.namespace == namespace] or seen
    return [item for item in own if item.kubernetes] or own
