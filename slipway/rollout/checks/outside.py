"""Traffic that leaves: declared hosts through the egress gateway, everything else nowhere, not past the sidecar."""

from collections.abc import Iterator
from dataclasses import replace

from policies.bundles import gateways, positions, workloads
from slipway.mesh import model
from slipway.rollout import expectations, probes, sources
from slipway.rollout.checks import spoken
from slipway.rollout.checks.check import Check, Group, Outside

_PING = "slipway verify"
_HTTPS_PORT, _DNS_PORT = 443, 53


def emit_outside(mesh: model.Mesh, outside: Outside) -> Iterator[Check]:
    """Yield what each identity may and may not reach outside, through its sidecar."""
    locked = positions.egress_is_locked(mesh)
    for identity in sources.all_identities(mesh):
        source = sources.Source(manner=sources.Manner.APPLICATION, identity=identity)
        called = {call.external for call in mesh.service(identity.service).external_calls}
        for host in mesh.externals:
            if host.name in called:
                yield _declared(source, host, locked=locked)
            elif locked:
                yield from _undeclared(identity, host)
        if locked:
            yield from _closed_ways(Group.OUTSIDE, source, mesh, outside, expectations.not_sent())


def emit_gateway(mesh: model.Mesh) -> Iterator[Check]:
    """Yield every identity at the egress gateway itself, whatever its own sidecar would have let it do."""
    if not positions.egress_is_locked(mesh):
        return
    for identity in sources.all_identities(mesh):
        source = sources.Source(manner=sources.Manner.CERTIFICATE, identity=identity)
        called = {call.external for call in mesh.service(identity.service).external_calls}
        for host in _by_sni(mesh):
            request = _through_gateway(host)
            group = Group.OUTSIDE if host.name in called else Group.OUTSIDE_CALLER
            reached = bool(mesh.external_callers(host.name)) and _reaches_gateway(mesh, identity.namespace)
            expected = expectations.closed() if reached else expectations.nothing()
            if host.name in called:
                expected = expectations.answers(told="200 through the egress gateway", through_egress=True)
            yield _check(group, source, f"the egress gateway for {host.host}", request, expected)


def _reaches_gateway(mesh: model.Mesh, namespace: str) -> bool:
    """Whether a NetworkPolicy lets pods of a namespace send to the egress gateway: where any of them has to."""
    limited = namespace in workloads.team_namespaces(mesh)
    return not limited or any(item.external_calls for item in mesh.services_in(namespace))


def _by_sni(mesh: model.Mesh) -> list[model.ExternalHost]:
    """Return the hosts that the gateway knows by the name in the caller's own TLS."""
    tls = model.ExternalProtocol.TLS
    return [host for host in mesh.externals if host.protocol is tls and not host.host.startswith("*.")]


def _through_gateway(host: model.ExternalHost) -> probes.Request:
    """Return a request to the gateway: TLS to the host inside of mutual TLS with the identity's certificate."""
    return probes.Request(
        kind=probes.Kind.HTTP,
        target=probes.Address(host=gateways.EGRESS.host, port=gateways.EGRESS_PORT),
        tls=probes.Tls(
            sni=host.host,
            certificate=sources.CERTIFICATE_FILE,
            key=sources.KEY_FILE,
            unverified=True,
            inside=probes.Tls(sni=host.host, unverified=True),
        ),
        host=host.host,
        timeout_ms=spoken.REFUSED_TIMEOUT_MS,
    )


def emit_bypass(mesh: model.Mesh, outside: Outside) -> Iterator[Check]:
    """Yield the same past the sidecar: from pods without one, and as the sidecar's own user."""
    if not positions.egress_is_locked(mesh):
        return
    senders = [
        sources.Source(manner=sources.Manner.BARE, namespace=namespace) for namespace in sources.bare_namespaces(mesh)
    ]
    senders += [
        sources.Source(manner=sources.Manner.PROXY_USER, identity=identity)
        for identity in sources.all_identities(mesh)
        if identity.machine or mesh.service(identity.service).external_calls
    ]
    for source in senders:
        for host in _known(mesh, outside):
            address = probes.Address(host=outside.addresses[host.host], port=host.port)
            request = _request(host, address)
            yield _check(Group.BYPASS, source, f"{host.host} at {address}", request, expectations.nothing())
        yield from _closed_ways(Group.BYPASS, source, mesh, outside, expectations.nothing())
        if source.manner is sources.Manner.BARE:
            yield from _gateway_without_identity(source, mesh)
        elif source.identity is not None and source.identity.machine and mesh.network.overlay:
            yield from _pods_by_address(source, mesh)


def _pods_by_address(source: sources.Source, mesh: model.Mesh) -> Iterator[Check]:
    """Yield a pod of each service by its own address, which a machine has no way to where pods are in an overlay."""
    for service in mesh.services:
        workload = service.workload
        if workload is None:
            continue
        for port in service.ports:
            target = probes.PodAddress(namespace=service.namespace, labels=workload.labels, port=port.number)
            request = probes.Request(kind=probes.Kind.TCP, target=target, timeout_ms=spoken.REFUSED_TIMEOUT_MS)
            yield _check(Group.BYPASS, source, f"a pod's own address, {target}", request, expectations.nothing())


