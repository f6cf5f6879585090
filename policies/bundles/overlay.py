"""Pods in an overlay, beside machines: two networks of one mesh, and the doors between them.

Machines have no way to pods' addresses. What they call in the cluster they reach at the east-west gateway, which
passes mutual TLS on by the name of a service in it and decides nothing: that service alone decides who may call.
It takes no other names, so the egress gateway and the tracing service have names and addresses of their own for
machines. Pods reach machines directly, since the network of machines has no gateway: their packets leave with the
node's address.
Source: istio/istio 1.29.1 pilot/pkg/xds/endpoints/ep_filters.go, `EndpointsByNetworkFilter` (a network without a
gateway is reached directly, endpoints without mutual TLS are left out), pilot/pkg/networking/core/gateway.go,
`builtAutoPassthroughFilterChains` (no authorization, and only names of clusters).
"""

from typing import Any

from policies.bundles import positions
from slipway.mesh import model, names

NETWORK_LABEL = "topology.istio.io/network"
PASSTHROUGH_PORT = 15443  # Source: istio/istio 1.29.1 pilot/pkg/serviceregistry/kube/controller/network.go
TRACES_PORT = 9411  # at the east-west gateway, whatever the tracing service's own port is
EGRESS_HOST = "egress.machines.internal"
TRACES_HOST = "traces.machines.internal"


def is_apart(mesh: model.Mesh) -> bool:
    """Whether machines and pods are in networks of their own."""
    return mesh.network.overlay and bool(mesh.machines)


def passed_through(mesh: model.Mesh) -> tuple[model.Service, ...]:
    """Return the services in the cluster that machines reach by the east-west gateway, sorted by name.

    Those that services on machines call; all declared ones while servers still take undeclared calls.
    """
    if not is_apart(mesh):
        return ()
    called = {call.service for item in mesh.services if item.machines for call in item.service_calls}
    enforced = positions.calls_are_enforced(mesh)
    chosen = (item for item in mesh.services if item.workload is not None and item.ports)
    return tuple(item for item in sorted(chosen, key=lambda item: item.name) if not enforced or item.name in called)


def calls_into_cluster(mesh: model.Mesh, service: model.Service) -> bool:
    """Whether a service on machines reaches anything by the east-west gateway."""
    called = {call.service for call in service.service_calls}
    enforced = positions.calls_are_enforced(mesh)
    return any(not enforced or item.name in called for item in passed_through(mesh))


def traced(mesh: model.Mesh) -> bool:
    """Whether machines send their spans by the east-west gateway."""
    return is_apart(mesh) and mesh.tracing is not None


def sends_out(mesh: model.Mesh) -> bool:
    """Whether a machine calls an outside host, by the egress gateway's own load balancer."""
    return is_apart(mesh) and any(item.machines and item.external_calls for item in mesh.services)


def front(*, host: str, address: str, port: dict[str, Any], account: str, callers: list[str]) -> dict[str, Any]:
    """Return the ServiceEntry of a gateway's load balancer, as machines see it.

    ``account`` is the gateway's ServiceAccount, ``callers`` are the machines' namespaces. The entry stands in the
    gateway's namespace, for its endpoint's identity is of that namespace: machines send to nobody else.
    Source: istio/istio 1.29.1 pilot/pkg/serviceregistry/serviceentry/conversion.go, `convertEndpoint`.
    """
    endpoint = {"address": address, "network": names.NETWORK_OF_MACHINES, "serviceAccount": account}
    return {
        "hosts": [host],
        "addresses": [address],
        "location": "MESH_INTERNAL",
        "resolution": "STATIC",
        "exportTo": callers,
        "ports": [port],
        "endpoints": [endpoint],
    }
