"""The first hop: what the proxy of a caller, or no proxy at all, makes of a connection to a destination.

Source: istio 1.29.1 pilot/pkg/networking/core/listener.go, httproute.go (virtual hosts by Host header on listeners
of a port; a fallback that passes or blocks), tls.go, and pilot/pkg/networking/util/util.go.
"""

import dataclasses
import functools
import ipaddress
from collections.abc import Iterable
from dataclasses import dataclass

from slipway.reachability import paths
from slipway.reachability.answers import Answer, Hop, Key, Outcome, Seen, Transport
from slipway.reachability.callers import Callers, members
from slipway.reachability.clusters import Client, Clusters
from slipway.reachability.gateways import Gateways
from slipway.reachability.inbound import UNREAD, Inbound, Way, Wire, closed
from slipway.reachability.objects import (
    Capture,
    Protocol,
    Proxy,
    Resolution,
    RouteDestination,
    Service,
    ServicePort,
    Sidecar,
    VirtualService,
)
from slipway.reachability.questions import Application
from slipway.reachability.read_routes import MESH
from slipway.reachability.registry import Registry, Target
from slipway.reachability.request import Http, Request
from slipway.reachability.routing import (
    Chosen,
    connection_routes,
    destination_port,
    http_routes,
    immediate_answer,
    present,
    rewritten,
    used,
    written,
)
from slipway.reachability.scopes import Scope, Scopes
from slipway.reachability.split import Split, answer, joined, possible, unknown, whichever
from slipway.reachability.strings import host_covers, without_port
from slipway.reachability.walks import Walk
from slipway.reachability.world import World

_SIDECARS = frozenset({MESH})
_HTTP_PORT = 80


@dataclass(frozen=True, slots=True, kw_only=True)
class Dialled:
    """Where a connection goes before any proxy: services of the name, or targets of an address.

    ``name`` is what was dialled; ``services`` those with that host; ``targets`` endpoints for a connection that no
    proxy redirects; ``resolves`` whether the name has an address at all.
    """

    name: str
    port: int
    services: tuple[Service, ...] = ()
    workload: int | None = None
    address: str = ""
    resolves: bool = True


