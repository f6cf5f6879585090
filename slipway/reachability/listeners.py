"""What a gateway's Envoy listens with: the servers of all its Gateways, merged port by port as istiod merges them.

Source: istio 1.29.1 pilot/pkg/model/gateway.go (mergeGateways, resolvePorts, sanitizeServerHostNamespace,
CheckDuplicates) and push_context.go, mergeGateways.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from slipway.reachability import strings
from slipway.reachability.answers import Key
from slipway.reachability.objects import PLAIN_HTTP, Gateway, Server, Workload
from slipway.reachability.registry import target_port
from slipway.reachability.world import World, selects


@dataclass(frozen=True, slots=True, kw_only=True)
class Opened:
    """A server of a Gateway that selects the workload.

    ``hosts`` are ``namespace/host``, or ``host`` for VirtualServices of every namespace.
    """

    gateway: Gateway
    server: Server
    hosts: tuple[str, ...]

    def hosts_for(self, namespace: str) -> list[str]:
        """Return the hosts that VirtualServices of a namespace may be about."""
        pairs = (host.rpartition("/") for host in self.hosts)
        return [name for place, _, name in pairs if place in {"", namespace}]

    def meets(self, host: str, namespace: str) -> bool:
        """Return whether a host of a VirtualService is under one of the server's, or the other way round."""
        return any(strings.hosts_meet(name, host) for name in self.hosts_for(namespace))

    @property
    def server_names(self) -> tuple[str, ...]:
        """The names by which clients choose the server in TLS."""
        return tuple(dict.fromkeys(host.rpartition("/")[2] for host in self.hosts))


@dataclass(frozen=True, slots=True, kw_only=True)
class Listener:
    """The servers of one port: plain ones, and those that TLS tells apart by server names.

    ``lost`` is a Gateway of which a server has no place there beside an older Gateway's, while objects do not tell
    which of them is older; ``odd`` one with fields that are not modelled.
    """

    plain: tuple[Opened, ...] = ()
    tls: tuple[Opened, ...] = ()
    lost: Key | None = None
    odd: Key | None = None

    @property
    def opened(self) -> tuple[Opened, ...]:
        """All servers."""
        return (*self.plain, *self.tls)


def listener(world: World, workload: Workload, port: int) -> Listener:
    """Return what a gateway listens with on a port of its own.

    Of two servers of one Gateway that do not go together the first one stays; of different Gateways the older one's
    does, which the objects do not tell.
    """
    plain: list[Opened] = []
    tls: list[Opened] = []
    known: dict[str, Key] = {}
    lost: Key | None = None
    servers = list(_of(world, workload, port))
    for item in servers:
        key = item.gateway.key
        rivals = {known[host] for host in item.hosts if host in known} if item.server.has_tls else set[Key]()
        if not rivals and plain and not (item.server.protocol in PLAIN_HTTP and plain[0].server.is_http):
            rivals = {other.gateway.key for other in plain}
        if rivals:
            lost = lost or (key if rivals != {key} else None)
            continue
        if item.server.has_tls:
            known.update(dict.fromkeys(item.hosts, key))
        if not item.server.tls and tls:
            lost = lost or key  # plaintext beside TLS: whether Envoy takes that is a matter of their hosts
        (tls if item.server.tls else plain).append(item)
    odd = next((item.gateway.key for item in servers if item.gateway.unmodelled), None)
    return Listener(plain=tuple(plain), tls=tuple(tls), lost=lost, odd=odd)


def _of(world: World, workload: Workload, port: int) -> Iterable[Opened]:
    led = _led(world, workload)
    for gateway in world.gateways:
        if world.opens(gateway, workload):
            for server in gateway.servers:
                if port in led.get(server.port, {server.port}):
                    yield Opened(gateway=gateway, server=server, hosts=tuple(_hosts(gateway, server)))


def _led(world: World, workload: Workload) -> dict[int, set[int]]:
    """Return the ports that are listened on for ports of Services, which stand for their targets."""
    found: dict[int, set[int]] = {}
    for service in world.services:
        own = service.kubernetes and service.selector and service.namespace == workload.namespace
        if own and selects(service.selector, workload.labels):
            for item in service.ports:
                if (target := target_port(workload, item)) is not None:
                    found.setdefault(item.number, set()).add(target)
    return found


def _hosts(gateway: Gateway, server: Server) -> Iterable[str]:
    for text in server.hosts:
        place, slash, name = text.rpartition("/")
        if not slash or place == "*":
            yield name
        else:
            yield f"{gateway.namespace if place == '.' else place}/{name}"
