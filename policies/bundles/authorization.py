"""AuthorizationPolicy of services: everything refused per namespace, exactly one ALLOW per workload."""

from collections.abc import Iterable
from typing import Any

from policies.bundles import denial, dependencies, gateways, objects, positions, workloads
from slipway.manifests.manifest import Manifest
from slipway.mesh import model

_Operations = tuple[tuple[str, tuple[str, ...]], ...]
_Headers = tuple[tuple[str, tuple[str, ...]], ...]
_Requests = tuple[_Operations, _Headers]


def _operations(matches: Iterable[model.HttpMatch]) -> _Operations:
    """Return each path with its sorted methods; no methods stand for any method."""
    methods: dict[str, set[str]] = {}
    for match in matches:
        methods.setdefault(match.path, set()).add(match.method)
    if "*" in methods.get("*", set()):
        return ()
    return tuple((path, () if "*" in found else tuple(sorted(found))) for path, found in sorted(methods.items()))


def _ingress_operations(mesh: model.Mesh, service: model.Service, port: model.Port) -> _Operations:
    wanted = (service.name, port.name)
    prefixes = {r.prefix for host in mesh.ingress for r in host.routes if (r.service, r.port) == wanted}
    if "/" in prefixes:
        return ()
    return tuple((path, ()) for prefix in sorted(prefixes) for path in (prefix, f"{prefix.rstrip('/')}/*"))


def _callers(mesh: model.Mesh, service: model.Service, port: model.Port) -> dict[_Requests, set[str]]:
    """Return the identities that may use ``port``, by what they may ask of it (nothing stands for everything)."""
    found: dict[tuple[str, _Headers], tuple[model.HttpMatch, ...] | None] = {}
    for caller, call in mesh.callers(service.name):
        if call.port == port.name:
            known = found.get((caller.name, call.headers), ())
            both = None if known is None or not call.http else (*known, *call.http)
            found[caller.name, call.headers] = both
    result: dict[_Requests, set[str]] = {}
    for (name, headers), matches in found.items():
        result.setdefault((_operations(matches or ()), headers), set()).update(mesh.principals(name))
    if dependencies.routed_from_ingress(mesh, service, port):
        gateway = gateways.INGRESS.principal(mesh.trust_domain)
        result.setdefault((_ingress_operations(mesh, service, port), ()), set()).add(gateway)
    return result


def _plain_callers(mesh: model.Mesh, service: model.Service, port: model.Port) -> dict[_Requests, set[str]]:
    """Return the networks of callers without a sidecar, by what they may ask of ``port``."""
    result: dict[_Requests, set[str]] = {}
    for caller, call in mesh.plain_calls(service.name):
        if call.port == port.name:
            asked = (_operations(call.http) if call.http else (), call.headers)
            result.setdefault(asked, set()).add(caller.network)
    return result


def _rule(port: model.Port, asked: _Requests, source: dict[str, list[str]]) -> dict[str, Any]:
    ports = [str(port.number)]
    operations, headers = asked
    when = [{"key": f"request.headers[{name}]", "values": list(values)} for name, values in headers]
    to = [
        {
            "ports": ports,
            **({"methods": list(methods)} if methods else {}),
            **({} if path == "*" else {"paths": [path]}),
        }
        for path, methods in operations
    ]
    return {
        "from": [{"source": source}],
        "to": [{"operation": operation} for operation in to or [{"ports": ports}]],
        **({"when": when} if when else {}),
    }


def rules(mesh: model.Mesh, service: model.Service) -> list[dict[str, Any]]:
    """Return who may call ``service``: per port and set of requests, callers with the same rights in one rule.

    A port that does not speak HTTP gets a port and identities only: an ALLOW with a method or path is ignored there.
    Source: istio/istio 1.29.1 pilot/pkg/security/authz/model/model.go.
    """
    found: list[dict[str, Any]] = []
    for port in sorted(service.ports, key=lambda item: (item.number, item.name)):
        callers = _callers(mesh, service, port)
        if callers and not port.protocol.is_http:
            callers: dict[_Requests, set[str]] = {((), ()): set().union(*callers.values())}
        found.extend(_rule(port, asked, {"principals": sorted(callers[asked])}) for asked in sorted(callers))
        plain = _plain_callers(mesh, service, port)
        found.extend(_rule(port, asked, {"ipBlocks": sorted(plain[asked])}) for asked in sorted(plain))
    return found


def _policies(mesh: model.Mesh, selection: workloads.Selection) -> list[Manifest]:
    service = selection.service
    mode = mesh.phases.authorization_of(namespace=service.namespace, service=service.name)
    around = mesh.phases.authorization_of(namespace=service.namespace)
    selector = {"selector": {"matchLabels": selection.labels}, "action": "ALLOW"}
    allowed = rules(mesh, service)
    wanted: list[tuple[str, dict[str, Any], model.AuthorizationMode, dict[str, str]]] = []
    if mode is not model.AuthorizationMode.OFF:
        wanted.append((selection.name, {"rules": allowed} if allowed else {}, mode, {}))
    if positions.is_behind(mode, around):
        stated = {objects.POSITION: mode.value}
        wanted.append((f"{selection.name}.not-{around.value}-yet", {"rules": [{}]}, around, stated))
    return [
        objects.manifest(
            "AuthorizationPolicy",
            name=name,
            namespace=service.namespace,
            declared_at=objects.clause(service.span, f"services.{service.name}"),
            spec={**selector, **decided},
            annotations={**positions.dry_run(applied), **stated},
        )
        for name, decided, applied, stated in wanted
    ]


def emit_authorization(mesh: model.Mesh) -> tuple[Manifest, ...]:
    """Return deny-all per declared namespace and one ALLOW per workload, without rules when nobody may call it.

    While a position is ``observed`` its whole set is rehearsed: a rehearsed ALLOW beside enforced ones would be
    judged alone. A service that is behind its namespace is held open by an ALLOW without conditions.
    """
    denials = [
        item
        for name in mesh.namespaces
        for item in denial.deny_all(
            namespace=name,
            mode=mesh.phases.authorization_of(namespace=name),
            declared_at=objects.namespace_clause(mesh, name),
        )
    ]
    allowed = [item for selection in workloads.all_selections(mesh) for item in _policies(mesh, selection)]
    return (*denials, *allowed)
