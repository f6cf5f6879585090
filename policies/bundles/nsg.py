"""Network security group rules of each machine, from the same calls as everything else."""

from collections.abc import Iterable

from policies.bundles import dependencies, positions
from slipway.manifests import guard
from slipway.manifests.nsg import Access, Direction, NsgRule, Protocol
from slipway.mesh import azure_plan, model

FIRST_PRIORITY = 100
PRIORITY_STEP = 10
LAST_PRIORITY = 4096  # Source: Azure documentation, network-security-groups-overview: 100 to 4096.
DNS_PORT = 53
METADATA_PORT = 80
VAULT_PORT = 443
ARCHIVE_PORT = 443
_ANY = ("*",)

_Flow = tuple[str, Protocol, tuple[str, ...], tuple[str, ...]]


def _allowed(direction: Direction, flows: Iterable[_Flow]) -> list[NsgRule]:
    """Return one ALLOW per flow (name, protocol, blocks of the other side, ports), numbered in order."""
    return [
        NsgRule(
            name=name,
            priority=FIRST_PRIORITY + PRIORITY_STEP * index,
            direction=direction,
            access=Access.ALLOW,
            protocol=protocol,
            remote=remote,
            ports=ports,
        )
        for index, (name, protocol, remote, ports) in enumerate(flows)
    ]


def _denied(direction: Direction) -> NsgRule:
    return NsgRule(
        name=f"deny-{direction.value.lower()}",
        priority=LAST_PRIORITY,
        direction=direction,
        access=Access.DENY,
        protocol=Protocol.ANY,
        remote=_ANY,
        ports=_ANY,
        description="What the declaration does not state.",
    )


def _callers(mesh: model.Mesh, service: model.Service, port: model.Port) -> tuple[str, ...]:
    """Return the blocks from which declared callers of ``port`` come, sorted."""
    found = {
        block
        for caller, call in mesh.callers(service.name)
        if call.port == port.name
        for block in dependencies.sources(mesh, caller)
    }
    found |= {caller.network for caller, call in mesh.plain_calls(service.name) if call.port == port.name}
    if dependencies.routed_from_ingress(mesh, service, port):
        found.add(mesh.network.pods_seen_as)
    return tuple(sorted(found))


def _inbound(mesh: model.Mesh, machine: model.Machine) -> list[_Flow]:
    services = [mesh.service(name) for name in machine.services]
    ports = {port.number: (service, port) for service in services for port in service.ports}
    found: list[_Flow] = [
        (f"allow-in-{number}", Protocol.TCP, callers, (str(number),))
        for number, (service, port) in sorted(ports.items())
        if (callers := _callers(mesh, service, port))
    ]
    if machine.ssh is not None:
        found.append(("allow-ssh", Protocol.TCP, (machine.ssh.source,), (str(machine.ssh.port),)))
    return found


def _outbound(mesh: model.Mesh, machine: model.Machine) -> list[_Flow]:
    network = mesh.network
    dns, resolver = (str(DNS_PORT),), (dependencies.host_network(network.resolver),)
    found: list[_Flow] = [
        ("allow-dns-udp", Protocol.UDP, resolver, dns),
        ("allow-dns-tcp", Protocol.TCP, resolver, dns),
        ("allow-metadata", Protocol.TCP, (dependencies.host_network(network.metadata),), (str(METADATA_PORT),)),
    ]
    if network.vault:
        found.append(("allow-vault", Protocol.TCP, (dependencies.host_network(network.vault),), (str(VAULT_PORT),)))
    if archive := azure_plan.archive_address(mesh, machine):
        found.append(("allow-archive", Protocol.TCP, (dependencies.host_network(archive),), (str(ARCHIVE_PORT),)))
    for reach in dependencies.mesh_reach(mesh, machine):
        name = f"allow-mesh-{reach.cidr.replace('/', '-')}"
        found.append((name, Protocol.TCP, (reach.cidr,), tuple(map(str, reach.ports)) or _ANY))
    return found


def emit_nsg(mesh: model.Mesh, machine: model.Machine) -> tuple[NsgRule, ...]:
    """Return the rules of ``machine``: declared callers in, its own calls and what its platform needs out.

    Everything else is refused, inwards once every service of the machine is enforced, outwards once the way out is
    locked; until then Azure's default rules decide. The sidecar's own ports (15021, 15090) are never opened.
    Source: Azure documentation, network-security-groups-overview, "Default security rules".
    """
    rules = _allowed(Direction.INBOUND, _inbound(mesh, machine))
    if positions.other_inbound(mesh, machine) is guard.Inbound.REFUSED:
        rules.append(_denied(Direction.INBOUND))
    rules += _allowed(Direction.OUTBOUND, _outbound(mesh, machine))
    if positions.egress_is_locked(mesh):
        rules.append(_denied(Direction.OUTBOUND))
    return tuple(rules)
