"""The filter chains of a gateway's TLS and TCP servers: which server name leads where.

Source: istio 1.29.1 pilot/pkg/networking/core/gateway.go (buildGatewayNetworkFiltersFromTCPRoutes,
buildGatewayNetworkFiltersFromTLSRoutes, l4SingleMatch); Envoy takes the chain whose server name is the most specific.
"""

import collections
import dataclasses
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from slipway.reachability.listeners import Listener, Opened
from slipway.reachability.objects import Route, RouteMatch, VirtualService
from slipway.reachability.routing import gateways_allow
from slipway.reachability.virtual_hosts import bound
from slipway.reachability.visibility import most_specific
from slipway.reachability.world import Reach, World

Leading = tuple[VirtualService, Route]


@dataclass(frozen=True, slots=True, kw_only=True)
class Chain:
    """What takes connections to some server names; ``routes`` lead on where no HTTP is read: one of them does.

    ``open`` tells that it may be left out, for an older VirtualService that has one of its names.
    """

    names: tuple[str, ...]
    server: Opened
    routes: tuple[Leading, ...] = ()
    open: bool = False


def of_tls(world: World, listener: Listener, namespace: str) -> list[Chain]:
    """Return the chains of the servers that take TLS; one without a route has none."""
    found: list[Chain] = []
    passing: list[Chain] = []
    for item in listener.tls:
        server = item.server
        if server.tls == "PASSTHROUGH":
            passing += _passing(world, item, namespace)
        elif server.is_http:
            found.append(Chain(names=item.server_names, server=item))
        elif not server.passes and (chain := of_plain(world, item, namespace)).routes:
            found.append(chain)
    counts = collections.Counter(name for chain in passing for name in set(chain.names))
    return found + [
        dataclasses.replace(chain, open=any(counts[name] > 1 for name in chain.names)) for chain in passing
    ]


def of_plain(world: World, server: Opened, namespace: str) -> Chain:
    """Return where a server leads whatever comes: by the first route of the first VirtualService that has one."""
    found: dict[Reach, list[Leading]] = {}
    for item in _about(world, server, namespace):
        route = next((route for route in item.tcp if _fits(route.matches, server)), None)
        if route is not None:
            found.setdefault(world.reach(item, namespace), []).append((item, route))
    nearest = next(iter(found.values()), [])
    return Chain(names=server.server_names, server=server, routes=tuple(nearest))


def _about(world: World, server: Opened, namespace: str) -> Iterable[VirtualService]:
    """Return the VirtualServices for a server, those that fewest see first."""
    for item in bound(world, server, namespace):
        if any(server.meets(host, item.namespace) for host in item.hosts):
            yield item


def _fits(matches: Sequence[RouteMatch], server: Opened) -> bool:
    return not matches or any(_is_for(match, server) for match in matches)


def _is_for(match: RouteMatch, server: Opened) -> bool:
    """Return whether a match is for a server: at gateways only ports and names of Gateways count."""
    return match.port in {None, server.server.port} and gateways_allow(match, frozenset({server.gateway.name}))


def _passing(world: World, server: Opened, namespace: str) -> list[Chain]:
    """Return the chains of a server that TLS goes through: one per match.

    Left out is a match with a server name of one surely before: of its VirtualService, or of one that fewer see.
    """
    found: list[Chain] = []
    for item in _about(world, server, namespace):
        reach = world.reach(item, namespace)
        nearer = [chain for chain in found if all(world.reach(owner, namespace) < reach for owner, _ in chain.routes)]
        taken = {name for chain in nearer for name in chain.names}
        for route in item.tls:
            for match in route.matches:
                if _is_for(match, server) and taken.isdisjoint(match.sni_hosts):
                    taken.update(match.sni_hosts)
                    found.append(Chain(names=match.sni_hosts, server=server, routes=((item, route),)))
    return found


def repeated(chains: Iterable[Chain]) -> str:
    """Return a server name that two chains have, empty for none: Envoy refuses the whole listener then.

    Istiod sees to it that chains of routes of TLS have none in common.
    """
    known = list(chains)
    taken = [set(item.names) for item in known if not item.server.server.passes]
    taken.append({name for item in known if item.server.server.passes for name in item.names})
    seen = set[str]()
    for names in taken:
        if twice := seen & names:
            return min(twice)
        seen |= names
    return ""


def choose(chains: Iterable[Chain], name: str) -> Chain | None:
    """Return the chain that takes a server name."""
    known = list(chains)
    best = most_specific(name, (host for item in known for host in item.names))
    return next((item for item in known if best in item.names), None)
