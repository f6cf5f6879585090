"""Gateways of Istio's own API: which server takes a connection, what it lets through, and where that leads.

Source: istio 1.29.1 pilot/pkg/networking/core/gateway.go (servers of one port, filter chains by server name,
virtual hosts, redirects), pilot/pkg/model/gateway.go. Authorization stands before routing: a refusal wins over 301
and 404.
"""

import dataclasses
from collections.abc import Callable, Mapping

from slipway.reachability import chains, virtual_hosts
from slipway.reachability.answers import Answer, Hop, Key, Outcome, Seen
from slipway.reachability.callers import ALONE, Caller, Callers
from slipway.reachability.clusters import Client, Clusters
from slipway.reachability.inbound import Inbound, Way, Wire, closed, told, unreachable, unreadable
from slipway.reachability.listeners import Listener, Opened, listener
from slipway.reachability.objects import Route, Service, ServicePort, VirtualService
from slipway.reachability.questions import Application
from slipway.reachability.registry import Registry
from slipway.reachability.request import Http, Request
from slipway.reachability.routing import (
    Chosen,
    destination_port,
    http_routes,
    immediate_answer,
    rewritten,
    used,
)
from slipway.reachability.split import Split, answer, joined, possible, unknown, with_reason
from slipway.reachability.strings import host_covers, without_port
from slipway.reachability.visibility import exported, most_specific, preferred
from slipway.reachability.world import Reach, World

_CLIENTS = frozenset({"MUTUAL", "OPTIONAL_MUTUAL"})  # which ask for certificates that are not the mesh's


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class _Arrival:
    """A request at a port of a gateway, from the callers of ``mask``."""

    inbound: Inbound
    index: int
    port: int
    hop: Hop
    wire: Wire
    way: Way
    request: Request
    mask: int

    def refused(self, reason: str, key: Key, *, seen: Seen | None = None) -> Split:
        """Return a refusal for all callers; a closed connection unless something else is seen."""
        found = closed(self.way) if seen is None else seen
        return [(self.mask, answer(Outcome.DENIED, self.hop, reason, seen=found, key=key))]

    def unheard(self, key: Key) -> Split:
        """Return a refusal for all callers, since nobody listens."""
        reason = f"no VirtualService leads on from port {self.port}, so that the gateway does not listen there"
        return self.refused(reason, key, seen=unreachable(self.way, Seen.REFUSED))


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class _Listening:
    """A port of a gateway: ``known`` are TLS chains, ``plain`` the one of bytes, ``twice`` a name that two have."""

    servers: Listener
    known: list[chains.Chain]
    plain: chains.Chain | None
    twice: str


