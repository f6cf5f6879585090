"""Which objects a namespace sees, and which of several hosts names another one best."""

from collections.abc import Iterable

from slipway.reachability import strings


def exported(export_to: tuple[str, ...], *, owner: str, namespace: str) -> bool:
    """Return whether an object of ``owner`` is exported to ``namespace``; ``export_to`` has the default filled in.

    Source: istio 1.29.1 pilot/pkg/model/push_context.go, IsServiceVisible.
    """
    return any(item in ("*", namespace) or (item == "." and owner == namespace) for item in export_to)


def reach(export_to: tuple[str, ...], default: tuple[str, ...], *, owner: str, namespace: str) -> int:
    """Return how far an object that ``namespace`` sees is exported: to its own namespace 0, to some 1, to all 2.

    Source: istio 1.29.1 pilot/pkg/model/push_context.go, initVirtualServices.
    """
    if "*" in (export_to or default) and (export_to or "." not in default):
        return 2
    return 0 if owner == namespace else 1


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