class Outbound:
    """Decides for one world and one list of callers."""

    def __init__(self, world: World, callers: Callers) -> None:
        self._world = world
        self._callers = callers
        self._registry = Registry(world)
        self._clusters = Clusters(world, self._registry)
        self.inbound = Inbound(world, callers, self._registry, Gateways(world, self._registry, self._clusters))
        self._scopes = Scopes(world, callers)
        self._clear = self._sort()
        self._last: tuple[Dialled | None, str | None, str] = (None, None, "")
        self._found: list[tuple[Scope, tuple[object, ...]]] = []

    @property
    def registry(self) -> Registry:
        """Endpoints of services."""
        return self._registry

    @property
    def clusters(self) -> Clusters:
        """What sends on to services."""
        return self._clusters

    def _sort(self) -> tuple[int, list[tuple[int, Key]], int, list[tuple[int, Capture]]]:
        """Return callers with a proxy, those whose proxy is not modelled, those without, and particular ones."""
        proxied = bare = 0
        odd: list[tuple[int, Key]] = []
        particular: list[tuple[int, Capture]] = []
        for index, caller in enumerate(self._callers.list):
            workload = None if caller.workload is None else self._world.workloads[caller.workload]
            bit = 1 << index
            if workload is None or workload.proxy is Proxy.NONE:
                bare |= bit
                continue
            opaque = workload.key if workload.proxy is Proxy.UNKNOWN else self.inbound.opaque(workload)
            if opaque is not None:
                odd.append((bit, opaque))
                continue
            proxied |= bit
            if _particular(workload.capture):
                particular.append((bit, workload.capture))
        return proxied, odd, bare, particular

    def send(self, dialled: Dialled, request: Request, mask: int) -> Split:
        """Return what happens to the callers of ``mask``."""
        proxied, odd, bare, particular = self._clear
        if not dialled.resolves:
            reason = f"{dialled.name} is no name of the world and none outside of the cluster"
            return [(mask, answer(Outcome.DENIED, Hop.DESTINATION, reason, seen=Seen.NO_NAME))]
        split: Split = []
        for bit, key in odd:
            if bit & mask:
                reason = f"{key} changes the caller's proxy in ways that are not modelled"
                split.append((bit, unknown(Hop.SOURCE_SIDECAR, reason, key=key)))
        own = self._calling_itself(dialled) & mask
        if own:
            reason = "it calls itself by its own address, which nothing stands before"
            found = answer(Outcome.ALLOWED, Hop.DESTINATION, reason, seen=Seen.ANSWER, transport=Transport.PLAINTEXT)
            split.append((own, found))
        proxied, bare = proxied & mask & ~own, bare & mask & ~own
        for bit, capture in particular:
            taken = self._taken(capture, dialled)
            if taken or not bit & proxied:
                continue
            proxied &= ~bit
            if taken is False:
                bare |= bit
            else:
                reason = "the caller's proxy takes connections by addresses that the objects do not say"
                split.append((bit, unknown(Hop.SOURCE_SIDECAR, reason)))
        split += self.direct(dialled, request, bare, Way.DIRECT) if bare else []
        split += self._proxied(dialled, request, proxied) if proxied else []
        return joined(split)

    def _calling_itself(self, dialled: Dialled) -> int:
        """Return the caller that is the workload dialled by its address; of several pods another one may be meant.

        Source: istio 1.29.1 tools/istio-iptables/pkg/capture/run.go, Run: what the application sends to itself by its
        endpoint's address stays on the loopback interface, which is not captured.
        """
        if dialled.workload is None or len(self._world.workloads[dialled.workload].addresses) != 1:
            return 0
        return sum(1 << index for index, item in enumerate(self._callers.list) if item.workload == dialled.workload)

    def send_each(self, dialled: Dialled, requests: Iterable[Request], mask: int) -> list[Split]:
        """Return what happens to each request; those that nobody on the way tells apart share one walk."""
        walks: list[tuple[Walk, Split]] = []
        found: list[Split] = []
        for request in requests:
            http = request.http
            split = None if http is None else next((split for walk, split in walks if walk.fits(http)), None)
            if split is None:
                self.inbound.walk = Walk()
                split = self.send(dialled, request, mask)
                if http is not None:
                    walks.append((self.inbound.walk, split))
            found.append(split)
        return found

    def _taken(self, capture: Capture, dialled: Dialled) -> bool | None:
        addresses = {dialled.address} if dialled.address else set[str]()
        for service in dialled.services:
            addresses.update(service.addresses)
        return _captures(capture, addresses, dialled.port)

    # without a proxy, or past it

    def direct(self, dialled: Dialled, request: Request, mask: int, way: Way) -> Split:
        """Return what happens to a connection that goes to the address dialled as it is."""
        wire = Wire.TLS if request.application is Application.TLS else Wire.PLAINTEXT
        targets = self._direct_targets(dialled)
        if not targets:
            reason = f"nothing answers at {dialled.name} port {dialled.port}"
            seen = closed(way) if way is not Way.DIRECT else Seen.REFUSED
            return [(mask, answer(Outcome.DENIED, Hop.DESTINATION, reason, seen=seen))]
        sent = request.carried(request.sni if wire is Wire.TLS else "")
        return possible([self.inbound.arrive(target, wire, way, sent, mask) for target in dict.fromkeys(targets)])

    def _direct_targets(self, dialled: Dialled) -> list[Target]:
        if dialled.workload is not None:
            workload = self._world.workloads[dialled.workload]
            address = next(iter(workload.addresses), "")
            return [Target(workload=dialled.workload, address=address, port=dialled.port, labels=workload.labels)]
        kubernetes = [item for item in dialled.services if item.kubernetes and not item.external_name]
        found: list[Target] = []
        for service in kubernetes[:1]:
            if (port := service.port(dialled.port)) is not None:
                targets = self._registry.targets(service, port)
                found += [dataclasses.replace(item, led=not service.headless) for item in targets]
            elif service.headless:
                found += [
                    Target(workload=item.workload, address=item.address, port=dialled.port, labels=item.labels)
                    for port in service.ports[:1]
                    for item in self._registry.targets(service, port)
                ]
        if kubernetes:
            return found
        for service in dialled.services:
            for address in service.addresses:
                index = self._world.workload_at.get(address)
                labels = self._world.workloads[index].labels if index is not None else {}
                found.append(Target(workload=index, address=address, port=dialled.port, labels=labels))
            port = service.port(dialled.port)
            if not service.addresses and port is not None and service.resolution is Resolution.STATIC:
                found += self._registry.targets(service, port)  # a name of its endpoints, wherever DNS has it from
        return found or [Target(workload=None, address=dialled.address or dialled.name, port=dialled.port, labels={})]

    # through the caller's proxy

    def _proxied(self, dialled: Dialled, request: Request, mask: int) -> Split:
        split: Split = []
        rest = mask
        alike: dict[tuple[object, ...], tuple[Scope, int]] = {}
        for scope, key in self._concerned(dialled, request):
            if group := scope.callers & mask:
                first, before = alike.get(key, (scope, 0))
                alike[key] = (first, before | group)
        for scope, group in alike.values():
            if (found := self._in_scope(scope, dialled, request, group)) is not None:
                split += found
                rest &= ~group
        if rest:
            split += self._unknown_to_scope(dialled, request, rest)
        return split

    def _concerned(self, dialled: Dialled, request: Request) -> list[tuple[Scope, tuple[object, ...]]]:
        """Return the scopes that may hold what takes the connection, each with its signature.

        The last answer is remembered: every kind of request to one destination asks for it.
        """
        host = None if request.http is None else request.http.host
        last, *names = self._last
        if last is not dialled or names != [host, request.sni]:
            scopes = [self._scopes.all[index] for index in self._scopes.naming(self._entries(dialled, request))]
            self._found = [(scope, self._signature(scope, dialled, request)) for scope in scopes]
            self._last = (dialled, host, request.sni)
        return self._found

    def _signature(self, scope: Scope, dialled: Dialled, request: Request) -> tuple[object, ...]:
        """Return what tells scopes apart for a connection; those that are alike are asked once."""
        hosts = {service.hostname for service in dialled.services}
        elsewhere = request.http is not None and self._called(request.http.host) not in hosts
        if elsewhere or scope.virtual_services or (scope.sidecar is not None and _unusual(scope.sidecar)):
            return (id(scope),)
        services = scope.pick(dialled.services)
        rules = [id(item) for service in services for item in self._clusters.rules(scope.namespace, service)]
        own = {service.namespace == scope.namespace for service in dialled.services}
        return (
            *map(id, services),
            -1,
            *rules,
            dialled.port in scope.http_ports,
            id(scope) if dialled.port in scope.nameless_ports or not services else 0,
            *own,
        )

    def _entries(self, dialled: Dialled, request: Request) -> set[tuple[str, str]]:
        """Return namespaces and hosts of everything that may take the connection in a scope that holds it."""
        services = list(dialled.services)
        if request.http is not None:
            host = self._called(request.http.host)
            services += self._world.services_by_host.get(host, [])
            services += self._short.get(host, [])
            services += [self._world.service_at[host]] if host in self._world.service_at else []
        names = {item.hostname for item in services} | {request.sni or dialled.name}
        names.update((self._called(request.http.host),) if request.http is not None else ())
        entries = {(item.namespace, item.hostname) for item in services}
        for item in self._meshed:
            for host in item.hosts:
                if host in names or (host.startswith("*") and any(host_covers(host, name) for name in names)):
                    entries.add((item.namespace, host))
        for item in self._nameless_services:
            if item.port(dialled.port) is not None:
                entries.add((item.namespace, item.hostname))
        return entries

    def _called(self, host: str) -> str:
        """Return the name that virtual hosts compare: without case and port; a full name may end in a dot.

        Source: istio 1.29.1 pilot/pkg/networking/core/httproute.go, GenerateAltVirtualHosts; Envoy compares domains
        without case.
        """
        name = without_port(host).lower()
        return name[:-1] if name.endswith(".") and name[:-1] in self._world.services_by_host else name

    @functools.cached_property
    def _short(self) -> dict[str, list[Service]]:
        """Kubernetes Services by the short forms of their names."""
        found: dict[str, list[Service]] = {}
        for item in self._world.services:
            if item.kubernetes:
                own = f"{item.key.name}.{item.namespace}"
                for name in (item.key.name, own, f"{own}.svc"):
                    found.setdefault(name, []).append(item)
        return found

    @functools.cached_property
    def _meshed(self) -> list[VirtualService]:
        return [item for item in self._world.virtual_services if MESH in item.gateways]

    @functools.cached_property
    def _wildcards(self) -> list[Service]:
        return [item for item in self._world.services if item.hostname.startswith("*")]

    @functools.cached_property
    def _nameless_services(self) -> list[Service]:
        return [item for item in self._world.services if not self._world.addressed(item)]

    def _in_scope(self, scope: Scope, dialled: Dialled, request: Request, mask: int) -> Split | None:
        """Return what the proxies of a scope do, None when nothing in the scope takes the connection."""
        if scope.sidecar is not None and scope.sidecar.unmodelled:
            reason = f"{scope.key} has fields that are not modelled"
            return [(mask, unknown(Hop.SOURCE_SIDECAR, reason, key=scope.key))]
        if scope.sidecar is not None and any(item.port is not None for item in scope.sidecar.egress):
            reason = f"{scope.key} has egress listeners of their own ports, which are not modelled"
            return [(mask, unknown(Hop.SOURCE_SIDECAR, reason, key=scope.key))]
        own = [
            item
            for item in scope.pick(dialled.services)
            if (port := item.port(dialled.port)) is not None and self._has_listener(item, port)
        ]
        if own:
            return possible([self._at_own_address(scope, item, dialled, request, mask) for item in own])
        if request.http is not None and dialled.port in scope.http_ports:
            return self._by_host(scope, dialled, request, request.http, mask)
        return self._nameless(scope, dialled, request, mask)

    def _has_listener(self, service: Service, port: ServicePort) -> bool:
        """Return whether proxies listen on a service's own address; those of HTTP share a listener of the port.

        What is not HTTP passes such a shared listener as if it were not there.
        Source: istio 1.29.1 pilot/pkg/networking/core/listener.go, buildSidecarOutboundListener (bind addresses) and
        buildListenerFromEntry (the default filter chain).
        """
        if port.protocol is Protocol.UNDECLARED:
            return self._world.addressed(service)
        return port.protocol is not Protocol.HTTP

    def _at_own_address(self, scope: Scope, service: Service, dialled: Dialled, request: Request, mask: int) -> Split:
        """Return what the listener of a service's own address does: one that sniffs goes by no Host header.

        Source: istio 1.29.1 pilot/pkg/networking/core/httproute.go, getVirtualHostsForSniffedServicePort.
        """
        port = service.port(dialled.port)
        if port is None or port.protocol is not Protocol.UNDECLARED or request.http is None:
            return self._connection(scope, service, dialled, request, mask)
        found = scope.routing(service.hostname)
        if not found:
            return self._without_routes(scope, [service], dialled, request, mask)
        return possible(
            [
                self._routed(scope, item, [service], dialled, request=request, http=request.http, mask=mask)
                for item in found
            ]
        )

    def _by_host(self, scope: Scope, dialled: Dialled, request: Request, http: Http, mask: int) -> Split | None:
        """Route HTTP by its Host header, as the listener of the port does whatever address was dialled."""
        if paths.normalized(http.path, self._world.mesh.normalization) is None:
            # 400, or a reset where the listener sniffs and takes it for no HTTP.
            return [(mask, answer(Outcome.DENIED, Hop.SOURCE_SIDECAR, UNREAD, seen=Seen.UNKNOWN))]
        name = self._called(http.host)
        services = scope.pick(self._world.services_by_host.get(name, ()))
        if not services:
            services = [
                item
                for item in self._short.get(name, ())
                if _is_short(name, item, scope.namespace) and scope.sees(item)
            ]
        if not services and name in self._world.service_at:
            services = scope.pick([self._world.service_at[name]])
        services = [item for item in services if (port := item.port(dialled.port)) and _by_host(port.protocol)]
        if not services:
            wild = [item for item in self._wildcards if name.endswith(item.hostname[1:]) and scope.sees(item)]
            services = [item for item in wild if item.port(dialled.port)]
        hostname = services[0].hostname if services else name
        found = scope.routing(hostname)
        if not services:
            found = [item for item in found if self._takes_strangers(scope, item, name, dialled.port)]
        if found:
            return possible(
                [
                    self._routed(scope, item, services, dialled, request=request, http=http, mask=mask)
                    for item in found
                ]
            )
        return self._without_routes(scope, services, dialled, request, mask) if services else None

    def _takes_strangers(self, scope: Scope, item: VirtualService, name: str, port: int) -> bool:
        """Return whether a VirtualService makes a virtual host of a name that is no HTTP service on the port.

        Source: istio 1.29.1 pilot/pkg/networking/core/httproute.go, selectVirtualServices (ports other than 80), and
        route/route.go, buildSidecarVirtualHostsForVirtualService (serviceByPort).
        """

        def protocols(host: str) -> list[Protocol]:
            known = scope.pick(self._world.services_by_host.get(host, ()))
            return [found.protocol for service in known if (found := service.port(port)) is not None]

        if protocols(name):
            return False
        return port == _HTTP_PORT or any(_by_host(found) for host in item.hosts for found in protocols(host))

    def _routed(
        self,
        scope: Scope,
        service: VirtualService,
        services: list[Service],
        dialled: Dialled,
        *,
        request: Request,
        http: Http,
        mask: int,
    ) -> Split:
        if service.unmodelled:
            return [(mask, _unread(service))]
        gateways, port = _SIDECARS, dialled.port
        own = present(service, port=port, gateways=gateways, callers=self._callers, mask=mask)
        split = self._without_routes(scope, services, dialled, request, mask & ~own) if mask & ~own else []
        chosen = http_routes(
            service,
            http,
            port=port,
            gateways=gateways,
            callers=self._callers,
            mask=own,
            normalization=self._world.mesh.normalization,
        )
        taken, rest = self._taken_routes(
            chosen, service, scope, dialled=dialled, request=request, mask=own, way=Way.HTTP_PROXY
        )
        split += taken
        if rest:
            reason = f"no route of {service.key} matches the request"
            denied = answer(Outcome.DENIED, Hop.SOURCE_SIDECAR, reason, seen=Seen.NOT_FOUND_404, key=service.key)
            split.append((rest, denied))
        return split

    def _without_routes(
        self, scope: Scope, services: list[Service], dialled: Dialled, request: Request, mask: int
    ) -> Split:
        """Return what a host gets that no route is about: its service, else what strangers get."""
        if not services:
            return self._unknown_to_scope(dialled, request, mask)
        return possible(
            [
                self._to_service(scope, item, dialled.port, subset="", request=request, way=Way.HTTP_PROXY, mask=mask)
                for item in services
            ]
        )

    def _taken_routes(
        self,
        chosen: list[Chosen],
        service: VirtualService,
        scope: Scope,
        *,
        dialled: Dialled,
        request: Request,
        mask: int,
        way: Way,
    ) -> tuple[Split, int]:
        """Return what the chosen routes do, and the callers that take none."""
        self.inbound.walk.keep_alone()
        split: Split = []
        rest = mask
        for item in chosen:
            rest &= ~item.callers.may
            if item.callers.must & mask:
                split += self._route(
                    item,
                    service,
                    scope,
                    dialled=dialled,
                    request=request,
                    mask=item.callers.must & mask,
                    way=way,
                )
            if doubtful := item.callers.may & ~item.callers.must & mask:
                reason = f"a route of {service.key} goes by what the question does not say"
                split.append((doubtful, unknown(Hop.SOURCE_SIDECAR, reason, key=service.key)))
        return _without_overlap(split), rest

    def _route(
        self,
        chosen: Chosen,
        service: VirtualService,
        scope: Scope,
        *,
        dialled: Dialled,
        request: Request,
        mask: int,
        way: Way,
    ) -> Split:
        immediate = immediate_answer(chosen.route, service.key, Hop.SOURCE_SIDECAR)
        if immediate is not None:
            return [(mask, immediate)]
        sent = rewritten(request, chosen, normalization=self._world.mesh.normalization)
        splits = [
            self._to_destination(item, service, scope, dialled=dialled, request=sent, mask=mask, way=way)
            for item in used(chosen.route.destinations)
        ]
        return possible(splits)

    def _to_destination(
        self,
        item: RouteDestination,
        service: VirtualService,
        scope: Scope,
        *,
        dialled: Dialled,
        request: Request,
        mask: int,
        way: Way,
    ) -> Split:
        found = scope.pick(self._world.services_by_host.get(item.host, ())) or [
            other
            for other in self._world.services_by_host.get(item.host, ())
            if other.namespace == scope.namespace or not other.export_to
        ]
        if not found:
            reason = f"{service.key} leads to {item.host}, which is no service that the proxy knows"
            return [(mask, answer(Outcome.DENIED, Hop.SOURCE_SIDECAR, reason, seen=closed(way), key=service.key))]
        splits = [
            self._to_service(
                scope,
                other,
                self._port_of(item, other, dialled, way),
                subset=item.subset,
                request=request,
                way=way,
                mask=mask,
            )
            for other in found
        ]
        return possible(splits)

    def _port_of(self, item: RouteDestination, service: Service, dialled: Dialled, way: Way) -> int:
        """Return the port that a route leads to.

        Source: istio 1.29.1 pilot/pkg/networking/core/httproute.go, BuildSidecarOutboundVirtualHosts: HTTP routes of
        sidecars know services by the one port of their listener, so that a service's only port is no default.
        """
        if way is Way.HTTP_PROXY and item.port is None:
            return dialled.port
        return destination_port(item, service, dialled.port)

    def _connection(self, scope: Scope, service: Service, dialled: Dialled, request: Request, mask: int) -> Split:
        """Return what happens to a connection that no proxy reads as HTTP, to a service of the scope."""
        port = service.port(dialled.port)
        tls = port is not None and port.protocol is Protocol.TLS
        found = [(item, item.tls if tls else item.tcp) for item in scope.connecting(service.hostname)]
        routes = [route for _, own in found for route in own]
        number, callers = dialled.port, self._callers
        parts: list[tuple[int, Split]] = []
        left = mask
        for item, own in found:
            if item.unmodelled:
                parts.append((mask, [(mask, _unread(item))]))
                left = 0
                continue
            chosen = connection_routes(
                own, request, port=number, gateways=_SIDECARS, callers=callers, mask=mask, beside=routes
            )
            split, rest = self._taken_routes(
                chosen, item, scope, dialled=dialled, request=request, mask=mask, way=Way.TCP_PROXY
            )
            parts.append((mask & ~rest, split))
            left &= rest
        split = whichever(parts)
        if tls and left:
            # Source: istio 1.29.1 pilot/pkg/networking/core/tls.go, buildSidecarOutboundTLSFilterChainOpts.
            lost = written(routes, number, gateways=_SIDECARS, callers=callers, mask=left, http=False)
            split += self._unknown_to_scope(dialled, request, lost) if lost else []
            left &= ~lost
        if left:
            split += self._to_service(
                scope, service, number, subset="", request=request, way=Way.TCP_PROXY, mask=left
            )
        return split

    def _nameless(self, scope: Scope, dialled: Dialled, request: Request, mask: int) -> Split | None:
        """Return what listeners do that take every address on their port; TLS goes by server name."""
        services = scope.nameless_ports.get(dialled.port, [])
        if not services or any(item.kubernetes for item in dialled.services):
            return None
        named = [
            item
            for item in services
            if (port := item.port(dialled.port)) is not None and port.protocol is Protocol.TLS
        ]
        if request.application is Application.TLS:
            found = [item for item in named if item.hostname == request.sni] or [
                item for item in named if item.hostname.startswith("*") and request.sni.endswith(item.hostname[1:])
            ]
            if found:
                return possible([self._connection(scope, item, dialled, request, mask) for item in found])
        plain = [item for item in services if item not in named]
        if plain:
            reason = f"the TCP port of {plain[0].hostname} has no address of its own and takes every connection"
            return [(mask, unknown(Hop.SOURCE_SIDECAR, reason, key=plain[0].key))]
        return None

    def _to_service(
        self, scope: Scope, service: Service, port: int, *, subset: str, request: Request, way: Way, mask: int
    ) -> Split:
        found = service.port(port)
        if found is None:
            reason = f"{service.hostname} has no port {port}"
            return [(mask, answer(Outcome.DENIED, Hop.SOURCE_SIDECAR, reason, seen=closed(way), key=service.key))]
        if service.unmodelled:
            reason = f"{service.key} has fields that are not modelled: {', '.join(service.unmodelled)}"
            return [(mask, unknown(Hop.SOURCE_SIDECAR, reason, key=service.key))]
        if service.external_name:
            reason = f"{service.key} is an alias of {service.external_name}, which is not modelled"
            return [(mask, unknown(Hop.SOURCE_SIDECAR, reason, key=service.key))]
        split: Split = []
        for labels, network, group in self._clients(mask):
            client = Client(namespace=scope.namespace, labels=labels, hop=Hop.SOURCE_SIDECAR, network=network)
            split += self._clusters.send(
                service,
                found,
                subset,
                client=client,
                way=way,
                request=request,
                inbound=self.inbound,
                mask=group,
            )
        return split

    def _clients(self, mask: int) -> list[tuple[dict[str, str], str, int]]:
        """Return the callers by what makes their proxies differ: labels and networks, as far as anything asks."""
        selecting, networks = self._clusters.selecting, bool(self._world.network_gateways)
        if not selecting and not networks:
            return [({}, "", mask)]
        groups: dict[tuple[tuple[tuple[str, str], ...], str], int] = {}
        for index in members(mask):
            caller = self._callers.list[index]
            labels = tuple(sorted(caller.labels.items())) if selecting else ()
            network = ""
            if networks and caller.workload is not None:
                network = self._world.network_of(self._world.workloads[caller.workload])
            groups[labels, network] = groups.get((labels, network), 0) | 1 << index
        return [(dict(labels), network, group) for (labels, network), group in groups.items()]

    def _unknown_to_scope(self, dialled: Dialled, request: Request, mask: int) -> Split:
        """Return what happens to callers whose scope holds nothing that takes the connection."""
        split: Split = []
        for (registry_only, ports), callers in self._scopes.rest.items():
            group = callers & mask
            if not group:
                continue
            by_host = dialled.port in ports
            if not registry_only:
                way = Way.HTTP_PROXY if by_host and request.http is not None else Way.TCP_PROXY
                split += self.direct(dialled, request, group, way)
                continue
            seen = Seen.BAD_GATEWAY_502 if by_host and request.http is not None else Seen.RESET
            reason = f"the caller's proxy does not know {dialled.name} port {dialled.port} (REGISTRY_ONLY)"
            for key, part in self._by_sidecar(group):
                split.append((part, answer(Outcome.DENIED, Hop.SOURCE_SIDECAR, reason, seen=seen, key=key)))
        return split

    def _by_sidecar(self, mask: int) -> list[tuple[Key | None, int]]:
        if mask.bit_count() > 1:
            return [(None, mask)]
        found = next((scope.key for scope in self._scopes.all if scope.callers & mask), None)
        return [(found, mask)]


