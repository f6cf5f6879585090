"""From a proxy to the endpoints of a service: DestinationRules, subsets, and what is spoken on the wire.

Source: istio 1.29.1 pilot/pkg/model/push_context.go, destinationRule (whose rule counts);
pilot/pkg/networking/core/cluster_tls.go (modes), pilot/pkg/networking/util/util.go MergeTrafficPolicy (subsets and
ports), pilot/pkg/xds/endpoints/mtls_checker.go (automatic mutual TLS by endpoint).
"""

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass

from slipway.reachability import injection, mutual_tls
from slipway.reachability.answers import Hop, Outcome
from slipway.reachability.inbound import Inbound, Way, Wire, closed
from slipway.reachability.objects import (
    DestinationRule,
    Mtls,
    Proxy,
    Resolution,
    Service,
    ServicePort,
    TlsSettings,
    TrafficPolicy,
    Workload,
)
from slipway.reachability.questions import Application
from slipway.reachability.registry import Door, Registry, Target
from slipway.reachability.request import Request
from slipway.reachability.split import Split, answer, possible, unknown, with_reason
from slipway.reachability.visibility import exported, most_specific
from slipway.reachability.world import World, selects

_CLUSTER_NAME = "outbound_"  # how the server name begins that a proxy makes of a cluster's own
_NO_LABELS: Mapping[str, str] = {}


@dataclass(frozen=True, slots=True, kw_only=True)
class Client:
    """The proxy that opens the connection: its namespace, labels, network, and the hop that it is.

    ``dialled`` is where an application's connection goes that it took; None for a gateway, which opens its own.
    """

    namespace: str
    labels: Mapping[str, str]
    hop: Hop
    network: str = ""
    dialled: tuple[Target, ...] | None = None


