"""Who sends what where: the calls of the declaration as addresses and ports."""

import ipaddress
from collections.abc import Iterable

from policies.bundles import gateways, positions
from slipway.manifests.guard import Reach
from slipway.mesh import model


def called_ports(mesh: model.Mesh, service: model.Service) -> tuple[tuple[model.Service, model.Port], ...]:
    """Return the services and ports that ``service`` calls, sorted, each once."""
    found = {(call.service, call.port) for call in service.service_calls}
    return tuple((mesh.service(callee), mesh.service(callee).port(port)) for callee, port in sorted(found))


def host_network(address: str) -> str:
    """Return the block that holds one IPv4 address."""
    return f"{address}/32"


def merged(reaches: Iterable[Reach]) -> tuple[Reach, ...]:
    """Return one entry per block, sorted by block and port; an entry for every port (no ports) swallows others."""
    found: dict[str, set[int] | None] = {}
    for reach in reaches:
        known = found.setdefault(reach.cidr, set())
        found[reach.cidr] = None if known is None or not reach.ports else known | set(reach.ports)
    ordered = sorted(found.items(), key=lambda item: ipaddress.IPv4Network(item[0]))
    return tuple(Reach(cidr=cidr, ports=tuple(sorted(ports or ()))) for cidr, ports in ordered)


def endpoints(mesh: model.Mesh, service: model.Service, port: model.Port) -> tuple[Reach, ...]:
    """Return where ``service`` listens on ``port``: the pods' block and its machines, as the packet is addressed."""
    found = [Reach(cidr=host_network(mesh.machine(name).address), ports=(port.number,)) for name in service.machines]
    if service.workload is not None:
        found.append(Reach(cidr=mesh.network.pods, ports=(port.number,)))
    return merged(found)


def sources(mesh: model.Mesh, service: model.Service) -> tuple[str, ...]:
    """Return the blocks from which ``service``'s own connections come, sorted."""
    found = {host_network(mesh.machine(name).address) for name in service.machines}
    if service.workload is not None:
        found.add(mesh.network.pods)
    return tuple(sorted(found, key=ipaddress.IPv4Network))


def tracing_host(tracing: model.Tracing) -> str:
    """Return the Zipkin Service's name."""
    return f"{tracing.service}.{tracing.namespace}.svc.cluster.local"


def routed_from_ingress(mesh: model.Mesh, service: model.Service, port: model.Port) -> bool:
    """Whether the ingress gateway sends requests to this port."""
    return mesh.is_routed(service.name, port.name)


def mesh_reach(mesh: model.Mesh, machine: model.Machine) -> tuple[Reach, ...]:
    """Return every address and port inside the mesh that ``machine``'s sidecar needs.

    Envoy connects to endpoints, never to Service addresses; the control plane's load balancer is the exception.
    While undeclared calls are not refused by servers, every pod and machine is within reach.
    """
    pods = mesh.network.pods
    found = [Reach(cidr=host_network(mesh.network.control_plane), ports=(gateways.CONTROL_PLANE_PORT,))]
    if mesh.tracing is not None:
        found.append(Reach(cidr=pods, ports=(mesh.tracing.port,)))
    if not positions.calls_are_enforced(mesh):
        others = [host_network(item.address) for item in mesh.machines if item.name != machine.name]
        found.extend(Reach(cidr=cidr, ports=()) for cidr in (pods, *others))
    for service in map(mesh.service, machine.services):
        if service.external_calls:
            found.append(Reach(cidr=pods, ports=(gateways.EGRESS_PORT,)))
        for callee, port in called_ports(mesh, service):
            found.extend(endpoints(mesh, callee, port))
    return merged(found)
