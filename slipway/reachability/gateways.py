"""Gateways of Istio's own API: which server takes a connection, what it lets through, and where that leads.

Source: istio 1.29.1 pilot/pkg/networking/core/gateway.go (servers of one port, filter chains by server name,
virtual hosts, redirects), pilot/pkg/model/gateway.go. Authorization stands before routing: a refusal wins over 301
and 404.
"""

import dataclasses
from collections.abc import Iterable
from dataclasses import dataclass

from slipway.reachability import strings
from slipway.reachability.answers import Answer, Hop, Outcome, Seen
from slipway.reachability.callers import Caller, Callers
from slipway.reachability.clusters import Client, Clusters
from slipway.reachability.inbound import Inbound, Way, Wire, closed, told
from slipway.reachability.objects import Gateway, Server, Service, VirtualService, Workload
from slipway.reachability.questions import Application
from slipway.reachability.registry import Registry, target_port
from slipway.reachability.request import Request
from slipway.reachability.routing import (
    Chosen,
    connection_routes,
    destination_port,
    http_routes,
    immediate_answer,
    rewritten,
    used,
)
from slipway.reachability.split import Split, answer, joined, possible, unknown, with_reason
from slipway.reachability.visibility import exported, most_specific
from slipway.reachability.world import World, selects

_TERMINATING = frozenset({"SIMPLE", "MUTUAL", "ISTIO_MUTUAL", "OPTIONAL_MUTUAL"})
_HTTP = frozenset({"HTTP", "HTTP2", "GRPC", "GRPC-WEB"})


@dataclass(frozen=True, slots=True, kw_only=True)
class _Open:
    """A server of a Gateway that listens on the port asked for."""

    gateway: Gateway
    server: Server

    @property
    def name(self) -> str:
        """The gateway as VirtualServices name it."""
        return f"{self.gateway.namespace}/{self.gateway.key.name}"

    def covers(self, host: str, namespace: str = "") -> bool:
        """Return whether the server's hosts take ``host``, for a VirtualService of ``namespace`` when stated."""
        for item in self.server.hosts:
            place, slash, name = item.rpartition("/")
            wanted = {"": "*", ".": self.gateway.namespace}.get(place, place) if slash else "*"
            if namespace and wanted not in {"*", namespace}:
                continue
            if strings.hosts_meet(name, host):
                return True
        return False


