"""The ways in: hosts that Gateways open, kinds of requests that are told apart there, Services of a port."""

from collections.abc import Collection, Iterable, Mapping

from slipway.reachability import classes
from slipway.reachability.objects import Gateway, Server, Service, ServicePort, VirtualService
from slipway.reachability.questions import Host, Outside, Question
from slipway.reachability.registry import Registry
from slipway.reachability.world import World


def opened(world: World) -> dict[tuple[str, str, int], tuple[Gateway, Server]]:
    """Return the servers for clients outside by namespace of the Gateway, host and port.

    Servers that ask for the mesh's own certificates are for workloads; hosts with a wildcard stand for those that
    VirtualServices name.
    """
    found: dict[tuple[str, str, int], tuple[Gateway, Server]] = {}
    for gateway in world.gateways:
        for server in gateway.servers:
            if server.tls in {"ISTIO_MUTUAL", "AUTO_PASSTHROUGH"}:
                continue
            for host in _hosts(world, gateway, server):
                found.setdefault((gateway.namespace, host, server.port), (gateway, server))
    return found


def _hosts(world: World, gateway: Gateway, server: Server) -> Iterable[str]:
    for text in server.hosts:
        name = text.rpartition("/")[2]
        if not name.startswith("*"):
            yield name
            continue
        for item in bound(world, gateway):
            yield from (host for host in item.hosts if not host.startswith("*") and host.endswith(name[1:]))


def bound(world: World, gateway: Gateway) -> list[VirtualService]:
    """Return the VirtualServices of a Gateway."""
    return [item for item in world.virtual_services if gateway.name in item.gateways]


def compared(
    world: World, gateway: Gateway, server: Server, host: str, behind: Mapping[str, classes.Patterns]
) -> classes.Patterns | None:
    """Return what routes at a Gateway, and services behind them, compare; None where nobody reads HTTP."""
    if not server.is_http:
        return None
    routes = [item for item in bound(world, gateway) if host in item.hosts or _wild(item.hosts, host)]
    found = classes.of_routes(routes)
    for item in routes:
        for route in item.http:
            for destination in route.destinations:
                found |= behind.get(destination.host, classes.NONE)
    return found


def _wild(hosts: Collection[str], host: str) -> bool:
    return any(item.startswith("*") and host.endswith(item[1:]) for item in hosts)


def question(host: str, server: Server, kind: classes.Kind | None) -> Question:
    """Return the request of a client outside."""
    tls = bool(server.tls)
    return Question(
        source=Outside(),
        destination=Host(name=host),
        port=server.port,
        method=None if kind is None else kind.method,
        path=None if kind is None else kind.path,
        headers=() if kind is None else kind.headers,
        sni=host if tls else None,
    )


def leading_to(world: World, index: int, port: int) -> list[tuple[Service, ServicePort]]:
    """Return the services, and their ports, that lead to a port of a workload."""
    known = Registry(world)
    return [
        (service, item)
        for service in world.services
        for item in service.ports
        if any((target.workload, target.port) == (index, port) for target in known.targets(service, item))
    ]