class Gateways:
    """Decides at the gateways of one world."""

    def __init__(self, world: World, known: Registry, clusters: Clusters) -> None:
        self._world = world
        self._registry = known
        self._clusters = clusters
        self._behind: dict[int, Inbound] = {}
        self._known: dict[tuple[int, int], _Listening] = {}
        self._hosts: dict[tuple[int, int, int], Mapping[str, virtual_hosts.VirtualHost]] = {}

    def arrive(
        self, inbound: Inbound, index: int, port: int, *, wire: Wire, way: Way, request: Request, mask: int
    ) -> Split:
        """Return what happens to the callers of ``mask`` at a gateway and behind it."""
        key = self._world.workloads[index].key
        outside = all(caller.workload is None for caller in inbound.callers.list)
        hop = Hop.INGRESS_GATEWAY if outside else Hop.EGRESS_GATEWAY
        at = _Arrival(
            inbound=inbound, index=index, port=port, hop=hop, wire=wire, way=way, request=request, mask=mask
        )
        listening = self._listening(index, port)
        found = listening.servers
        if not found.opened:
            return at.refused(f"no Gateway opens port {port} at {key}", key, seen=unreachable(way, Seen.REFUSED))
        if found.odd is not None:
            return [(mask, unknown(hop, f"{found.odd} has fields that are not modelled", key=found.odd))]
        if found.lost is not None:
            reason = f"a server of {found.lost} has no place beside others on port {port} of {key}, or they beside it"
            return [(mask, unknown(hop, reason, key=found.lost))]
        if listening.plain is not None:
            return self._connection(at, listening.plain)
        return self._http(at, found.plain) if found.plain else self._tls(at, listening)

    def listens(self, index: int, port: int, *, wire: Wire, request: Request) -> bool:
        """Return whether a server of the gateway takes such a connection."""
        found = self._listening(index, port)
        if wire is Wire.PLAINTEXT or not found.servers.tls:
            return bool(found.servers.plain)
        return chains.choose(found.known, request.outer_sni) is not None

    def passes(self, index: int, port: int, host: str) -> bool:
        """Return whether the gateway passes mutual TLS on to a service of this name.

        Source: istio 1.29.1 pilot/pkg/networking/core/gateway.go, builtAutoPassthroughFilterChains: nothing is
        authorized there, and of a host only the name counts.
        """
        servers = self._listening(index, port).servers
        names = (name for item in servers.tls if item.server.tls == "AUTO_PASSTHROUGH" for name in item.server_names)
        return any(host_covers(name, host) for name in names)

    def _listening(self, index: int, port: int) -> _Listening:
        found = self._known.get((index, port))
        if found is None:
            workload = self._world.workloads[index]
            servers = listener(self._world, workload, port)
            known = chains.of_tls(self._world, servers, workload.namespace)
            first, plain = next(iter(servers.plain), None), None
            if first is not None and not first.server.is_http:
                plain = chains.of_plain(self._world, first, workload.namespace)
            found = _Listening(servers=servers, known=known, plain=plain, twice=chains.repeated(known))
            self._known[index, port] = found
        return found

    def _tls(self, at: _Arrival, listening: _Listening) -> Split:
        """Return what the chain of the server name does; without chains nobody listens."""
        servers, known = listening.servers, listening.known
        first, *_ = servers.tls
        key, name = first.gateway.key, "" if at.wire is Wire.PLAINTEXT else at.request.outer_sni
        automatic = next((item.gateway.key for item in servers.tls if item.server.tls == "AUTO_PASSTHROUGH"), None)
        if automatic is not None and at.wire is Wire.MUTUAL_TLS:
            reason = f"AUTO_PASSTHROUGH at {automatic} is modelled for other networks only"
            return [(at.mask, unknown(at.hop, reason, key=automatic))]
        if not known and automatic is None:
            return at.unheard(key)
        if listening.twice:
            reason = f"two servers or routes on port {at.port} are for {listening.twice}: Envoy refuses them all"
            return [(at.mask, unknown(at.hop, reason, key=key))]
        chosen = chains.choose(known, name)
        if chosen is None:
            return at.refused(f"no server on port {at.port} takes {at.wire.value} for {name or 'no name'}", key)
        if chosen.open:
            reason = f"which routes are for {', '.join(chosen.names)} on port {at.port} is a matter of their age"
            return [(at.mask, unknown(at.hop, reason, key=key))]
        return self._chain(at, chosen)

    def _chain(self, at: _Arrival, chain: chains.Chain) -> Split:
        server, key = chain.server.server, chain.server.gateway.key
        if server.passes:
            return self._authorized(at, at.request, lambda mask: self._on(at, at.request, chain, mask))
        if server.tls in _CLIENTS:
            return [(at.mask, unknown(at.hop, f"{server.tls} at {key} is not modelled", key=key))]
        wanted = Wire.MUTUAL_TLS if server.tls == "ISTIO_MUTUAL" else Wire.TLS
        if at.wire is not wanted:
            return at.refused(f"{key} takes {wanted.value}, and {at.wire.value} arrives", key)
        inner, identified = _taken_off(at.request, wanted), wanted is Wire.MUTUAL_TLS
        if server.is_http:
            return self._http(dataclasses.replace(at, request=inner), (chain.server,))
        return self._authorized(at, inner, lambda mask: self._on(at, inner, chain, mask), identified=identified)

    def _connection(self, at: _Arrival, chain: chains.Chain) -> Split:
        """Return what a server does that takes whatever comes; nobody reads the name of TLS there."""
        if not chain.routes:
            return at.unheard(chain.server.gateway.key)
        sent = at.request.carried("")
        return self._authorized(at, sent, lambda mask: self._on(at, sent, chain, mask))

    def _http(self, at: _Arrival, servers: tuple[Opened, ...]) -> Split:
        """Return what servers do that read HTTP; ``at`` has the request without TLS that they take off."""
        first, *_ = servers
        key, encrypted = first.gateway.key, bool(first.server.tls)
        if not encrypted and at.wire is not Wire.PLAINTEXT:
            return at.refused(f"port {at.port} of the gateway is HTTP, and {at.wire.value} arrives", key)
        http = at.request.http
        if http is None:
            reason = f"port {at.port} of the gateway is HTTP, and something else arrives"
            return at.refused(reason, key, seen=unreadable(at.request))
        sent = dataclasses.replace(at.request, application=Application.HTTP)
        return self._authorized(
            at,
            sent,
            lambda mask: self._routed(at, sent, http, servers, mask),
            tcp=False,
            identified=first.server.tls == "ISTIO_MUTUAL",
        )

    def _authorized(
        self,
        at: _Arrival,
        sent: Request,
        behind: Callable[[int], Split],
        *,
        tcp: bool = True,
        identified: bool = False,
    ) -> Split:
        """Return what authorization refuses, and for all others what is behind it.

        ``tcp`` tells that nobody reads HTTP there, ``identified`` that the gateway takes off mutual TLS of the mesh.
        """
        parts = at.inbound.authorized(
            self._world.workloads[at.index],
            at.port,
            at.wire,
            sent,
            at.mask,
            tcp=tcp,
            authenticated=identified,
        )
        split: Split = []
        for part, verdict in parts:
            if verdict.outcome is Outcome.ALLOWED:
                split += with_reason(behind(part), f"{at.hop.value}: {verdict.reason}")
            else:
                split.append((part, told(verdict, at.hop, at.wire, at.way, None if tcp else sent.http)))
        return joined(split)

    def _routed(self, at: _Arrival, sent: Request, http: Http, servers: tuple[Opened, ...], mask: int) -> Split:
        """Return what the virtual host of the Host header does."""
        workload, alone = self._world.workloads[at.index], self._inbound(at.index).callers
        first, *_ = servers
        key, host = first.gateway.key, without_port(http.host).lower()
        known = self._virtual_hosts(at, servers, alone)
        best = most_specific(host, known)
        if best is None:
            reason = f"no VirtualService at {key} is for {host}"
            return [(mask, answer(Outcome.DENIED, at.hop, reason, seen=Seen.NOT_FOUND_404, key=key))]
        place = known[best]
        if place.redirects and at.wire is Wire.PLAINTEXT:
            reason = "the gateway redirects to HTTPS"
            return [(mask, answer(Outcome.DENIED, at.hop, reason, seen=Seen.REDIRECT_301, key=key))]
        if odd := next((item for _, item in place.services if item.unmodelled), None):
            return [(mask, unknown(at.hop, f"{odd.key} has fields that are not modelled", key=odd.key))]
        taken = [
            (server, item, routes)
            for server, item in place.services
            if (routes := self._taken(server, item, http, alone))
        ]
        if not taken:
            reason = f"no route of a VirtualService at {key} matches the request"
            return [(mask, answer(Outcome.DENIED, at.hop, reason, seen=Seen.NOT_FOUND_404, key=key))]
        particular = [item for item in taken if not virtual_hosts.takes_everything(item[2][0].match)]
        splits = [
            self._by(routes, item, at, sent, port=server.server.port)
            for server, item, routes in self._first(particular or taken, workload.namespace)
        ]
        return [(mask, _alone(splits))]

    def _virtual_hosts(
        self, at: _Arrival, servers: tuple[Opened, ...], alone: Callers
    ) -> Mapping[str, virtual_hosts.VirtualHost]:
        first, *_ = servers
        key = (at.index, at.port, id(first.server))
        found = self._hosts.get(key)
        if found is None:
            namespace = self._world.workloads[at.index].namespace
            found = virtual_hosts.of(self._world, servers, namespace, alone)
            self._hosts[key] = found
        return found

    def _taken(self, server: Opened, item: VirtualService, http: Http, alone: Callers) -> list[Chosen]:
        return http_routes(
            item,
            http,
            port=server.server.port,
            gateways=frozenset({server.gateway.name}),
            callers=alone,
            mask=ALONE,
            normalization=self._world.mesh.normalization,
        )

    def _first(
        self, taken: list[tuple[Opened, VirtualService, list[Chosen]]], namespace: str
    ) -> list[tuple[Opened, VirtualService, list[Chosen]]]:
        """Return those of which one comes first: of one Gateway the servers in order, and what is seen least before.

        Of different Gateways the older one's come first, which the objects do not tell.
        """
        if len({server.gateway.name for server, _, _ in taken}) > 1:
            return taken

        def rank(server: Opened, item: VirtualService) -> tuple[int, Reach]:
            return server.gateway.servers.index(server.server), self._world.reach(item, namespace)

        first = min(rank(server, item) for server, item, _ in taken)
        return [found for found in taken if rank(found[0], found[1]) == first]

    def _by(self, routes: list[Chosen], item: VirtualService, at: _Arrival, sent: Request, *, port: int) -> Split:
        """Return what the routes do of which the request takes one."""
        splits = [self._route(chosen, item, at, sent, port=port) for chosen in routes]
        if not any(chosen.callers.must for chosen in routes):
            splits.append([(ALONE, unknown(at.hop, f"a route of {item.key} may match", key=item.key))])
        return possible(splits)

    def _route(self, chosen: Chosen, item: VirtualService, at: _Arrival, sent: Request, *, port: int) -> Split:
        immediate = immediate_answer(chosen.route, item.key, at.hop)
        if immediate is not None:
            return [(ALONE, immediate)]
        stated = dataclasses.replace(sent, forwarded=sent.forwarded or "gateway")
        changed = rewritten(stated, chosen, normalization=self._world.mesh.normalization)
        return self._destinations(at, changed, item, chosen.route, port=port, way=Way.HTTP_PROXY)

    def _on(self, at: _Arrival, sent: Request, chain: chains.Chain, mask: int) -> Split:
        """Return what happens to a connection that is led on as it is."""
        port = chain.server.server.port
        return [(mask, _alone([self._connected(at, sent, item, route, port) for item, route in chain.routes]))]

    def _connected(self, at: _Arrival, sent: Request, item: VirtualService, route: Route, port: int) -> Split:
        if item.unmodelled or route.unmodelled:
            reason = f"{item.key} has fields that are not modelled"
            return [(ALONE, unknown(at.hop, reason, key=item.key))]
        return self._destinations(at, sent, item, route, port=port, way=Way.TCP_PROXY)

    def _destinations(
        self, at: _Arrival, sent: Request, item: VirtualService, route: Route, *, port: int, way: Way
    ) -> Split:
        """Return what holds wherever a route leads."""
        splits: list[Split] = []
        for destination in used(route.destinations):
            for service in self._services(destination.host, self._world.workloads[at.index].namespace) or (None,):
                found = None if service is None else service.port(destination_port(destination, service, port))
                if service is not None and found is not None:
                    splits.append(self._send(at, service, found, subset=destination.subset, way=way, request=sent))
                else:
                    reason = f"{item.key} leads to {destination.host}, which is no service with such a port"
                    denied = answer(Outcome.DENIED, at.hop, reason, seen=closed(way), key=item.key)
                    splits.append([(ALONE, denied)])
        return possible(splits)

    def _send(
        self, at: _Arrival, service: Service, port: ServicePort, *, subset: str, way: Way, request: Request
    ) -> Split:
        workload = self._world.workloads[at.index]
        if service.unmodelled or service.external_name:
            return [(ALONE, unknown(at.hop, f"{service.key} has what is not modelled", key=service.key))]
        network = self._world.network_of(workload)
        client = Client(namespace=workload.namespace, labels=workload.labels, hop=at.hop, network=network)
        return self._clusters.send(
            service,
            port,
            subset,
            client=client,
            way=way,
            request=request,
            inbound=self._inbound(at.index),
            mask=ALONE,
        )

    def _inbound(self, index: int) -> Inbound:
        found = self._behind.get(index)
        if found is None:
            callers = Callers([self._caller(index)], pod_network=self._world.pod_network)
            found = Inbound(self._world, callers, self._registry, self)
            self._behind[index] = found
        return found

    def _caller(self, index: int) -> Caller:
        item = self._world.workloads[index]
        return Caller(
            identity=self._world.identity(item),
            addresses=item.addresses,
            namespace=item.namespace,
            labels=item.labels,
            workload=index,
        )

    def _services(self, host: str, namespace: str) -> list[Service]:
        """Return the service of a host that counts; several when that is a matter of age."""
        default = self._world.mesh.service_export
        seen = [
            item
            for item in self._world.services_by_host.get(host, ())
            if exported(item.export_to or default, owner=item.namespace, namespace=namespace)
        ]
        return preferred(seen, namespace)


def _alone(splits: list[Split]) -> Answer:
    """Return what the gateway, the one caller of each split, gets whichever of them is the real one."""
    ((_, found),) = possible(splits)
    return found


def _taken_off(request: Request, wire: Wire) -> Request:
    """Return the request inside of the TLS that a server takes off: the mesh's, or the client's own."""
    if wire is Wire.MUTUAL_TLS:
        return request
    http = request.http or request.inside
    application = Application.TCP if http is None else Application.HTTP
    return dataclasses.replace(request, application=application, http=http, inside=None)
