"""Calls seen in logs, between drafted services."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from slipway.inventory import facts
from slipway.inventory.drafting import access_log, parts

_IDENTITY = "spiffe://"
_IDENTITY_PARTS = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Directory:
    """Drafted services by what logs show: identities of one service alone, shared ones, and addresses of pods."""

    identities: Mapping[tuple[str, str], str]
    shared: Mapping[tuple[str, str], frozenset[str]]
    addresses: Mapping[str, str]
    services: Mapping[str, parts.Service]

    def who(self, text: str, *, address: str = "") -> str | None:
        """Return the service with an identity or address; of several with one identity, that at ``address``."""
        key = identity(text)
        if key is None:
            return self.addresses.get(text)
        at = self.addresses.get(address, "")
        return at if at in self.shared.get(key, ()) else self.identities.get(key)


def identity(text: str) -> tuple[str, str] | None:
    """Return namespace and ServiceAccount of a SPIFFE identity, or None."""
    words = text.removeprefix(_IDENTITY).split("/")
    known = text.startswith(_IDENTITY) and len(words) == _IDENTITY_PARTS and words[1::2] == ["ns", "sa"]
    return (words[2], words[4]) if known else None


def directory(services: Iterable[parts.Service], found: facts.Facts) -> Directory:
    """Return the directory of drafted services."""
    owners: dict[tuple[str, str], set[str]] = {}
    addresses: dict[str, str] = {}
    by_name = {item.name: item for item in services}
    for item in by_name.values():
        for account in item.accounts:
            owners.setdefault((item.namespace, account), set()).add(item.name)
        for pod in found.selected(item.namespace, item.labels):
            addresses |= {} if pod.host_network else dict.fromkeys(pod.addresses, item.name)
    return Directory(
        identities={key: min(names) for key, names in owners.items() if len(names) == 1},
        shared={key: frozenset(names) for key, names in owners.items() if len(names) > 1},
        addresses=addresses,
        services=by_name,
    )


def spoken_http(log: access_log.Log, found: facts.Facts) -> set[tuple[str, str, int]]:
    """Return namespace, ServiceAccount and port of servers that answered HTTP."""
    at = {ip: (item.namespace, item.service_account) for item in found.workloads for ip in item.addresses}
    pairs = ((identity(seen.callee) or at.get(seen.callee), seen.port) for seen in log.seen if seen.method)
    return {(*key, port) for key, port in pairs if key is not None}


def add(
    log: access_log.Log, known: Directory, calls: parts.Calls, externals: dict[str, parts.External]
) -> tuple[str, ...]:
    """Add what ``log`` shows to ``calls`` and ``externals``; return what could not be placed, as sentences."""
    left = Counter[str]()
    for seen in sorted(log.seen):
        reason = _add(seen, known, calls, externals)
        left.update([reason] if reason else [])
    lines = [f"{count} kinds of calls {reason}" for reason, count in sorted(left.items())]
    return (*lines, *(f"{count} lines: {reason}" for reason, count in log.passed_over.items()))


def _add(seen: access_log.Seen, known: Directory, calls: parts.Calls, externals: dict[str, parts.External]) -> str:
    caller = known.who(seen.caller, address=seen.address)
    if caller is None:
        what = "several services share" if identity(seen.caller) in known.shared else "is no drafted service"
        return f"by {seen.caller}, which {what}"
    if seen.host:
        return _outside(seen, caller, calls, externals)
    callee = known.who(seen.callee)
    if callee is None:
        return f"of {seen.callee}, which is no drafted service"
    port = next((item for item in known.services[callee].ports if item.number == seen.port), None)
    if port is None:
        return f"of port {seen.port} of {callee}, which is not drafted"
    link = parts.Link(caller=caller, callee=callee, port=port.key)
    if seen.method and port.protocol in {"http", "http2", "grpc"}:
        calls.seen.setdefault(link, set()).add((seen.method, seen.path))
    else:
        calls.every.add(link)
    return ""


def _outside(seen: access_log.Seen, caller: str, calls: parts.Calls, externals: dict[str, parts.External]) -> str:
    if seen.host not in externals:
        return f"of {seen.host}, for which there is no ServiceEntry that could be taken over"
    calls.outside.add((caller, seen.host))
    return ""
