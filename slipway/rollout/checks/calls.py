"""Calls between services: the declared ones work, every other one is refused, at the caller and by the server."""

import itertools
from collections.abc import Iterator

from policies.bundles import positions
from slipway.mesh import model
from slipway.rollout import expectations, probes, samples, sources
from slipway.rollout.checks import spoken
from slipway.rollout.checks.check import Check, Group


def emit_declared(mesh: model.Mesh, known: samples.Samples) -> Iterator[Check]:
    """Yield every declared call, from each identity of the caller, by each name, for each declared request."""
    for caller in mesh.services:
        for identity, call in itertools.product(sources.identities(mesh, caller), caller.service_calls):
            callee = mesh.service(call.service)
            source = sources.Source(manner=sources.Manner.APPLICATION, identity=identity)
            for name in _names(callee, identity):
                yield from _declared(mesh, known, source, call, name)


def _declared(
    mesh: model.Mesh, known: samples.Samples, source: sources.Source, call: model.ServiceCall, name: str
) -> Iterator[Check]:
    callee = mesh.service(call.service)
    port = callee.port(call.port)
    # Names of today lead to the workload's own ports, translated by nothing.
    target = probes.Address(host=name, port=port.number if name in callee.names else port.service_port)
    if not port.protocol.is_http:
        sample = known.sql.get(callee.name, samples.Sql())
        caller = source.identity.service if source.identity else ""
        request = spoken.tcp(
            mesh, callee, port, target, caller=caller, sample=sample, timeout_ms=spoken.WORKS_TIMEOUT_MS
        )
        expected = expectations.stays_open()
        if request.kind is probes.Kind.POSTGRES:
            expected = expectations.selects(sample.answer)
        yield Check(group=Group.DECLARED, source=source, told=str(target), request=request, expected=expected)
        return
    for match in call.http or (model.HttpMatch(method="*", path="*"),):
        declared = f"{match.method} {match.path}"
        sample = known.http.get((callee.name, declared))
        yield Check(
            group=Group.DECLARED,
            source=source,
            told=f"{target} {declared}",
            request=spoken.http(
                target,
                match,
                sample or samples.Http(),
                timeout_ms=spoken.WORKS_TIMEOUT_MS,
                headers=tuple((header, values[0]) for header, values in call.headers),
            ),
            expected=expectations.works("200", contains=sample.answer) if sample else expectations.works(),
        )


def _names(callee: model.Service, caller: sources.Identity) -> tuple[str, ...]:
    """Return the names by which a caller may call: short ones only where Kubernetes' search list applies."""
    names = [callee.host, *callee.names]
    if not caller.machine:
        short = callee.host.split(".", maxsplit=1)[0]
        names.append(f"{short}.{callee.namespace}")
        if caller.namespace == callee.namespace:
            names.append(short)
    return tuple(sorted(names))


def emit_undeclared(mesh: model.Mesh) -> Iterator[Check]:
    """Yield every pair that nobody declared: as the caller is, by name and by address, and with its scope opened."""
    narrowed = positions.scope_is_narrowed(mesh)
    application, opened = sources.Manner.APPLICATION, sources.Manner.OPENED
    for caller, callee in itertools.permutations(mesh.services, 2):
        called = {call.port for call in caller.service_calls if call.service == callee.name}
        for identity, port in itertools.product(sources.identities(mesh, caller), callee.ports):
            if port.name in called or not spoken.is_enforced(mesh, callee):
                continue
            by_name = probes.Address(host=callee.host, port=port.service_port)
            at_caller = expectations.unknown_to_caller()
            by_address = spoken.endpoint(mesh, callee, port)
            expected = {by_name: at_caller, by_address: at_caller}
            if not narrowed or called:  # by its name it is known, while an address means nothing to a sidecar
                own = _by_server(mesh, identity, callee, port, by_pod=not identity.machine)
                expected = {by_name: own, by_address: expectations.either(own.told, own, at_caller)}
            for target, refused in expected.items():
                yield _refused(mesh, Group.CALLER, application, identity, callee, port, target, refused)
            by_server = _by_server(mesh, identity, callee, port, by_pod=True)
            yield _refused(mesh, Group.SERVER, opened, identity, callee, port, by_name, by_server)


def _by_server(
    mesh: model.Mesh, identity: sources.Identity, callee: model.Service, port: model.Port, *, by_pod: bool
) -> expectations.Expectation:
    """Return how the callee's proxy refuses, or that packet filters before it do."""
    reached = spoken.is_within_reach(mesh, identity, callee, port, by_pod=by_pod)
    return spoken.refusal(port) if reached else expectations.kept_out()


def _refused(  # noqa: PLR0917 - the columns of one line
    mesh: model.Mesh,
    group: Group,
    manner: sources.Manner,
    identity: sources.Identity,
    callee: model.Service,
    port: model.Port,
    target: probes.Address | probes.PodAddress,
    expected: expectations.Expectation,
) -> Check:
    return Check(
        group=group,
        source=sources.Source(manner=manner, identity=identity),
        told=str(target),
        request=spoken.any_request(mesh, callee, port, target, caller=identity.service),
        expected=expected,
    )


def emit_wrong_requests(mesh: model.Mesh) -> Iterator[Check]:
    """Yield a method and a path that are not declared, on calls that are otherwise allowed."""
    for caller in mesh.services:
        for identity, call in itertools.product(sources.identities(mesh, caller), caller.service_calls):
            callee = mesh.service(call.service)
            if call.http and spoken.is_enforced(mesh, callee):
                yield from _wrong_requests(caller, identity, call, callee)


def _wrong_requests(
    caller: model.Service, identity: sources.Identity, call: model.ServiceCall, callee: model.Service
) -> Iterator[Check]:
    matches = tuple(
        match
        for other in caller.service_calls
        if (other.service, other.port) == (call.service, call.port)
        for match in other.http
    )
    target = probes.Address(host=callee.host, port=callee.port(call.port).service_port)
    source = sources.Source(manner=sources.Manner.APPLICATION, identity=identity)
    wrong: list[tuple[Group, str, str]] = []
    for match in call.http:
        path = spoken.http(target, match, samples.Http(), timeout_ms=spoken.REFUSED_TIMEOUT_MS).path
        method = spoken.undeclared_method(matches, path)
        if method is not None:
            wrong.append((Group.METHOD, method, path))
        method = "GET" if match.method == "*" else match.method
        if not any(spoken.covers(item, method, spoken.UNDECLARED_PATH) for item in matches):
            wrong.append((Group.PATH, method, spoken.UNDECLARED_PATH))
    for group, method, path in dict.fromkeys(wrong):
        match = model.HttpMatch(method=method, path=path)
        request = spoken.http(target, match, samples.Http(), timeout_ms=spoken.REFUSED_TIMEOUT_MS)
        told = f"{target} {method} {path}"
        yield Check(group=group, source=source, told=told, request=request, expected=expectations.forbidden())
