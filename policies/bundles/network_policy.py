"""NetworkPolicy: what leaves a pod, whether or not it goes through the sidecar."""

import ipaddress
from collections.abc import Sequence
from typing import Any

from policies.bundles import dependencies, gateways, objects, positions, workloads
from slipway.manifests.manifest import Manifest
from slipway.mesh import model

DNS_PORT = 53
_NAMESPACE_LABEL = "kubernetes.io/metadata.name"  # Source: Kubernetes, well-known labels; set on every namespace.
_PRIVATE_USE = ("169.254.0.0/16",)  # Link-local: the platform's metadata endpoint and the node's own addresses.


def _ports(*numbers: int, protocol: str = "TCP") -> list[dict[str, Any]]:
    return [{"protocol": protocol, "port": number} for number in numbers]


def _in_namespace(namespace: str, labels: dict[str, str] | None = None) -> dict[str, Any]:
    """Return the peer that is every pod of ``namespace``, or those with ``labels``."""
    peer: dict[str, Any] = {"namespaceSelector": {"matchLabels": {_NAMESPACE_LABEL: namespace}}}
    return peer if labels is None else {**peer, "podSelector": {"matchLabels": labels}}


def _in_namespaces(names: Sequence[str]) -> dict[str, Any]:
    """Return the peer that is every pod of some namespaces: one expression, since a peer each would fill pages."""
    expression = {"key": _NAMESPACE_LABEL, "operator": "In", "values": list(names)}
    return {"namespaceSelector": {"matchExpressions": [expression]}}


def _infrastructure(mesh: model.Mesh) -> list[dict[str, Any]]:
    """Return what every proxy needs: names, its configuration and certificate, somewhere to send spans."""
    found = [
        {
            "to": [_in_namespace("kube-system", {"k8s-app": "kube-dns"})],
            "ports": [*_ports(DNS_PORT, protocol="UDP"), *_ports(DNS_PORT)],
        },
        {
            "to": [_in_namespace(gateways.ISTIO_NAMESPACE, {"app": "istiod"})],
            "ports": _ports(gateways.CONTROL_PLANE_PORT),
        },
    ]
    if mesh.tracing is not None:
        found.append({"to": [_in_namespace(mesh.tracing.namespace)], "ports": _ports(mesh.tracing.port)})
    return found


def _policy(*, namespace: str, selector: dict[str, Any], declared_at: str, egress: list[dict[str, Any]]) -> Manifest:
    return objects.manifest(
        "NetworkPolicy",
        name="slipway-egress",
        namespace=namespace,
        declared_at=declared_at,
        spec={"podSelector": selector, "policyTypes": ["Egress"], "egress": egress},
    )


def _machines(mesh: model.Mesh, callers: Sequence[model.Service]) -> list[dict[str, Any]]:
    """Return one rule per machine in reach: its called ports, or all while servers still take undeclared calls."""
    ports: dict[str, set[int]] = {}
    for caller in callers:
        for callee, port in dependencies.called_ports(mesh, caller):
            for name in callee.machines:
                ports.setdefault(mesh.machine(name).address, set()).add(port.number)
    if not positions.calls_are_enforced(mesh):
        ports = {item.address: set() for item in mesh.machines}
    return [
        {
            "to": [{"ipBlock": {"cidr": dependencies.host_network(address)}}],
            **({"ports": _ports(*sorted(numbers))} if numbers else {}),
        }
        for address, numbers in sorted(ports.items(), key=lambda item: ipaddress.IPv4Address(item[0]))
    ]


def _declared(mesh: model.Mesh, namespace: str, pods: dict[str, Any]) -> Manifest:
    services = mesh.services_in(namespace)
    egress = [*_infrastructure(mesh), {"to": [pods]}, *_machines(mesh, services)]
    if any(item.external_calls for item in services):
        gateway = _in_namespace(gateways.EGRESS.namespace, gateways.EGRESS.selector)
        egress.append({"to": [gateway], "ports": _ports(gateways.EGRESS_PORT)})
    declared_at = objects.namespace_clause(mesh, namespace)
    return _policy(namespace=namespace, selector={}, declared_at=declared_at, egress=egress)


def _outside(mesh: model.Mesh) -> dict[str, Any]:
    """Return everything that is neither the mesh nor its platform."""
    network = mesh.network
    hosts = [item for item in (network.resolver, network.metadata, network.vault) if item]
    hosts += [item for item in (network.control_plane, network.ingress, network.egress) if item]
    networks = [network.pods, network.services, network.nodes, network.machines, network.infrastructure]
    blocks = [*filter(None, networks), *_PRIVATE_USE]
    inside = [*map(ipaddress.IPv4Network, blocks), *map(ipaddress.IPv4Network, hosts)]
    return {"ipBlock": {"cidr": "0.0.0.0/0", "except": [str(item) for item in ipaddress.collapse_addresses(inside)]}}


def _egress_gateway(mesh: model.Mesh) -> Manifest:
    called = {call.external for item in mesh.services for call in item.external_calls}
    ports = sorted({mesh.external(name).target[1] for name in called})
    return _policy(
        namespace=gateways.EGRESS.namespace,
        selector={},
        declared_at=gateways.clause(mesh, gateways.EGRESS),
        egress=[*_infrastructure(mesh), {"to": [_outside(mesh)], "ports": _ports(*ports)}],
    )


def _ingress_gateway(mesh: model.Mesh) -> Manifest:
    routed = sorted({(route.service, route.port) for host in mesh.ingress for route in host.routes})
    egress = _infrastructure(mesh)
    for name, port_name in routed:
        service = mesh.service(name)
        peers = [{"ipBlock": {"cidr": dependencies.host_network(mesh.machine(m).address)}} for m in service.machines]
        if service.workload is not None:
            peers.append(_in_namespace(service.namespace, service.selector))
        egress.append({"to": peers, "ports": _ports(service.port(port_name).number)})
    return _policy(
        namespace=gateways.INGRESS.namespace,
        selector={},
        declared_at=gateways.clause(mesh, gateways.INGRESS),
        egress=egress,
    )


def emit_network_policies(mesh: model.Mesh) -> tuple[Manifest, ...]:
    """Return the limit of outgoing packets per namespace with pods, once the way out is locked; before that, none.

    Addresses are those after the Service's translation: pods and machines. Between declared namespaces every port is
    open here, and who may come in is left to the server's authorization, which knows identities; this is the net
    below a sidecar that was bypassed.
    Source: Kubernetes, network policies; kube-router sees packets behind kube-proxy's translation.
    """
    if not positions.egress_is_locked(mesh):
        return ()
    teams = workloads.team_namespaces(mesh)
    pods = _in_namespaces(teams)
    found = [_declared(mesh, name, pods) for name in teams]
    if gateways.egress_is_used(mesh):
        found.append(_egress_gateway(mesh))
    if mesh.ingress:
        found.append(_ingress_gateway(mesh))
    return tuple(found)
