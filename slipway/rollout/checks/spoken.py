"""How a service's port is spoken to."""

import re
from dataclasses import replace

from policies.bundles import dependencies, overlay, positions, workloads
from slipway.manifests import guard
from slipway.mesh import model, requests
from slipway.rollout import expectations, probes, samples, sources

_METHODS = ("DELETE", "PATCH", "PUT", "POST", "GET")
# Envoy decides on TCP when the first bytes come, and on TLS or not when it has the five of a record's header.
# Source: envoyproxy/envoy 1.37 source/extensions/filters/network/rbac/rbac_filter.cc, onData; RFC 8446, section 5.1.
FIRST_BYTES = "\r\n\r\n\r\n"
UNDECLARED_PATH = "/slipway-verify/undeclared"
REFUSED_TIMEOUT_MS = 2500
WORKS_TIMEOUT_MS = 8000


def http(
    target: probes.Address | probes.PodAddress,
    match: model.HttpMatch,
    sample: samples.Http,
    *,
    timeout_ms: int,
    headers: tuple[tuple[str, str], ...] = (),
) -> probes.Request:
    """Return a request that falls under ``match``, as the sample has it, with the call's own ``headers``."""
    below = match.path.removesuffix("*") + "slipway-verify" if match.path.endswith("/*") else match.path
    below = below.replace(requests.REST, "slipway/verify").replace(requests.ONE_SEGMENT, "slipway-verify")
    return probes.Request(
        kind=probes.Kind.HTTP,
        target=target,
        method="GET" if match.method == "*" else match.method,
        path=sample.path or ("/" if match.path == "*" else below),
        headers=((("content-type", "application/json"),) if sample.body else ()) + headers,
        send=sample.body,
        timeout_ms=timeout_ms,
    )


def database_of(mesh: model.Mesh, service: model.Service) -> model.Database | None:
    """Return the database that a service's machines hold, if any."""
    found = (mesh.machine(name).database for name in service.machines)
    return next((item for item in found if item is not None), None)


def tcp(
    mesh: model.Mesh,
    callee: model.Service,
    port: model.Port,
    target: probes.Address | probes.PodAddress,
    *,
    caller: str,
    sample: samples.Sql,
    timeout_ms: int,
) -> probes.Request:
    """Return a request to a port that is not HTTP: a login and one statement where a database is declared.

    The role is the one named like the caller, as the declaration's databases have it, or the first one.
    """
    database = database_of(mesh, callee)
    if port.protocol is not model.Protocol.POSTGRES or database is None:
        return probes.Request(kind=probes.Kind.TCP, target=target, timeout_ms=timeout_ms)
    user = caller if caller in database.users else next(iter(database.users), "postgres")
    return probes.Request(
        kind=probes.Kind.POSTGRES,
        target=target,
        user=user,
        database=database.name,
        query=sample.query,
        timeout_ms=timeout_ms,
    )


def any_request(
    mesh: model.Mesh,
    callee: model.Service,
    port: model.Port,
    target: probes.Address | probes.PodAddress,
    *,
    caller: str,
) -> probes.Request:
    """Return a request that is to be refused: it would be harmless if it were not."""
    if port.protocol.is_http:
        match = model.HttpMatch(method="GET", path=UNDECLARED_PATH)
        return http(target, match, samples.Http(), timeout_ms=REFUSED_TIMEOUT_MS)
    sample = samples.Sql()
    request = tcp(mesh, callee, port, target, caller=caller, sample=sample, timeout_ms=REFUSED_TIMEOUT_MS)
    return replace(request, send=FIRST_BYTES) if request.kind is probes.Kind.TCP else request


def endpoint(mesh: model.Mesh, service: model.Service, port: model.Port) -> probes.Address | probes.PodAddress:
    """Return where the service itself listens: a pod of it, or its first machine."""
    if service.workload is not None:
        return probes.PodAddress(namespace=service.namespace, labels=service.workload.labels, port=port.number)
    return probes.Address(host=mesh.machine(service.machines[0]).address, port=port.number)


def refusal(port: model.Port) -> expectations.Expectation:
    """Return how the server's proxy refuses on this port."""
    return expectations.forbidden() if port.protocol.is_http else expectations.closed()


def is_within_reach(
    mesh: model.Mesh, caller: sources.Identity, callee: model.Service, port: model.Port, *, by_pod: bool
) -> bool:
    """Whether packets of an undeclared caller get as far as the callee's proxy.

    Between pods of declared namespaces every port is open; before a machine stand its NSG, and the NetworkPolicy of
    the namespace from which a pod sends or the NSG of the machine that does, which lets called ports out only.
    """
    if callee.workload is not None:
        return by_pod or _leaves_for_pods(mesh, mesh.machine(caller.machine), callee, port)
    callers = [item for item, call in mesh.callers(callee.name) if call.port == port.name]
    if by_pod:
        let_in = any(item.workload is not None for item in callers)
        limited = caller.namespace in workloads.team_namespaces(mesh)
        let_out = not limited or any(item.namespace == caller.namespace for item in callers)
    else:
        let_in = let_out = any(caller.machine in item.machines for item in callers)
    inbound = positions.other_inbound(mesh, mesh.machine(callee.machines[0]))
    filtered = positions.egress_is_locked(mesh) and positions.calls_are_enforced(mesh)
    return (let_in or inbound is not guard.Inbound.REFUSED) and (let_out or not filtered)


def _leaves_for_pods(mesh: model.Mesh, machine: model.Machine, callee: model.Service, port: model.Port) -> bool:
    if overlay.is_apart(mesh):  # by the east-west gateway, which knows no port of a service from another
        own = any(overlay.calls_into_cluster(mesh, mesh.service(name)) for name in machine.services)
        return own and callee in overlay.passed_through(mesh)
    reaches = [item for item in dependencies.mesh_reach(mesh, machine) if item.cidr == mesh.network.pods]
    let_out = any(not item.ports or port.number in item.ports for item in reaches)
    return let_out or not positions.egress_is_locked(mesh)


def covers(match: model.HttpMatch, method: str, path: str) -> bool:
    """Whether a declared request allows this one.

    Source: istio/api security/v1/authorization_policy.proto, `paths`: exact, prefix, template or any.
    """
    if match.method not in {"*", method}:
        return False
    if requests.ONE_SEGMENT in match.path or requests.REST in match.path:
        pattern = re.escape(match.path).replace(re.escape(requests.REST), ".+")
        return re.fullmatch(pattern.replace(re.escape(requests.ONE_SEGMENT), "[^/]+"), path) is not None
    if match.path.endswith("*"):
        return path.startswith(match.path.removesuffix("*"))
    return path == match.path


def undeclared_method(matches: tuple[model.HttpMatch, ...], path: str) -> str | None:
    """Return a method that no declared request allows on ``path``, or ``None`` when every one is."""
    return next((method for method in _METHODS if not any(covers(item, method, path) for item in matches)), None)


def is_enforced(mesh: model.Mesh, service: model.Service) -> bool:
    """Whether the service refuses undeclared callers by now."""
    mode = mesh.phases.authorization_of(namespace=service.namespace, service=service.name)
    return mode is model.AuthorizationMode.ENFORCED
