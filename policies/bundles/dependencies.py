"""Who sends what where: the calls of the declaration as addresses and ports."""

import ipaddress
from collections.abc import Iterable
from dataclasses import dataclass

from policies.bundles import gateways, overlay, positions
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
    """Return where machines reach ``port`` of ``service``, as the packet is addressed: pods, gateway and machines."""
    found = [Reach(cidr=host_network(mesh.machine(name).address), ports=(port.number,)) for name in service.machines]
    if service.workload is not None and overlay.is_apart(mesh):
        found.append(_doors(mesh).pods)
    elif service.workload is not None:
        found.append(Reach(cidr=mesh.network.pods, ports=(port.number,)))
    return merged(found)


def sources(mesh: model.Mesh, service: model.Service) -> tuple[str, ...]:
    """Return the blocks from which ``service``'s own connections come to machines, sorted."""
    found = {host_network(mesh.machine(name).address) for name in service.machines}
    if service.workload is not None:
        found.add(mesh.network.pods_seen_as)
    return tuple(sorted(found, key=ipaddress.IPv4Network))


def tracing_host(tracing: model.Tracing) -> str:
    """Return the Zipkin Service's name."""
    return f"{tracing.service}.{tracing.namespace}.svc.cluster.local"


def routed_from_ingress(mesh: model.Mesh, service: model.Service, port: model.Port) -> bool:
    """Whether the ingress gateway sends requests to this port."""
    return mesh.is_routed(service.name, port.name)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Doors:
    """Where machines' packets go: to any pod, to the egress gateway, to the tracing service."""

    pods: Reach
    egress: Reach
    traces: Reach


def _doors(mesh: model.Mesh) -> _Doors:
    pods = mesh.network.pods
    if not overlay.is_apart(mesh):
        spans = () if mesh.tracing is None else (mesh.tracing.port,)
        return _Doors(
            pods=Reach(cidr=pods, ports=()),
            egress=Reach(cidr=pods, ports=(gateways.EGRESS_PORT,)),
            traces=Reach(cidr=pods, ports=spans),
        )
    balancer = host_network(mesh.network.control_plane)
    return _Doors(
        pods=Reach(cidr=balancer, ports=(overlay.PASSTHROUGH_PORT,)),
        egress=Reach(cidr=host_network(mesh.network.egress), ports=(gateways.EGRESS_PORT,)),
        traces=Reach(cidr=balancer, ports=(overlay.TRACES_PORT,)),
    )


def mesh_reach(mesh: model.Mesh, machine: model.Machine) -> tuple[Reach, ...]:
    """Return every address and port inside the mesh that ``machine``'s sidecar needs.

    Envoy connects to endpoints, never to Service addresses; load balancers made for machines are the exception.
    While undeclared calls are not refused by servers, every pod and machine is within reach.
    """
    doors = _doors(mesh)
    found = [Reach(cidr=host_network(mesh.network.control_plane), ports=(gateways.CONTROL_PLANE_PORT,))]
    if mesh.tracing is not None:
        found.append(doors.traces)
    if not positions.calls_are_enforced(mesh):
        others = [host_network(item.address) for item in mesh.machines if item.name != machine.name]
        found += [doors.pods, *(Reach(cidr=cidr, ports=()) for cidr in others)]
    for service in map(mesh.service, machine.services):
        if service.external_calls:
            found.append(doors.egress)
        for callee, port in called_ports(mesh, service):
            found.extend(endpoints(mesh, callee, port))
    return merged(found)