class Gateways:
    """Decides at the gateways of one world."""

    def __init__(self, world: World, known: Registry, clusters: Clusters) -> None:
        self._world = world
        self._registry = known
        self._clusters = clusters
        self._behind: dict[int, Inbound] = {}

    def arrive(
        self, inbound: Inbound, index: int, port: int, *, wire: Wire, way: Way, request: Request, mask: int
    ) -> Split:
        """Return what happens to the callers of ``mask`` at a gateway and behind it."""
        workload = self._world.workloads[index]
        outside = all(caller.workload is None for caller in inbound.callers.list)
        hop = Hop.INGRESS_GATEWAY if outside else Hop.EGRESS_GATEWAY
        servers = self._servers(workload, port)
        if not servers:
            reason = f"no Gateway opens port {port} at {workload.key}"
            return [(mask, answer(Outcome.DENIED, hop, reason, seen=closed(way), key=workload.key))]
        if odd := next((item.gateway for item in servers if item.gateway.unmodelled), None):
            return [(mask, unknown(hop, f"{odd.key} has fields that are not modelled", key=odd.key))]
        chosen = [item for item in servers if self._takes(item, wire, request)]
        if not chosen:
            name = request.outer_sni or "this host"
            reason = f"no server of a Gateway on port {port} takes {wire.value} for {name}"
            return [(mask, answer(Outcome.DENIED, hop, reason, seen=closed(way), key=servers[0].gateway.key))]
        if any(item.server.tls in {"AUTO_PASSTHROUGH", "MUTUAL", "OPTIONAL_MUTUAL"} for item in chosen):
            reason = f"{chosen[0].server.tls} at {chosen[0].gateway.key} is not modelled"
            return [(mask, unknown(hop, reason, key=chosen[0].gateway.key))]
        return self._through(
            inbound, index, port, servers=chosen, hop=hop, wire=wire, way=way, request=request, mask=mask
        )

    def listens(self, index: int, port: int, *, wire: Wire, request: Request) -> bool:
        """Return whether a server of the gateway takes such a connection."""
        servers = self._servers(self._world.workloads[index], port)
        return any(self._takes(item, wire, request) for item in servers)

    def passes(self, index: int, port: int, host: str) -> bool:
        """Return whether the gateway passes mutual TLS on to a service of this name.

        Source: istio 1.29.1 pilot/pkg/networking/core/gateway.go, builtAutoPassthroughFilterChains: nothing is
        authorized there, and of a host only the name counts.
        """
        servers = self._servers(self._world.workloads[index], port)
        return any(item.server.tls == "AUTO_PASSTHROUGH" and item.covers(host) for item in servers)

    def _servers(self, workload: Workload, port: int) -> list[_Open]:
        """Return the servers on a port of the gateway's Envoy; a server names the port of the gateway's Service."""
        numbers = {
            item.number
            for service in self._world.services
            if service.kubernetes and service.selector and service.namespace == workload.namespace
            if selects(service.selector, workload.labels)
            for item in service.ports
            if target_port(workload, item) == port
        } or {port}
        return [
            _Open(gateway=gateway, server=server)
            for gateway in self._world.gateways
            if gateway.selector and selects(gateway.selector, workload.labels)
            for server in gateway.servers
            if server.port in numbers
        ]

    def _takes(self, item: _Open, wire: Wire, request: Request) -> bool:
        server = item.server
        if server.tls in _TERMINATING or server.tls.endswith("PASSTHROUGH"):
            if wire is Wire.PLAINTEXT or (server.tls == "ISTIO_MUTUAL" and wire is not Wire.MUTUAL_TLS):
                return False
            return item.covers(request.outer_sni)
        return wire is Wire.PLAINTEXT or server.protocol not in _HTTP

    def _through(
        self,
        inbound: Inbound,
        index: int,
        port: int,
        *,
        servers: list[_Open],
        hop: Hop,
        wire: Wire,
        way: Way,
        request: Request,
        mask: int,
    ) -> Split:
        workload = self._world.workloads[index]
        server = servers[0].server
        is_http = server.protocol in _HTTP or (server.protocol == "HTTPS" and server.tls in _TERMINATING)
        inner = _terminated(request, server, is_http=is_http)
        if is_http and inner.http is None:
            reason = f"port {port} of the gateway is HTTP, and something else arrives"
            return [(mask, answer(Outcome.DENIED, hop, reason, seen=closed(way), key=servers[0].gateway.key))]
        identified = server.tls == "ISTIO_MUTUAL"
        parts = inbound.authorized(workload, port, wire, inner, mask, tcp=not is_http, authenticated=identified)
        split: Split = []
        for part, verdict in parts:
            if verdict.outcome is Outcome.ALLOWED:
                led = self._lead(index, servers, hop, inner, part, is_http=is_http)
                split += with_reason(led, f"{hop.value}: {verdict.reason}")
            else:
                split.append((part, told(verdict, hop, wire, way, inner.http if is_http else None)))
        return joined(split)

    def _lead(
        self, index: int, servers: list[_Open], hop: Hop, request: Request, mask: int, *, is_http: bool
    ) -> Split:
        workload = self._world.workloads[index]
        names = frozenset(item.name for item in servers)
        host = _without_port(request.http.host).lower() if is_http and request.http is not None else request.outer_sni
        if is_http and any(item.server.redirect and item.covers(host) for item in servers):
            reason = "the gateway redirects to HTTPS"
            return [(mask, answer(Outcome.DENIED, hop, reason, seen=Seen.REDIRECT_301, key=servers[0].gateway.key))]
        found = list(self._virtual_services(servers, names, workload, host, is_http=is_http))
        if odd := next((item for item in found if item.unmodelled), None):
            return [(mask, unknown(hop, f"{odd.key} has fields that are not modelled", key=odd.key))]
        port = servers[0].server.port
        answers = [
            item
            for service in found
            if (item := self._by(service, index, names, port=port, hop=hop, request=request, is_http=is_http))
            is not None
        ]
        if not answers:
            key = servers[0].gateway.key
            reason = f"no route of a VirtualService at {key} matches the request"
            seen = Seen.NOT_FOUND_404 if is_http else Seen.RESET
            return [(mask, answer(Outcome.DENIED, hop, reason, seen=seen, key=key))]
        return possible([[(mask, item)] for item in answers])

    def _virtual_services(
        self, servers: list[_Open], names: frozenset[str], workload: Workload, host: str, *, is_http: bool
    ) -> Iterable[VirtualService]:
        default = self._world.mesh.virtual_service_export
        bound = [
            item
            for item in self._world.virtual_services
            if names & set(item.gateways)
            and exported(item.export_to or default, owner=item.namespace, namespace=workload.namespace)
            and any(server.covers(name, item.namespace) for server in servers for name in item.hosts)
        ]
        if not is_http:
            return bound
        best = most_specific(host, (name for item in bound for name in item.hosts))
        return [item for item in bound if best is not None and best in item.hosts]

    def _by(
        self,
        service: VirtualService,
        index: int,
        names: frozenset[str],
        *,
        port: int,
        hop: Hop,
        request: Request,
        is_http: bool,
    ) -> Answer | None:
        """Return what the routes of a VirtualService do with the request; None when none matches."""
        alone = Callers([self._caller(index)])
        if is_http and request.http is not None:
            chosen = http_routes(
                service,
                request.http,
                port=port,
                gateways=names,
                callers=alone,
                mask=1,
                normalization=self._world.mesh.normalization,
            )
        else:
            chosen = connection_routes(
                (*service.tls, *service.tcp), request, port=port, gateways=names, callers=alone, mask=1
            )
        if not chosen:
            return None
        splits = [self._route(item, service, index, port=port, hop=hop, request=request) for item in chosen]
        if not any(item.callers.must for item in chosen):
            splits.append([(1, unknown(hop, f"a route of {service.key} may match", key=service.key))])
        return possible(splits)[0][1]

    def _route(
        self, chosen: Chosen, service: VirtualService, index: int, *, port: int, hop: Hop, request: Request
    ) -> Split:
        immediate = immediate_answer(chosen.route, service.key, hop)
        if immediate is not None:
            return [(1, immediate)]
        sent = rewritten(request, chosen, normalization=self._world.mesh.normalization)
        way = Way.HTTP_PROXY if sent.http is not None and sent.application is Application.HTTP else Way.TCP_PROXY
        splits: list[Split] = []
        for item in used(chosen.route.destinations):
            target = self._service(item.host, self._world.workloads[index].namespace)
            number = 0 if target is None else destination_port(item, target, port)
            found = None if target is None else target.port(number)
            if target is None or found is None:
                reason = f"{service.key} leads to {item.host}, which is no service with such a port"
                splits.append([(1, answer(Outcome.DENIED, hop, reason, seen=closed(way), key=service.key))])
                continue
            splits.append(self._send(index, target, found.number, subset=item.subset, hop=hop, way=way, request=sent))
        return possible(splits)

    def _send(
        self, index: int, service: Service, port: int, *, subset: str, hop: Hop, way: Way, request: Request
    ) -> Split:
        workload = self._world.workloads[index]
        found = service.port(port)
        if found is None or service.unmodelled or service.external_name:
            return [(1, unknown(hop, f"{service.key} has what is not modelled", key=service.key))]
        network = self._world.network_of(workload)
        client = Client(namespace=workload.namespace, labels=workload.labels, hop=hop, network=network)
        return self._clusters.send(
            service,
            found,
            subset,
            client=client,
            way=way,
            request=request,
            inbound=self._inbound(index),
            mask=1,
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

    def _service(self, host: str, namespace: str) -> Service | None:
        default = self._world.mesh.service_export
        seen = [
            item
            for item in self._world.services_by_host.get(host, ())
            if exported(item.export_to or default, owner=item.namespace, namespace=namespace)
        ]
        own = [item for item in seen if item.namespace == namespace]
        return next((item for item in own or seen if item.kubernetes), (own or seen or [None])[0])


def _terminated(request: Request, server: Server, *, is_http: bool) -> Request:
    """Return the request inside of the TLS that the server takes off."""
    if is_http:
        return Request(
            application=Application.HTTP,
            http=request.http,
            outer_sni=request.outer_sni,
            forwarded=request.forwarded or "gateway",
        )
    if server.tls in _TERMINATING and server.tls != "ISTIO_MUTUAL":
        return Request(application=Application.TCP, http=None, outer_sni=request.outer_sni)
    return dataclasses.replace(request, http=None) if server.tls == "PASSTHROUGH" else request


def _without_port(host: str) -> str:
    name, colon, port = host.rpartition(":")
    return name if colon and port.isdigit() else host