def _without_overlap(split: Split) -> Split:
    """Return the split with every caller in its first part only."""
    taken = 0
    found: Split = []
    for mask, item in split:
        if own := mask & ~taken:
            found.append((own, item))
            taken |= own
    return found


def _unread(item: VirtualService) -> Answer:
    reason = f"{item.key} has fields that are not modelled: {', '.join(item.unmodelled)}"
    return unknown(Hop.SOURCE_SIDECAR, reason, key=item.key)


def _unusual(sidecar: Sidecar) -> bool:
    return bool(sidecar.unmodelled) or any(item.port is not None for item in sidecar.egress)


def _by_host(protocol: Protocol) -> bool:
    return protocol in {Protocol.HTTP, Protocol.UNDECLARED}


def _is_short(name: str, service: Service, namespace: str) -> bool:
    """Return whether ``name`` is a short form of a Service's name to proxies of a namespace.

    Source: istio 1.29.1 pilot/pkg/networking/core/httproute.go, GenerateAltVirtualHosts.
    """
    own = f"{service.key.name}.{service.namespace}"
    if name in {own, f"{own}.svc"}:
        return True
    return name == service.key.name and namespace == service.namespace


def _particular(capture: Capture) -> bool:
    return capture.included_ranges != ("*",) or bool(capture.excluded_ranges or capture.excluded_outbound)


def _captures(capture: Capture, addresses: set[str], port: int) -> bool | None:
    """Return whether a proxy takes outbound connections to a port of these addresses; None when not known.

    Source: istio 1.29.1 tools/istio-iptables/pkg/capture/run.go, Run: exclusions come before all inclusions.
    """
    if port in capture.excluded_outbound:
        return False
    named = port in capture.included_outbound
    if not addresses:
        return True if (named or capture.included_ranges == ("*",)) and not capture.excluded_ranges else None
    taken = {
        not _in_any(address, capture.excluded_ranges) and (named or _in_any(address, capture.included_ranges))
        for address in addresses
    }
    return taken.pop() if len(taken) == 1 else None


def _in_any(address: str, blocks: tuple[str, ...]) -> bool:
    found = ipaddress.ip_address(address)
    return any(block == "*" or found in ipaddress.ip_network(block, strict=False) for block in blocks)
