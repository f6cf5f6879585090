"""Everything that was read, with the ways to find it."""

import enum
import functools
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from typing import TypeVar

from slipway.manifests.nsg import NsgRule
from slipway.reachability.mesh_config import MeshConfig
from slipway.reachability.objects import (
    AuthorizationPolicy,
    DestinationRule,
    Gateway,
    NetworkPolicy,
    Opaque,
    PeerAuthentication,
    RequestAuthentication,
    Service,
    Sidecar,
    VirtualService,
    Workload,
)
from slipway.reachability.read_kubernetes import NETWORK_LABEL
from slipway.reachability.selectors import Selectors, selects

_K = TypeVar("_K")
_V = TypeVar("_V")


class Engine(enum.Enum):
    """What enforces NetworkPolicy; they differ in what they let through, and in what a refused client sees.

    ``UNKNOWN``: what Kubernetes documents, and no answer where the others differ.
    """

    KUBE_ROUTER = "kube-router"
    CILIUM = "cilium"
    NONE = "none"
    UNKNOWN = "unknown"


class Reach(enum.IntEnum):
    """How far an object is exported; those that fewer see come first."""

    OWN = enum.auto()
    SOME = enum.auto()
    ALL = enum.auto()


@dataclass(frozen=True, kw_only=True)
class World:
    """All objects that decide, each kind sorted by namespace and name; indices are built when they are asked for.

    ``namespaces`` are labels by name; ``nsg`` security group rules by the name of a machine.
    ``pod_network`` is the CIDR block of pods whose own addresses are not known, ``virtual_network`` the blocks that
    security groups take for their own network; both empty when not known. ``pods_seen_as`` is the block from which
    machines see pods that they have no way to, empty where they have one or that is not known. ``gateways_scoped``
    tells that Gateways select pods of their own namespace only. Without slots, because the indices are kept beside
    the fields.
    """

    mesh: MeshConfig = field(default_factory=MeshConfig)
    namespaces: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    workloads: tuple[Workload, ...] = ()
    services: tuple[Service, ...] = ()
    peer_authentications: tuple[PeerAuthentication, ...] = ()
    authorization_policies: tuple[AuthorizationPolicy, ...] = ()
    request_authentications: tuple[RequestAuthentication, ...] = ()
    sidecars: tuple[Sidecar, ...] = ()
    destination_rules: tuple[DestinationRule, ...] = ()
    virtual_services: tuple[VirtualService, ...] = ()
    gateways: tuple[Gateway, ...] = ()
    gateways_scoped: bool = False
    network_policies: tuple[NetworkPolicy, ...] = ()
    opaque: tuple[Opaque, ...] = ()
    nsg: Mapping[str, tuple[NsgRule, ...]] = field(default_factory=dict)
    engine: Engine = Engine.UNKNOWN
    pod_network: str = ""
    virtual_network: tuple[str, ...] = ()
    pods_seen_as: str = ""

    @functools.cached_property
    def index_of(self) -> dict[tuple[str, str], int]:
        """Positions of workloads by namespace and name, their further names included."""
        found: dict[tuple[str, str], int] = {}
        for index, item in enumerate(self.workloads):
            for name in item.names:
                found.setdefault((item.namespace, name), index)
        for index, item in enumerate(self.workloads):
            found[item.namespace, item.name] = index
        return found

    @functools.cached_property
    def workloads_in(self) -> dict[str, list[int]]:
        """Positions of workloads by namespace."""
        return _grouped((item.namespace, index) for index, item in enumerate(self.workloads))

    @functools.cached_property
    def workloads_by_label(self) -> dict[tuple[str, str, str], list[int]]:
        """Positions of workloads by namespace, label and value."""
        return _grouped(
            ((item.namespace, key, value), index)
            for index, item in enumerate(self.workloads)
            for key, value in item.labels.items()
        )

    def reach(self, item: VirtualService, namespace: str) -> Reach:
        """Return how far a VirtualService that ``namespace`` sees is exported, from there.

        Source: istio 1.29.1 pilot/pkg/model/push_context.go, initVirtualServices.
        """
        default = self.mesh.virtual_service_export
        if "*" in (item.export_to or default) and (item.export_to or "." not in default):
            return Reach.ALL
        return Reach.OWN if item.namespace == namespace else Reach.SOME

    def block_of(self, workload: Workload) -> str:
        """Return the block that a pod's own addresses are from; empty when not known, and for what has a host's."""
        return "" if workload.machine or workload.host_network else self.pod_network

    @functools.cached_property
    def workload_at(self) -> dict[str, int]:
        """Positions of workloads by address, without those on the host's network."""
        return {
            address: index
            for index, item in enumerate(self.workloads)
            if not item.host_network
            for address in item.addresses
        }

    @functools.cached_property
    def services_by_host(self) -> dict[str, list[Service]]:
        """Services by their full name; several when ServiceEntries share it."""
        return _grouped((item.hostname, item) for item in self.services)

    @functools.cached_property
    def services_in(self) -> dict[str, list[Service]]:
        """Services by namespace."""
        return _grouped((item.namespace, item) for item in self.services)

    @functools.cached_property
    def service_at(self) -> dict[str, Service]:
        """Services by virtual address."""
        return {address: item for item in self.services for address in item.addresses}

    @functools.cached_property
    def headless_of(self) -> dict[int, list[Service]]:
        """Headless Services by the positions of the workloads that they select."""
        return _grouped((index, item) for item in self.services if item.headless for index in self.behind(item))

    @functools.cached_property
    def pod_called(self) -> dict[tuple[str, str], int]:
        """Positions of workloads by namespace and by their pods' ``hostname.subdomain``."""
        return {(item.namespace, name): index for index, item in enumerate(self.workloads) for name in item.hostnames}

    def resolves(self, services: Collection[Service]) -> bool:
        """Return whether DNS has an address for the name of some services: for a headless one those of its pods."""
        return any(
            not item.headless
            or item.endpoints
            or not all(self.workloads[index].machine for index in self.behind(item))
            for item in services
        )

    @functools.cached_property
    def balanced_at(self) -> dict[str, Service]:
        """Services by the address of their load balancer."""
        return {address: item for item in self.services for address in item.balancers}

    @functools.cached_property
    def network_gateways(self) -> dict[str, list[Service]]:
        """Services that are the way into a network, by its name; one without an address is none.

        Source: istio 1.29.1 pilot/pkg/serviceregistry/kube/controller/network.go, extractGatewaysInner.
        """
        return _grouped((item.gateway_of, item) for item in self.services if item.gateway_of and item.balancers)

    @functools.cached_property
    def network(self) -> str:
        """The network of every endpoint that states none, as istiod's own namespace says it.

        Source: istio 1.29.1 pilot/pkg/serviceregistry/kube/controller/controller.go, Network.
        """
        return self.namespaces.get(self.mesh.root_namespace, {}).get(NETWORK_LABEL, "")

    def network_of(self, item: Workload) -> str:
        """Return the network of a workload; empty where nobody names any."""
        return item.network or self.network

    @functools.cached_property
    def peer_authentications_for(self) -> Selectors[PeerAuthentication]:
        """PeerAuthentications by namespace and labels."""
        return Selectors(self.peer_authentications)

    @functools.cached_property
    def authorization_for(self) -> Selectors[AuthorizationPolicy]:
        """AuthorizationPolicies by namespace and labels."""
        return Selectors(self.authorization_policies)

    @functools.cached_property
    def request_authentications_for(self) -> Selectors[RequestAuthentication]:
        """RequestAuthentications by namespace and labels."""
        return Selectors(self.request_authentications)

    @functools.cached_property
    def sidecars_for(self) -> Selectors[Sidecar]:
        """Sidecars by namespace and labels, those with a selector first."""
        return Selectors(sorted(self.sidecars, key=lambda item: not item.selector))

    @functools.cached_property
    def network_policies_in(self) -> dict[str, list[NetworkPolicy]]:
        """NetworkPolicies by namespace."""
        return _grouped((item.namespace, item) for item in self.network_policies)

    @functools.cached_property
    def opaque_in(self) -> dict[str, list[Opaque]]:
        """Objects that are not modelled by namespace."""
        return _grouped((item.namespace, item) for item in self.opaque)

    def opens(self, gateway: Gateway, workload: Workload) -> bool:
        """Return whether a Gateway selects a workload."""
        own = gateway.namespace == workload.namespace or not self.gateways_scoped
        return own and selects(gateway.selector, workload.labels)

    def identity(self, item: Workload) -> str:
        """Return the SPIFFE URI in a workload's certificate."""
        return self.account(item.namespace, item.service_account)

    def account(self, namespace: str, name: str) -> str:
        """Return the SPIFFE URI of a ServiceAccount."""
        return f"spiffe://{self.mesh.trust_domain}/ns/{namespace}/sa/{name}"

    def addressed(self, service: Service) -> bool:
        """Return whether proxies have listeners of a service's own address, so that others keep their ports."""
        return service.kubernetes or bool(service.addresses) or (service.allocated and self.mesh.dns_capture)

    def behind(self, service: Service) -> list[int]:
        """Return the positions of the workloads that a service selects; one without a selector selects none."""
        return self.selected(service.namespace, service.selector) if service.selector else []

    def selected(self, namespace: str, selector: Mapping[str, str]) -> list[int]:
        """Return the positions of a namespace's workloads whose labels hold all of ``selector``, in order."""
        if not selector:
            return self.workloads_in.get(namespace, [])
        lists = [self.workloads_by_label.get((namespace, key, value), []) for key, value in selector.items()]
        shortest = min(lists, key=len)
        return [index for index in shortest if selects(selector, self.workloads[index].labels)]


def _grouped(pairs: Iterable[tuple[_K, _V]]) -> dict[_K, list[_V]]:
    found: dict[_K, list[_V]] = defaultdict(list)
    for key, value in pairs:
        found[key].append(value)
    return dict(found)