class Clusters:
    """Sends requests on to services, for one world."""

    def __init__(self, world: World, known: Registry) -> None:
        self._world = world
        self._registry = known
        self._rules: dict[tuple[str, str, str], list[DestinationRule]] = {}
        self._known: dict[tuple[str, int, int], tuple[bool, ...]] = {}
        self._by_namespace: dict[str, list[DestinationRule]] = {}
        for item in world.destination_rules:
            self._by_namespace.setdefault(item.namespace, []).append(item)

    @property
    def selecting(self) -> bool:
        """Whether a DestinationRule goes by the labels of clients."""
        return any(item.selector for item in self._world.destination_rules)

    def rules(self, namespace: str, service: Service) -> list[DestinationRule]:
        """Return the DestinationRules of a service for clients of a namespace; several merge."""
        key = (namespace, service.hostname, service.namespace)
        found = self._rules.get(key)
        if found is None:
            found = self._found(namespace, service)
            self._rules[key] = found
        return found

    def _found(self, namespace: str, service: Service) -> list[DestinationRule]:
        if not self._by_namespace:
            return []
        root = self._world.mesh.root_namespace
        # Source: istio 1.29.1 pilot/pkg/model/push_context.go, setDestinationRules (namespaceLocal).
        own = [
            item
            for item in self._by_namespace.get(namespace, ())
            if not item.export_to or exported(item.export_to, owner=namespace, namespace=namespace)
        ]
        if namespace == root:
            own = [item for item in own if item.export_to == (".",)]
        places = (own, self._exported(service.namespace, namespace), self._exported(root, namespace))
        for rules in places:
            host = most_specific(service.hostname, (item.host for item in rules))
            if host is not None:
                return [item for item in rules if item.host == host]
        return []

    def _exported(self, owner: str, namespace: str) -> list[DestinationRule]:
        default = self._world.mesh.destination_rule_export
        return [
            item
            for item in self._by_namespace.get(owner, ())
            if exported(item.export_to or default, owner=owner, namespace=namespace)
        ]

    def send(
        self,
        service: Service,
        port: ServicePort,
        subset: str,
        *,
        client: Client,
        way: Way,
        request: Request,
        inbound: Inbound,
        mask: int,
    ) -> Split:
        """Return what happens to the callers of ``mask`` whose proxy sends the request to a service."""
        rules = [
            item
            for item in self.rules(client.namespace, service)
            if not item.selector or (item.namespace == client.namespace and selects(item.selector, client.labels))
        ]
        if chosen := [item for item in rules if item.selector]:
            rules = chosen
        if odd := next((item for item in rules if item.unmodelled), None):
            reason = f"{odd.key} has fields that are not modelled: {', '.join(odd.unmodelled)}"
            return [(mask, unknown(client.hop, reason, key=odd.key))]
        subsets = {item.name: (rule, item) for rule in reversed(rules) for item in rule.subsets}
        if subset and subset not in subsets:
            reason = f"no DestinationRule that the client sees has subset {subset} of {service.hostname}"
            return [(mask, answer(Outcome.DENIED, client.hop, reason, seen=closed(way)))]
        labels = subsets[subset][1].labels if subset else _NO_LABELS
        targets = tuple(
            item for item in self._registry.targets(service, port) if not labels or selects(labels, item.labels)
        )
        policies = [item for item in rules if item.policy is not None] or [None]
        splits: list[Split] = []
        for item in policies:
            policy = item.policy if item else None
            own = subsets[subset][1].policy if subset else None
            splits.append(
                self._spread(
                    service,
                    port,
                    targets,
                    settings=_settings(policy, own, port),
                    marked=_marked(own if subset else policy, port),
                    client=client,
                    way=way,
                    request=request,
                    inbound=inbound,
                    mask=mask,
                    subset=subset,
                )
            )
        return possible(splits)

    def _spread(
        self,
        service: Service,
        port: ServicePort,
        targets: tuple[Target, ...],
        *,
        settings: TlsSettings | None,
        marked: bool | None,
        client: Client,
        way: Way,
        request: Request,
        inbound: Inbound,
        mask: int,
        subset: str,
    ) -> Split:
        """Return what holds for every endpoint, or where the connection goes anyway.

        Proxies know no endpoints of headless Services and go on to the address dialled; gateways do.
        Source: istio 1.29.1 pilot/pkg/networking/core/cluster.go, convertResolution.
        """
        onwards = service.headless and client.dialled is not None
        if onwards:
            targets = client.dialled or ()
        elif not targets:
            targets = self._elsewhere(service, port)
        if not targets:
            reason = f"{service.hostname} has no endpoint with port {port.number}"
            return [(mask, answer(Outcome.DENIED, client.hop, reason, seen=closed(way), key=service.key))]
        splits: list[Split] = []
        for target in dict.fromkeys(targets):
            wires = self._wires(
                service, port, target, settings=settings, marked=marked, request=request, onwards=onwards
            )
            doors = [] if onwards else self._doors(client, target)
            for wire in wires:
                sent = request.carried(self._sni(service, port, settings, wire, request))
                misnamed = self._misnamed(service, target, settings) if wire is Wire.MUTUAL_TLS else ""
                if misnamed:
                    splits.append([(mask, answer(Outcome.DENIED, client.hop, misnamed, seen=closed(way)))])
                elif not doors:
                    splits.append(inbound.arrive(target, wire, way, sent, mask))
                elif wire is Wire.MUTUAL_TLS:
                    splits += [
                        self._through(
                            item, address, target, service, subset, way=way, request=sent, inbound=inbound, mask=mask
                        )
                        for item, address in doors
                    ]
        if not splits:
            reason = f"the endpoints of {service.hostname} are on another network, and none takes mutual TLS"
            splits.append([(mask, answer(Outcome.DENIED, client.hop, reason, seen=closed(way), key=service.key))])
        return possible(splits)

    def _misnamed(self, service: Service, target: Target, settings: TlsSettings | None) -> str:
        """Return why a client does not take the certificate of an endpoint's proxy, empty when it does.

        Source: istio 1.29.1 pilot/pkg/networking/core/cluster_tls.go, buildUpstreamTLSSettings.
        """
        if target.workload is None:
            return ""
        workload = self._world.workloads[target.workload]
        identity = self._world.identity(workload)
        stated = frozenset(settings.subject_alt_names) if settings is not None else frozenset[str]()
        names = stated or self._registry.names(service)
        if not names or identity in names or workload.proxy not in {Proxy.SIDECAR, Proxy.GATEWAY}:
            return ""
        wanted = ", ".join(sorted(names))
        return f"{workload.key} proves to be {identity}, and clients of {service.hostname} take {wanted} only"

    def _doors(self, client: Client, target: Target) -> list[tuple[Service, str]]:
        """Return gateways and addresses by which a proxy reaches an endpoint of another network; none: directly.

        Source: istio 1.29.1 pilot/pkg/xds/endpoints/ep_filters.go, EndpointsByNetworkFilter.
        """
        if not client.network or not target.network or client.network == target.network:
            return []
        gateways = self._world.network_gateways.get(target.network, ())
        return [(gateway, address) for gateway in gateways for address in gateway.balancers]

    def _through(
        self,
        gateway: Service,
        address: str,
        target: Target,
        service: Service,
        subset: str,
        *,
        way: Way,
        request: Request,
        inbound: Inbound,
        mask: int,
    ) -> Split:
        """Return what happens by a gateway that passes on what is named like a cluster, and to nobody else."""
        if not self._passes(gateway, service, subset, request, inbound):
            reason = f"no Gateway at {gateway.key} passes on what is meant for {service.hostname}"
            seen = closed(way)
            return [(mask, answer(Outcome.DENIED, Hop.EAST_WEST_GATEWAY, reason, seen=seen, key=gateway.key))]
        reached = dataclasses.replace(target, door=Door(address=address, port=gateway.passthrough))
        sent = dataclasses.replace(request, forwarded=request.forwarded or "gateway")
        found = inbound.arrive(reached, Wire.MUTUAL_TLS, way, sent, mask)
        return with_reason(found, f"by {gateway.key}, which passes it on")

    def _passes(self, gateway: Service, service: Service, subset: str, request: Request, inbound: Inbound) -> bool:
        """Return whether a gateway knows the cluster that the caller's proxy names: its service and its subset."""
        port = gateway.port(gateway.passthrough)
        there = self._registry.targets(gateway, port) if port is not None else ()
        shown = service.export_to or self._world.mesh.service_export
        subsets = {item.name for rule in self.rules(gateway.namespace, service) for item in rule.subsets}
        return (
            bool(there)
            and request.outer_sni.startswith(_CLUSTER_NAME)
            and (not subset or subset in subsets)
            and exported(shown, owner=service.namespace, namespace=gateway.namespace)
            and all(inbound.passes(item, service.hostname) for item in there)
        )

    def _elsewhere(self, service: Service, port: ServicePort) -> tuple[Target, ...]:
        """Return where a service without endpoints leads: a name outside that DNS finds, or what was dialled."""
        if service.kubernetes or service.selector:
            return ()
        number = port.target if isinstance(port.target, int) else port.number
        if service.resolution is Resolution.STATIC or (service.resolution is Resolution.NONE and service.addresses):
            return tuple(self._at(address, number) for address in service.addresses)
        return (self._at(service.hostname, number),)

    def _at(self, address: str, port: int) -> Target:
        """Return what is at an address; clients speak no mutual TLS by themselves to what no endpoint names."""
        index = self._world.workload_at.get(address)
        labels = _NO_LABELS if index is None else self._world.workloads[index].labels
        return Target(workload=index, address=address, port=port, labels=labels, plain=True)

    def _sni(
        self, service: Service, port: ServicePort, settings: TlsSettings | None, wire: Wire, request: Request
    ) -> str:
        if wire is Wire.TLS and request.application is Application.TLS:
            return request.sni
        if wire is Wire.PLAINTEXT:
            return ""
        if settings is not None and settings.sni:
            return settings.sni
        return f"outbound_.{port.number}_._.{service.hostname}" if wire is Wire.MUTUAL_TLS else service.hostname

    def _wires(
        self,
        service: Service,
        port: ServicePort,
        target: Target,
        *,
        settings: TlsSettings | None,
        marked: bool | None,
        request: Request,
        onwards: bool,
    ) -> tuple[Wire, ...]:
        plain = Wire.TLS if request.application is Application.TLS else Wire.PLAINTEXT
        if settings is not None:
            named = {"ISTIO_MUTUAL": Wire.MUTUAL_TLS, "DISABLE": plain}
            return (named.get(settings.mode, Wire.TLS),)
        if not self._world.mesh.auto_mtls or service.external:
            return (plain,)
        takers = self._registry.targets(service, port) if onwards else (target,)
        if marked is False or not takers or not all(map(self._takes_mutual_tls, takers)):
            return (plain,)
        if marked or onwards:
            # Source: istio 1.29.1 pilot/pkg/model/push_context.go, BestEffortInferServiceMTLSMode.
            whole = mutual_tls.namespace_mode(self._world, service.namespace)
            return tuple(dict.fromkeys(plain if item.mode is Mtls.DISABLE else Wire.MUTUAL_TLS for item in whole))
        assert target.workload is not None  # noqa: S101 - or it would not take mutual TLS
        key = (service.namespace, target.workload, target.port)
        known = self._known.get(key)
        if known is None:
            known = self._automatic(*key)
            self._known[key] = known
        return tuple(Wire.MUTUAL_TLS if item else plain for item in known)

    def _takes_mutual_tls(self, target: Target) -> bool:
        """Return whether clients take an endpoint for one with a proxy that speaks mutual TLS."""
        if target.workload is None or target.plain:
            return False
        workload = self._world.workloads[target.workload]
        without_proxy = workload.proxy in {Proxy.NONE, Proxy.UNKNOWN} or _without_mode(workload)
        return not without_proxy and workload.labels.get(injection.TLS_MODE) != "disabled"

    def _automatic(self, namespace: str, index: int, port: int) -> tuple[bool, ...]:
        """Return whether proxies speak mutual TLS by themselves; several where policies leave that open."""
        whole = mutual_tls.namespace_mode(self._world, namespace)
        own = mutual_tls.modes(self._world, self._world.workloads[index], port)
        found = [Mtls.DISABLE not in {first.mode, second.mode} for first in whole for second in own]
        return tuple(dict.fromkeys(found))