def _declared(source: sources.Source, host: model.ExternalHost, *, locked: bool) -> Check:
    target = probes.Address(host=_name(host), port=host.port)
    if host.protocol is model.ExternalProtocol.TCP:
        return _check(Group.OUTSIDE, source, str(target), _request(host, target), expectations.stays_open())
    expected = expectations.answers(told="200 through the egress gateway" if locked else "200", through_egress=locked)
    return _check(Group.OUTSIDE, source, target.host, _request(host, target, trusted=True), expected)


def _undeclared(identity: sources.Identity, host: model.ExternalHost) -> Iterator[Check]:
    target = probes.Address(host=_name(host), port=host.port)
    for manner in (sources.Manner.APPLICATION, sources.Manner.OPENED):
        source = sources.Source(manner=manner, identity=identity)
        request = replace(_request(host, target), send=_first_bytes(host))
        yield _check(Group.OUTSIDE_CALLER, source, target.host, request, _not_sent(host))


def _first_bytes(host: model.ExternalHost) -> str:
    return spoken.FIRST_BYTES if host.protocol is model.ExternalProtocol.TCP else ""


def _not_sent(host: model.ExternalHost) -> expectations.Expectation:
    """Return how a call to a host is refused: over HTTP by an answer of the caller's proxy or of the gateway's."""
    refused = expectations.not_sent()
    if host.protocol is not model.ExternalProtocol.HTTP:
        return refused
    return expectations.either(refused.told, refused, expectations.unknown_to_caller(), expectations.forbidden())


def _known(mesh: model.Mesh, outside: Outside) -> list[model.ExternalHost]:
    """Return the declared hosts whose address is known here."""
    return [host for host in mesh.externals if host.host in outside.addresses]


def _name(host: model.ExternalHost) -> str:
    """Return a name under which callers ask for the host: for a wildcard, one that it covers."""
    return f"slipway-verify.{host.host[2:]}" if host.host.startswith("*.") else host.host


def _closed_ways(
    group: Group, source: sources.Source, mesh: model.Mesh, outside: Outside, expected: expectations.Expectation
) -> Iterator[Check]:
    """Yield what nobody may reach: a host, an address without a name, a port, UDP, a resolver."""
    forbidden = outside.forbidden
    by_name = source.manner is sources.Manner.APPLICATION
    host = forbidden.host if by_name else outside.forbidden_address
    target = probes.Address(host=host, port=forbidden.port)
    yield _check(group, source, f"forbidden {target}", _https(target, sni=forbidden.host), expected)
    for external in _known(mesh, outside):
        address = outside.addresses[external.host]
        bare = probes.Address(host=address, port=external.port)
        yield _check(group, source, f"{bare} without a name", _https(bare, sni=""), expected)
        other = probes.Address(host=external.host if by_name else address, port=outside.other_port)
        yield _check(group, source, f"other port {other}", _https(other, sni=external.host), expected)
        udp = probes.Address(host=address, port=_HTTPS_PORT)
        request = probes.Request(kind=probes.Kind.UDP, target=udp, send=_PING, timeout_ms=spoken.REFUSED_TIMEOUT_MS)
        yield _check(group, source, f"UDP {udp}", request, expectations.nothing())
    resolver = probes.Address(host=outside.resolver, port=_DNS_PORT)
    request = probes.Request(
        kind=probes.Kind.DNS, target=resolver, query=outside.resolver_name, timeout_ms=spoken.REFUSED_TIMEOUT_MS
    )
    yield _check(group, source, f"DNS at {resolver}", request, expectations.nothing())


def _gateway_without_identity(source: sources.Source, mesh: model.Mesh) -> Iterator[Check]:
    """Yield the egress gateway itself, asked for a declared host by somebody without a certificate."""
    for external in _by_sni(mesh):
        target = probes.Address(host=gateways.EGRESS.host, port=gateways.EGRESS_PORT)
        told = f"the egress gateway for {external.host}, without a certificate"
        yield _check(Group.BYPASS, source, told, _https(target, sni=external.host), expectations.no_certificate())


def _request(host: model.ExternalHost, target: probes.Address, *, trusted: bool = False) -> probes.Request:
    """Return a request as callers of the host send it."""
    if host.protocol is model.ExternalProtocol.TLS:
        return _https(target, sni=_name(host), trusted=trusted)
    timeout_ms = spoken.WORKS_TIMEOUT_MS if trusted else spoken.REFUSED_TIMEOUT_MS
    kind = probes.Kind.HTTP if host.protocol is model.ExternalProtocol.HTTP else probes.Kind.TCP
    return probes.Request(kind=kind, target=target, host=_name(host), timeout_ms=timeout_ms)


def _https(target: probes.Address, *, sni: str, trusted: bool = False) -> probes.Request:
    return probes.Request(
        kind=probes.Kind.HTTP,
        target=target,
        tls=probes.Tls(sni=sni, unverified=not trusted),
        host=sni or target.host,
        timeout_ms=spoken.WORKS_TIMEOUT_MS if trusted else spoken.REFUSED_TIMEOUT_MS,
    )


def _check(
    group: Group,
    source: sources.Source,
    told: str,
    request: probes.Request,
    expected: expectations.Expectation,
) -> Check:
    return Check(group=group, source=source, told=told, request=request, expected=expected)
