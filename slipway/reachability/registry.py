"""Which workloads stand behind a service, and what a workload's ports are.

Source: istio 1.29.1 pilot/pkg/serviceregistry/kube/controller/endpointslice.go and serviceentry/conversion.go:
Services select pods and WorkloadEntries of their namespace by labels; ServiceEntries do the same with their selector.
"""

import dataclasses
import functools
from collections.abc import Mapping
from dataclasses import dataclass, field

from slipway.reachability import injection
from slipway.reachability.objects import Endpoint, Protocol, Service, ServicePort, Sidecar, Workload
from slipway.reachability.world import World

_OWN_TLS = "the port's own TLS (Sidecar ingress) is not modelled"
# Source: istio 1.29.1 pilot/pkg/networking/core/listener_inbound.go, ToFilterChainMatch: port 0 matches every port,
# as the chains for ports without a Service do; pkg/config/validation/validation.go,
# validateSidecarIngressPortAndBind.
_WITHOUT_NUMBER = (
    "a Sidecar has an ingress listener without a port number, which admission refuses where istiod checks objects, "
    "and for which Envoy refuses all inbound listeners where it does not"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Door:
    """A load balancer's address and port."""

    address: str
    port: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """One endpoint of a service: a workload of the world, or only an address; ``labels`` choose subsets.

    ``plain`` tells an endpoint that a ServiceEntry writes down without any sign of a proxy: clients speak no mutual
    TLS to it by themselves, whoever is there. ``account`` is the SPIFFE URI that istiod takes it to have.
    ``led`` tells that the node leads there from a Service's address, so that a pod's way to itself leaves it first.
    ``network`` is the one that the endpoint is in, and ``door`` the load balancer at which packets arrive first.
    ``unheard`` tells that the service says of this very port that its endpoints listen at another one.
    """

    workload: int | None
    address: str
    port: int
    labels: Mapping[str, str] = field(compare=False)
    plain: bool = False
    account: str = field(default="", compare=False)
    led: bool = False
    network: str = ""
    door: Door | None = None
    unheard: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Port:
    """What a workload's port is to its own proxy: ``protocols`` of the services that lead there, or UNDECLARED.

    ``doubt`` says why nothing can be said of it.
    """

    protocols: tuple[Protocol, ...]
    doubt: str = ""


class Registry:
    """Finds endpoints of services and services of workloads; remembers both."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._targets: dict[tuple[str, str, bool, int], tuple[Target, ...]] = {}
        self._led_to: dict[tuple[str, str, bool, int], tuple[Target, ...]] = {}
        self._names: dict[tuple[str, str, bool], frozenset[str]] = {}

    def targets(self, service: Service, port: ServicePort) -> tuple[Target, ...]:
        """Return the endpoints of one port of a service."""
        key = (service.hostname, service.namespace, service.kubernetes, port.number)
        found = self._targets.get(key)
        if found is None:
            found = self._selected(service, port) + self._written(service, port)
            self._targets[key] = found
        return found

    def led_to(self, service: Service, port: ServicePort) -> tuple[Target, ...]:
        """Return where a node leads what is sent to a Service's address: to pods, and what slices list.

        WorkloadEntries are istiod's alone. Source: Kubernetes documentation, concepts/services-networking/service.
        """
        key = (service.hostname, service.namespace, service.kubernetes, port.number)
        found = self._led_to.get(key)
        if found is None:
            pods = (item for item in self._selected(service, port) if not self._is_machine(item))
            found = tuple(dataclasses.replace(item, led=True) for item in (*pods, *self._written(service, port)))
            self._led_to[key] = found
        return found

    def named(self, service: Service, number: int) -> tuple[Target, ...]:
        """Return where the name of a service without an address of its own leads, whatever the port.

        DNS has the addresses of its endpoints, the cluster's not those of machines, and nobody changes a port.
        Source: Kubernetes documentation, concepts/services-networking/service, "Headless Services".
        """
        port, workloads = service.port(number), self._world.workloads
        named = [
            index for index in self._world.behind(service) if not (service.kubernetes and workloads[index].machine)
        ]
        found = [
            Target(
                workload=index,
                address=workloads[index].address,
                port=number,
                labels={},
                unheard=port is not None and target_port(workloads[index], port) != number,
            )
            for index in named
        ]
        for item in service.endpoints:
            index = self._world.workload_at.get(item.address)
            moved = port is not None and _listed_port(service, port, item) != number
            found.append(Target(workload=index, address=item.address, port=number, labels={}, unheard=moved))
        return tuple(found)

    def _is_machine(self, target: Target) -> bool:
        return target.workload is not None and self._world.workloads[target.workload].machine

    def names(self, service: Service) -> frozenset[str]:
        """Return the names of which the certificate of a service's endpoint has to have one; none: any will do.

        Source: istio 1.29.1 pilot/pkg/model/push_context.go, initServiceAccounts: the accounts of its endpoints,
        whatever their ports, and the ``subjectAltNames`` of a ServiceEntry. Aliases of the trust domain add only
        names that no certificate of the mesh has.
        """
        key = (service.hostname, service.namespace, service.kubernetes)
        found = self._names.get(key)
        if found is None:
            targets = (target for port in service.ports for target in self.targets(service, port))
            found = frozenset(target.account for target in targets if target.account)
            found |= frozenset(service.subject_alt_names)
            self._names[key] = found
        return found

    def _selected(self, service: Service, port: ServicePort) -> tuple[Target, ...]:
        found: list[Target] = []
        for index in self._world.behind(service):
            workload = self._world.workloads[index]
            number = target_port(workload, port)
            if number is not None:
                found.append(
                    Target(
                        workload=index,
                        address=workload.address,
                        port=number,
                        labels=workload.labels,
                        account=self._world.identity(workload),
                        network=self._world.network_of(workload),
                    )
                )
        return tuple(found)

    def _written(self, service: Service, port: ServicePort) -> tuple[Target, ...]:
        found: list[Target] = []
        for item in service.endpoints:
            number = _listed_port(service, port, item)
            found += [] if number is None else self._at(service, item, number)
        return tuple(found)

    def _at(self, service: Service, item: Endpoint, number: int) -> list[Target]:
        """Return what is at the port of a written endpoint."""
        index = self._world.workload_at.get(item.address)
        written = Target(
            workload=index,
            address=item.address,
            port=number,
            labels=item.labels,
            plain=not service.kubernetes and not _has_proxy(item),
            account=self._account(service, item, index),
            network=item.network or self._world.network,
        )
        return (self.balanced(written) if index is None else []) or [written]

    def _account(self, service: Service, item: Endpoint, index: int | None) -> str:
        """Return the account of a written endpoint: of a slice that of the pod there, else what it says."""
        if service.kubernetes:
            return "" if index is None else self._world.identity(self._world.workloads[index])
        return self._world.account(service.namespace, item.service_account) if item.service_account else ""

    def balanced(self, written: Target) -> list[Target]:
        """Return the workloads behind an endpoint that is a load balancer's address; none for other addresses."""
        service = self._world.balanced_at.get(written.address)
        port = None if service is None else service.port(written.port)
        if service is None or port is None:
            return []
        door = Door(address=written.address, port=written.port)
        behind = self._selected(service, port)
        return [dataclasses.replace(written, workload=item.workload, port=item.port, door=door) for item in behind]

    @functools.cached_property
    def _ports(self) -> dict[int, dict[int, set[Protocol]]]:
        """Protocols by workload and port, of every service that leads there."""
        found: dict[int, dict[int, set[Protocol]]] = {}
        ports = ((item, port) for item in self._world.services if not item.external_name for port in item.ports)
        for service, port in ports:
            for target in () if port.protocol is Protocol.UDP else self.targets(service, port):
                if target.workload is not None:
                    found.setdefault(target.workload, {}).setdefault(target.port, set()).add(port.protocol)
        return found

    def port(self, index: int, number: int, sidecar: Sidecar | None) -> Port:
        """Return what a proxy knows of its workload's port; a Sidecar's ingress listeners replace Services.

        Source: istio 1.29.1 pilot/pkg/networking/core/listener_inbound.go, buildInboundChainConfigs.
        """
        if sidecar is not None and sidecar.ingress:
            if not all(item.port for item in sidecar.ingress):
                return Port(protocols=(), doubt=_WITHOUT_NUMBER)
            for item in sidecar.ingress:
                if item.port == number:
                    return Port(protocols=(item.protocol,), doubt=_OWN_TLS if item.own_tls else "")
            return Port(protocols=(Protocol.UNDECLARED,))
        found = self._ports.get(index, {}).get(number)
        if not found:
            return Port(protocols=(Protocol.UNDECLARED,))
        return Port(protocols=tuple(sorted(found, key=lambda item: item.value)))


def _listed_port(service: Service, port: ServicePort, item: Endpoint) -> int | None:
    """Return the port of a written endpoint; a slice has those that it lists, an endpoint of a ServiceEntry all."""
    usual = port.target if isinstance(port.target, int) else port.number
    return item.ports.get(port.name, None if service.kubernetes else usual)


def _has_proxy(item: Endpoint) -> bool:
    """Return whether clients take a written endpoint for one with a proxy.

    Source: istio 1.29.1 pilot/pkg/serviceregistry/serviceentry/conversion.go, getTLSModeFromWorkloadEntry.
    """
    return item.labels.get(injection.TLS_MODE, "istio" if item.service_account else "disabled") == "istio"


def target_port(workload: Workload, port: ServicePort) -> int | None:
    """Return the workload's port behind a service's port; None when it has no port of the name asked for.

    A machine's port map goes by the service port's name and beats the target port.
    """
    if workload.machine:
        if port.name in workload.ports:
            return workload.ports[port.name]
        return port.target if isinstance(port.target, int) else port.number
    return workload.ports.get(port.target) if isinstance(port.target, str) else port.target


def sidecar_of(world: World, workload: Workload) -> Sidecar | None:
    """Return the Sidecar that a workload's proxy uses, None for the default scope.

    Source: istio 1.29.1 pilot/pkg/model/push_context.go, doGetSidecarScope: with a selector first, then the
    namespace's, then the root namespace's without a selector.
    """
    own = world.sidecars_for.of(workload.namespace, workload.labels)
    if own:
        return own[0]
    if workload.namespace == world.mesh.root_namespace:
        return None
    return next(iter(world.sidecars_for.of(world.mesh.root_namespace, {})), None)