def _without_mode(workload: Workload) -> bool:
    """Return whether clients take a gateway for one without mutual TLS, as its pods do not say that they speak it.

    Source: istio 1.29.1 manifests/charts/istio-control/istio-discovery/files/gateway-injection-template.yaml has no
    label for the mode, which injection-template.yaml gives to all other pods.
    """
    return workload.proxy is Proxy.GATEWAY and workload.labels.get(injection.TLS_MODE) != "istio"


def _settings(policy: TrafficPolicy | None, subset: TrafficPolicy | None, port: ServicePort) -> TlsSettings | None:
    """Return the client TLS of a port: settings of a port replace the others, a subset's replace the rule's."""
    found: TlsSettings | None = None
    for item in filter(None, (policy, subset)):
        if item.tls is not None:
            found = item.tls
        if port.number in item.ports:
            found = item.ports[port.number]
    return found


def _marked(policy: TrafficPolicy | None, port: ServicePort) -> bool | None:
    """Return whether endpoints are marked as ones that take mutual TLS, None where their own mode tells.

    Istiod marks them by the TLS of the whole policy also where a port has settings of its own without TLS, which
    leaves the port to automatic mutual TLS otherwise.
    Source: istio 1.29.1 pilot/pkg/xds/endpoints/mtls_checker.go, trafficPolicyTLSModeForPort.
    """
    if policy is None:
        return None
    found = policy.ports.get(port.number) or policy.tls
    return None if found is None else found.mode == "ISTIO_MUTUAL"
