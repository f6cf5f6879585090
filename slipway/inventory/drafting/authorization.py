"""AuthorizationPolicies as calls, where every word of them can be said as one."""

from collections.abc import Collection, Iterator, Mapping

from slipway.diagnostics import Collector
from slipway.inventory.drafting import parts
from slipway.manifests.manifest import Manifest
from slipway.mesh import requests
from slipway.mesh.shape import Rejected
from slipway.reachability.fields import Fields

_SAID = frozenset({"principals", "methods", "paths", "ports"})
_IDENTITY_PARTS = 5


class _CannotSayError(Exception):
    """Something that no call can express; the message says what."""


def judge(
    item: Manifest,
    *,
    services: Collection[parts.Service],
    identities: Mapping[tuple[str, str], str],
    calls: parts.Calls,
) -> tuple[parts.Verdict, str]:
    """Return what becomes of a policy of a drafted namespace; what it allows is added to ``calls`` whole or not."""
    spec = Fields(item.body.get("spec"), item.kind, Collector())
    action = spec.text("action", "ALLOW")
    if action != "ALLOW":
        reason = f"{action} has no word in a draft; it stays in force, or moves to `stacks/extra`"
        return parts.Verdict.LEFT_ALONE, reason
    if item.annotations.get("istio.io/dry-run") == "true":
        return parts.Verdict.LEFT_ALONE, "it is only rehearsed"
    if not spec.maps("rules"):
        return parts.Verdict.LEFT_ALONE, "it refuses what no other policy allows, as Slipway's own does"
    try:
        callee = _selected(spec, item.namespace, services)
        found = [request for rule in spec.maps("rules") for request in _rule(rule, callee, identities)]
    except _CannotSayError as error:
        reason = f"{error}; it allows that beside the declared calls until it is deleted"
        return parts.Verdict.IN_THE_WAY, reason
    for link, clause in found:
        if clause:
            calls.stated.setdefault(link, set()).add(clause)
        else:
            calls.every.add(link)
    return parts.Verdict.TAKEN_OVER, f"as calls of {callee.name}; delete it once Slipway's are enforced"


def _selected(spec: Fields, namespace: str, services: Collection[parts.Service]) -> parts.Service:
    labels = spec.map("selector").labels("matchLabels")
    found = [item for item in services if item.namespace == namespace and dict(item.labels) == labels]
    if len(found) != 1:
        raise _CannotSayError("it selects other pods than one drafted service" if labels else "it is the namespace's")
    return found[0]


def _rule(
    rule: Fields, callee: parts.Service, identities: Mapping[tuple[str, str], str]
) -> Iterator[tuple[parts.Link, str]]:
    """Yield links with the clause that they allow, empty for every request."""
    if rule.maps("when"):
        raise _CannotSayError("it has conditions (`when`)")
    callers = [
        _caller(text, identities) for part in rule.maps("from") for text in _only(part, "source", "principals")
    ]
    if not callers:
        raise _CannotSayError("a rule names no callers by `principals`")
    operations = rule.maps("to") or (Fields({"operation": {}}, "to", Collector()),)
    for operation in operations:
        _only(operation, "operation", "ports")
        for port, clause in _operation(operation.map("operation"), callee):
            for caller in callers:
                yield parts.Link(caller=caller, callee=callee.name, port=port.key), clause


def _only(part: Fields, key: str, wanted: str) -> tuple[str, ...]:
    inner = part.map(key)
    others = sorted(set(inner.names()) - _SAID)
    if others:
        raise _CannotSayError(f"it has `{others[0]}`")
    return inner.texts(wanted)


def _caller(principal: str, identities: Mapping[tuple[str, str], str]) -> str:
    words = principal.split("/")
    if len(words) != _IDENTITY_PARTS or words[1] != "ns" or words[3] != "sa" or "*" in principal:
        raise _CannotSayError(f"`{principal}` is not one identity")
    found = identities.get((words[2], words[4]))
    if found is None:
        raise _CannotSayError(f"`{principal}` is no drafted service")
    return found


def _operation(operation: Fields, callee: parts.Service) -> Iterator[tuple[parts.Port, str]]:
    numbers, methods, paths = (operation.texts(key) for key in ("ports", "methods", "paths"))
    ports = [port for port in callee.ports if not numbers or str(port.number) in numbers]
    if len(ports) < len(numbers) or not ports:
        raise _CannotSayError(f"{callee.name} is not drafted with the port that it allows")
    for port in ports:
        if not methods and not paths:
            yield port, ""
            continue
        if port.protocol not in {"http", "http2", "grpc"}:
            raise _CannotSayError(f"it tells requests apart on port {port.number}, which is no HTTP")
        for method in methods or ("*",):
            for path in paths or ("*",):
                yield port, _clause(method, path)


def _clause(method: str, path: str) -> str:
    try:
        return requests.parse(f"{method} {path}")
    except Rejected as rejected:
        raise _CannotSayError(rejected.sentence) from rejected
