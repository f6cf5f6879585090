"""What a machine must not do while its sidecar is dead or not there yet: take connections, or send any."""

from collections.abc import Container, Iterator

from slipway.mesh import model
from slipway.rollout import expectations, probes, sources
from slipway.rollout.checks import spoken
from slipway.rollout.checks.check import Check, Group, Outside

BOOT_TIMEOUT_MS = 700


def emit_inbound(mesh: model.Mesh, machine: model.Machine, group: Group) -> Iterator[Check]:
    """Yield plain requests to each port of the machine, from pods without sidecar and from the node."""
    senders = [
        *(sources.Source(manner=sources.Manner.BARE, namespace=name) for name in sources.bare_namespaces(mesh)),
        sources.Source(manner=sources.Manner.NODE),
    ]
    for service in map(mesh.service, machine.services):
        for port in service.ports:
            target = probes.Address(host=machine.address, port=port.number)
            for source in senders:
                request = spoken.any_request(mesh, service, port, target, caller=service.name)
                yield Check(
                    group=group, source=source, told=str(target), request=request, expected=expectations.nothing()
                )


def emit_outbound(mesh: model.Mesh, machine: model.Machine, group: Group, internet: Outside) -> Iterator[Check]:
    """Yield what the machine's own programs would send: to the internet, to a resolver there, to what it calls."""
    source = _application(mesh, machine)
    targets = [
        (f"{host} at {address}", probes.Address(host=address, port=mesh_port))
        for host, address in sorted(internet.addresses.items())
        for mesh_port in sorted({item.port for item in mesh.externals if item.host == host})
    ]
    forbidden = probes.Address(host=internet.forbidden_address, port=internet.forbidden.port)
    targets.append((f"forbidden {forbidden}", forbidden))
    for told, target in targets:
        tls = probes.Tls(sni="", unverified=True)
        request = probes.Request(kind=probes.Kind.HTTP, target=target, tls=tls, timeout_ms=spoken.REFUSED_TIMEOUT_MS)
        yield Check(group=group, source=source, told=told, request=request, expected=expectations.nothing())
    resolver = probes.Address(host=internet.resolver, port=53)
    request = probes.Request(
        kind=probes.Kind.DNS, target=resolver, query=internet.resolver_name, timeout_ms=spoken.REFUSED_TIMEOUT_MS
    )
    yield Check(
        group=group, source=source, told=f"DNS at {resolver}", request=request, expected=expectations.nothing()
    )
    for service in map(mesh.service, machine.services):
        for call in service.service_calls:
            callee = mesh.service(call.service)
            port = callee.port(call.port)
            address = spoken.endpoint(mesh, callee, port)
            request = spoken.any_request(mesh, callee, port, address, caller=service.name)
            yield Check(group=group, source=source, told=str(address), request=request, expected=_kept_in(port))


def _kept_in(port: model.Port) -> expectations.Expectation:
    """Expect that nothing leaves: over HTTP a sidecar that is back may say so, since an address is no name to it."""
    nothing = expectations.nothing()
    if not port.protocol.is_http:
        return nothing
    return expectations.either(nothing.told, nothing, expectations.unknown_to_caller())


def _application(mesh: model.Mesh, machine: model.Machine) -> sources.Source:
    service = mesh.service(machine.services[0])
    identity = next(item for item in sources.identities(mesh, service) if item.machine == machine.name)
    return sources.Source(manner=sources.Manner.APPLICATION, identity=identity)


def concerns(item: Check, hosts: Container[str]) -> bool:
    """Whether a check's source is a machine, or its destination one of ``hosts``."""
    identity, target = item.source.identity, item.request.target
    to_machine = isinstance(target, probes.Address) and target.host in hosts
    return to_machine or (identity is not None and bool(identity.machine))
