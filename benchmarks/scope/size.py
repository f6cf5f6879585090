"""What a sidecar holds in a mesh of 1000 services, with the scopes that Slipway writes and without them.

The mesh is the generated declaration of that size as it stands after `up`: every object of the bundle but
NetworkPolicies, which no proxy sees. Of the services there are the Services of their teams, each with two endpoints
written by hand as an EndpointSlice: a proxy holds the same for an endpoint whether or not a pod is behind it, and
1000 pods do not fit on one node. Three neighbours are real: pods with sidecars that call each other.
"""

import ipaddress
from collections.abc import Iterator, Mapping
from typing import Any

from benchmarks import accepted, declarations
from benchmarks.judge import fleet
from benchmarks.scope import crowd, proxy
from policies.bundles import surroundings

SERVICES = 1000
_FIRST, _NEIGHBOURS = 500, 3
_ENDPOINTS = 2
_NETWORK = ipaddress.IPv4Network("198.18.0.0/15")  # for benchmarks, routed nowhere. Source: RFC 2544
_SCOPE = "Sidecar"

Object = Mapping[str, Any]


class Mesh:
    """The declaration of a size, as objects of a cluster."""

    def __init__(self, services: int = SERVICES) -> None:
        """Compile it; nothing is sent."""
        made = declarations.sized(services)
        self._compiled = accepted.compiled("sized", made.mesh, made.environment)
        self.mesh_config = self._compiled.bundle.mesh_config
        spaces = {item.name: item.namespace for item in self._compiled.mesh.services}
        self.real = [
            fleet.Application(namespace=spaces[name], name=name, account=name, labels={"app": name})
            for name in (f"s{_FIRST + number}" for number in range(_NEIGHBOURS))
        ]
        self.scopes = [item.to_dict() for item in self._compiled.bundle.manifests if item.kind == _SCOPE]

    def namespaces(self) -> Iterator[Object]:
        """Yield every namespace that an object stands in."""
        labels = self._compiled.bundle.namespace_labels
        for name in sorted({item.namespace for item in self._compiled.bundle.manifests if item.namespace}):
            metadata = {"name": name, "labels": dict(labels.get(name, {}))}
            yield {"apiVersion": "v1", "kind": "Namespace", "metadata": metadata}

    def objects(self) -> list[Object]:
        """Return everything else of the mesh but the scopes."""
        bundle = self._compiled.bundle
        left_out = {_SCOPE, "Namespace", "NetworkPolicy"}
        found: list[Object] = [item.to_dict() for item in bundle.manifests if item.kind not in left_out]
        around = surroundings.emit_surroundings(self._compiled.mesh, bundle).manifests
        services = [item for item in around if item.kind == "Service" and item.namespace in bundle.namespace_labels]
        real = {(item.namespace, item.name) for item in self.real}
        for number, service in enumerate(services):
            found.append(service.to_dict())
            if (service.namespace, service.name) not in real:
                found.append(_endpoints(service.to_dict(), number))
        return found


def _endpoints(service: Object, number: int) -> Object:
    addresses = [str(_NETWORK[_ENDPOINTS * number + 1 + item]) for item in range(_ENDPOINTS)]
    name, namespace = service["metadata"]["name"], service["metadata"]["namespace"]
    labels = {"kubernetes.io/service-name": name, "endpointslice.kubernetes.io/managed-by": "slipway-bench"}
    ports = [{"name": item["name"], "port": item["targetPort"]} for item in service["spec"]["ports"]]
    return {
        "apiVersion": "discovery.k8s.io/v1",
        "kind": "EndpointSlice",
        "metadata": {"name": f"{name}-by-hand", "namespace": namespace, "labels": labels},
        "addressType": "IPv4",
        "ports": ports,
        "endpoints": [{"addresses": [item], "conditions": {"ready": True}} for item in addresses],
    }


def measure(people: crowd.Crowd, mesh: Mesh) -> tuple[list[proxy.Holdings], dict[str, dict[str, int]]]:
    """Return what three fresh proxies hold, and what came of a declared call and of one that is not.

    Raises KubernetesError when the pods do not become ready.
    """
    first, second, _ = mesh.real
    with people.living(mesh.real) as inside:
        calls = {
            "declared": crowd.load(inside[first.place], people.address(second), second.hostname, count=1),
            "undeclared": crowd.load(inside[second.place], people.address(first), first.hostname, count=1),
        }
        return crowd.settled(inside), calls
