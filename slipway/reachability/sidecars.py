"""What the proxies of callers make of a connection: by scope, listener, route and cluster.

Source: istio 1.29.1 pilot/pkg/networking/core/listener.go, httproute.go (virtual hosts by Host header on listeners
of a port; a fallback that passes or blocks), tls.go, and pilot/pkg/networking/util/util.go.
"""

import functools
import operator

from slipway.reachability import paths
from slipway.reachability.answers import Answer, Hop, Outcome, Seen
from slipway.reachability.callers import Callers, members
from slipway.reachability.clusters import Client, Clusters
from slipway.reachability.concerned import Concerned, names_above
from slipway.reachability.dialled import Dialled
from slipway.reachability.direct import Direct
from slipway.reachability.inbound import UNREAD, Inbound, Way, closed
from slipway.reachability.objects import Protocol, Route, RouteDestination, Service, ServicePort, VirtualService
from slipway.reachability.questions import Application
from slipway.reachability.read_routes import MESH
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
from slipway.reachability.split import Split, answer, possible, unknown, whichever
from slipway.reachability.strings import without_port
from slipway.reachability.world import World

_SIDECARS = frozenset({MESH})
_HTTP_PORT = 80


class Sidecars:
    """Decides for one world and one list of callers."""

    def __init__(self, world: World, callers: Callers, clusters: Clusters, inbound: Inbound, direct: Direct) -> None:
        self._world = world
        self._callers = callers
        self._clusters = clusters
        self._inbound = inbound
        self._direct = direct
        self._scopes = Scopes(world, callers)
        self._concerned = Concerned(world, self._scopes, clusters)

    def send(self, dialled: Dialled, request: Request, mask: int) -> Split:
        """Return what happens to the callers of ``mask``, all of whose proxies take the connection."""
        split: Split = []
        rest = mask
        alike: dict[tuple[object, ...], tuple[Scope, int]] = {}
        for scope, key in self._concerned.scopes(dialled, request):
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
        turns = scope.routing(service.hostname)
        return self._in_turn(scope, turns, [service], dialled, request=request, http=request.http, mask=mask)

    def _by_host(self, scope: Scope, dialled: Dialled, request: Request, http: Http, mask: int) -> Split | None:
        """Route HTTP by its Host header, as the listener of the port does whatever address was dialled."""
        if paths.normalized(http.path, self._world.mesh.normalization) is None:
            # 400, or a reset where the listener sniffs and takes it for no HTTP.
            return [(mask, answer(Outcome.DENIED, Hop.SOURCE_SIDECAR, UNREAD, seen=Seen.UNKNOWN))]
        name = self._concerned.called(http.host)
        services = self._called(scope, name) or self._above(scope, name)
        if not services and name in self._world.service_at:
            services = scope.pick([self._world.service_at[name]])
        services = [item for item in services if (port := item.port(dialled.port)) and _by_host(port.protocol)]
        if not services:
            # Only the virtual host of a service has its name with a dot at the end, too.
            name = without_port(http.host).lower()
            wild = [item for item in self._wildcards if name.endswith(item.hostname[1:]) and scope.sees(item)]
            services = [item for item in wild if item.port(dialled.port)]
        turns = scope.routing(services[0].hostname if services else name)
        if not services:
            turns = [
                [item for item in turn if self._takes_strangers(scope, item, name, dialled.port)] for turn in turns
            ]
            if not any(turns):
                return None
        return self._in_turn(scope, turns, services, dialled, request=request, http=http, mask=mask)

    def _called(self, scope: Scope, name: str) -> list[Service]:
        """Return what a scope has by a full name, or by a short one."""
        return scope.pick(self._world.services_by_host.get(name, ())) or [
            item
            for item in self._concerned.short.get(name, ())
            if _is_short(name, item, scope.namespace) and scope.sees(item)
        ]

    def _above(self, scope: Scope, name: str) -> list[Service]:
        """Return the headless Service that a name is below: its virtual host takes those of its pods, too.

        Source: istio 1.29.1 pilot/pkg/networking/core/httproute.go, generateVirtualHostDomains.
        """
        above = (self._called(scope, item) for item in names_above(name))
        return next((found for services in above if (found := [item for item in services if item.headless])), [])

    def _in_turn(
        self,
        scope: Scope,
        turns: list[list[VirtualService]],
        services: list[Service],
        dialled: Dialled,
        *,
        request: Request,
        http: Http,
        mask: int,
    ) -> Split:
        """Return what the first VirtualService does that has routes for a caller, else the service.

        Which one of a turn comes first is a matter of age; of those that only cover the host the first one is taken
        whether it has routes or not.
        """
        covering = bool(services) and not any(services[0].hostname in item.hosts for turn in turns for item in turn)
        split: Split = []
        rest = mask
        for turn in turns:
            having = [rest if item.unmodelled else self._present(item, dialled.port, rest) for item in turn]
            somebodys = functools.reduce(operator.or_, having, 0)
            parts = [
                (own, self._routed(scope, item, dialled, request=request, http=http, mask=own))
                for item, own in zip(turn, having, strict=True)
                if own
            ]
            absent = [somebodys & ~own for own in having] if covering else []
            parts += [
                (lack, self._without_routes(scope, services, dialled, request, lack)) for lack in absent if lack
            ]
            split += whichever(parts)
            rest &= ~somebodys
        return split + self._without_routes(scope, services, dialled, request, rest) if rest else split

    def _present(self, item: VirtualService, port: int, mask: int) -> int:
        return present(item, port=port, gateways=_SIDECARS, callers=self._callers, mask=mask)

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
        dialled: Dialled,
        *,
        request: Request,
        http: Http,
        mask: int,
    ) -> Split:
        if service.unmodelled:
            return [(mask, _unread(service))]
        chosen = http_routes(
            service,
            http,
            port=dialled.port,
            gateways=_SIDECARS,
            callers=self._callers,
            mask=mask,
            normalization=self._world.mesh.normalization,
        )
        split, rest = self._taken_routes(
            chosen, service, scope, dialled=dialled, request=request, mask=mask, way=Way.HTTP_PROXY
        )
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
                self._to_service(
                    scope, item, dialled.port, dialled, subset="", request=request, way=Way.HTTP_PROXY, mask=mask
                )
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
        self._inbound.walk.keep_alone()
        split: Split = []
        rest = mask
        for item in chosen:
            rest &= ~item.callers.may
            if item.callers.must:
                split += self._route(
                    item,
                    service,
                    scope,
                    dialled=dialled,
                    request=request,
                    mask=item.callers.must,
                    way=way,
                )
            if doubtful := item.callers.may & ~item.callers.must:
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
                dialled,
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
        parts = [
            self._led_on(scope, item, own, dialled, request=request, mask=mask, beside=routes) for item, own in found
        ]
        split = whichever(parts)
        left = mask & ~functools.reduce(operator.or_, (taken for taken, _ in parts), 0)
        if tls and left:
            # Source: istio 1.29.1 pilot/pkg/networking/core/tls.go, buildSidecarOutboundTLSFilterChainOpts.
            lost = written(routes, number, gateways=_SIDECARS, callers=callers, mask=left, http=False)
            split += self._unknown_to_scope(dialled, request, lost) if lost else []
            left &= ~lost
        if left:
            split += self._to_service(
                scope, service, number, dialled, subset="", request=request, way=Way.TCP_PROXY, mask=left
            )
        return split

    def _led_on(
        self,
        scope: Scope,
        item: VirtualService,
        routes: tuple[Route, ...],
        dialled: Dialled,
        *,
        request: Request,
        mask: int,
        beside: list[Route],
    ) -> tuple[int, Split]:
        """Return the callers whose connections the routes of a VirtualService take, and what comes of them."""
        if item.unmodelled:
            return mask, [(mask, _unread(item))]
        chosen = connection_routes(
            routes,
            request,
            port=dialled.port,
            gateways=_SIDECARS,
            callers=self._callers,
            mask=mask,
            beside=beside,
        )
        split, rest = self._taken_routes(
            chosen, item, scope, dialled=dialled, request=request, mask=mask, way=Way.TCP_PROXY
        )
        return mask & ~rest, split

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
        self,
        scope: Scope,
        service: Service,
        port: int,
        dialled: Dialled,
        *,
        subset: str,
        request: Request,
        way: Way,
        mask: int,
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
        there = tuple(self._direct.targets(dialled)) if service.headless else ()
        for labels, network, group in self._clients(mask):
            client = Client(
                namespace=scope.namespace, labels=labels, hop=Hop.SOURCE_SIDECAR, network=network, dialled=there
            )
            split += self._clusters.send(
                service,
                found,
                subset,
                client=client,
                way=way,
                request=request,
                inbound=self._inbound,
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
        split = self._direct.past_the_proxy(dialled, mask)
        mask &= ~sum(callers for callers, _ in split)
        for (registry_only, ports), callers in self._scopes.rest.items():
            if group := callers & mask:
                way = Way.HTTP_PROXY if dialled.port in ports and request.http is not None else Way.TCP_PROXY
                refused = [(group, self._unregistered(dialled, way))]
                split += refused if registry_only else self._direct.send(dialled, request, group, way)
        return split

    def _unregistered(self, dialled: Dialled, way: Way) -> Answer:
        seen = Seen.BAD_GATEWAY_502 if way is Way.HTTP_PROXY else Seen.RESET
        reason = f"the caller's proxy does not know {dialled.name} port {dialled.port} (REGISTRY_ONLY)"
        return answer(Outcome.DENIED, Hop.SOURCE_SIDECAR, reason, seen=seen, key=self._scopes.sole)

    @functools.cached_property
    def _wildcards(self) -> list[Service]:
        return [item for item in self._world.services if item.hostname.startswith("*")]


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
