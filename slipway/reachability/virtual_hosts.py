"""The virtual hosts of a gateway's HTTP: hosts of servers and of VirtualServices cut with each other.

Source: istio 1.29.1 pilot/pkg/networking/core/gateway.go, buildGatewayHTTPRouteConfig; pilot/pkg/model/
push_context.go, VirtualServicesForGateway; networking/core/route/route.go, SortVHostRoutes and IsCatchAllRoute.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from slipway.reachability import strings
from slipway.reachability.callers import ALONE, Callers
from slipway.reachability.listeners import Opened
from slipway.reachability.objects import RouteMatch, VirtualService
from slipway.reachability.routing import present
from slipway.reachability.visibility import exported
from slipway.reachability.world import World


@dataclass(slots=True, kw_only=True)
class VirtualHost:
    """What answers for a host: VirtualServices, each with the server by which it is there; ``redirects`` to HTTPS."""

    services: list[tuple[Opened, VirtualService]]
    redirects: bool = False


def bound(world: World, server: Opened, namespace: str) -> list[VirtualService]:
    """Return the VirtualServices of a server's Gateway that ``namespace`` sees, those exported farthest last."""
    default = world.mesh.virtual_service_export
    seen = [
        item
        for item in world.virtual_services
        if server.gateway.name in item.gateways
        and exported(item.export_to or default, owner=item.namespace, namespace=namespace)
    ]
    return sorted(seen, key=lambda item: world.reach(item, namespace))


def of(world: World, servers: Iterable[Opened], namespace: str, callers: Callers) -> Mapping[str, VirtualHost]:
    """Return the virtual hosts of servers that share their routes, by host in lower case."""
    found: dict[str, VirtualHost] = {}
    for server in servers:
        for item in bound(world, server, namespace):
            if not item.unmodelled and not _has_routes(item, server, callers):
                continue
            for name in _common(server.hosts_for(item.namespace), item.hosts):
                place = found.setdefault(name, VirtualHost(services=[]))
                place.services.append((server, item))
                place.redirects |= server.server.redirect
        if server.server.redirect:
            for name in server.hosts:
                found.setdefault(name.lower(), VirtualHost(services=[])).redirects = True
    return found


def _has_routes(item: VirtualService, server: Opened, callers: Callers) -> bool:
    gateways = frozenset({server.gateway.name})
    return bool(present(item, port=server.server.port, gateways=gateways, callers=callers, mask=ALONE))


def _common(hosts: Iterable[str], others: Iterable[str]) -> list[str]:
    """Return the narrower one of each two hosts of which one covers the other, in lower case."""
    others = tuple(others)
    found: list[str] = []
    for host in hosts:
        for other in others:
            if strings.host_covers(other, host):
                found.append(host.lower())
            elif strings.host_covers(host, other):
                found.append(other.lower())
    return list(dict.fromkeys(found))


def takes_everything(match: RouteMatch | None) -> bool:
    """Return whether a match leaves nothing out: such routes come behind all others of a virtual host."""
    if match is None:
        return True
    if any((match.method, match.authority, match.headers, match.without_headers, match.query, match.unmodelled)):
        return False
    if match.uri is None:
        return True
    wanted = {"prefix": "/", "regex": ".*"}.get(match.uri.kind)
    return match.uri.text == wanted and (match.uri.kind == "regex" or not match.ignore_uri_case)
