"""How a service's port is spoken to."""

import re

from slipway.mesh import model, requests
from slipway.rollout import expectations, probes, samples

_METHODS = ("DELETE", "PATCH", "PUT", "POST", "GET")
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
    return tcp(mesh, callee, port, target, caller=caller, sample=sample, timeout_ms=REFUSED_TIMEOUT_MS)


def endpoint(mesh: model.Mesh, service: model.Service, port: model.Port) -> probes.Address | probes.PodAddress:
    """Return where the service itself listens: a pod of it, or its first machine."""
    if service.workload is not None:
        return probes.PodAddress(namespace=service.namespace, labels=service.workload.labels, port=port.number)
    return probes.Address(host=mesh.machine(service.machines[0]).address, port=port.number)


def refusal(port: model.Port) -> expectations.Expectation:
    """Return how the server's proxy refuses on this port."""
    return expectations.forbidden() if port.protocol.is_http else expectations.closed()


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
