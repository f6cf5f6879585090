"""A connection that no proxy of the caller changes: its caller has none, or it passes what it does not know."""

from slipway.reachability.answers import Hop, Outcome, Seen, Transport
from slipway.reachability.callers import Callers
from slipway.reachability.dialled import Dialled
from slipway.reachability.inbound import Inbound, Way, Wire, closed, unheard
from slipway.reachability.objects import Resolution, Service
from slipway.reachability.questions import Application
from slipway.reachability.registry import Registry, Target
from slipway.reachability.request import Request
from slipway.reachability.split import Split, answer, possible
from slipway.reachability.world import World

# Source: istio 1.29.1 tools/istio-iptables/pkg/capture/run.go, Run: what an application sends to itself by its
# endpoint's address stays on the loopback interface, which is not captured.
TO_ITSELF = answer(
    Outcome.ALLOWED,
    Hop.DESTINATION,
    "it calls itself by its own address, which nothing stands before",
    seen=Seen.ANSWER,
    transport=Transport.PLAINTEXT,
)
_NOWHERE = Target(workload=None, address="", port=0, labels={})


class Direct:
    """Decides for one world, by what stands before the destination."""

    def __init__(self, world: World, callers: Callers, known: Registry, inbound: Inbound) -> None:
        self._world = world
        self._callers = callers
        self._registry = known
        self._inbound = inbound

    def send(self, dialled: Dialled, request: Request, mask: int, way: Way) -> Split:
        """Return what happens to a connection that goes to the address dialled as it is."""
        split = self._unnamed(dialled, mask)
        rest = mask & ~sum(callers for callers, _ in split)
        return split + self._led(dialled, request, rest, way) if rest else split

    def past_the_proxy(self, dialled: Dialled, mask: int) -> Split:
        """Return what comes of callers whose proxy, which does not know the name, never hears of the connection.

        Of machines: pods meet their proxies, and nodes lead nobody to machines.
        """
        if not mask & self._callers.machines:
            return []
        first, *others = self.targets(dialled) or [_NOWHERE]
        own = 0 if others else self._callers.at(first.workload) & self._callers.machines & mask
        ways: list[Split] = [[(own, TO_ITSELF)]] + ([[(own, unheard(first, Way.DIRECT))]] if first.unheard else [])
        return [*(possible(ways) if own else []), *self._unnamed(dialled, mask & ~own)]

    def _unnamed(self, dialled: Dialled, mask: int) -> Split:
        """Return the callers that do not ask the cluster's DNS: to a machine its proxy alone names Services.

        Source: istio.io ops/deployment/vm-architecture, DNS.
        """
        machines = mask & self._callers.machines if dialled.is_of_the_cluster else 0
        reason = f"no proxy names {dialled.name} for the caller, and a machine does not ask the cluster's DNS"
        return [(machines, answer(Outcome.DENIED, Hop.DESTINATION, reason, seen=Seen.NO_NAME))] if machines else []

    def targets(self, dialled: Dialled) -> list[Target]:
        """Return where packets go that are sent to what was dialled: one of these places."""
        if dialled.workload is not None:
            workload = self._world.workloads[dialled.workload]
            place, port = workload.address, dialled.port
            return [Target(workload=dialled.workload, address=place, port=port, labels=workload.labels)]
        kubernetes = [item for item in dialled.services if item.kubernetes and not item.external_name]
        if kubernetes:
            return self._behind(kubernetes[0], dialled.port)
        found: list[Target] = []
        for service in dialled.services:
            for address in service.addresses:
                index = self._world.workload_at.get(address)
                labels = self._world.workloads[index].labels if index is not None else {}
                found.append(Target(workload=index, address=address, port=dialled.port, labels=labels))
            if not service.addresses and service.resolution is Resolution.STATIC:
                found += self._registry.named(service, dialled.port)  # wherever DNS has the name from
        stranger = Target(workload=None, address=dialled.address, port=dialled.port, labels={})
        return found or self._registry.balanced(stranger) or [stranger]

    def _behind(self, service: Service, number: int) -> list[Target]:
        """Return where the node leads from a Service's address, or DNS to the pods of a headless one."""
        if service.headless:
            return list(self._registry.named(service, number))
        port = service.port(number)
        return [] if port is None else list(self._registry.led_to(service, port))

    def _led(self, dialled: Dialled, request: Request, mask: int, way: Way) -> Split:
        wire = Wire.TLS if request.application is Application.TLS else Wire.PLAINTEXT
        targets = self.targets(dialled)
        if not targets:
            reason = f"nothing answers at {dialled.name} port {dialled.port}"
            seen = closed(way) if way is not Way.DIRECT else Seen.REFUSED
            return [(mask, answer(Outcome.DENIED, Hop.DESTINATION, reason, seen=seen))]
        sent = request.carried(request.sni if wire is Wire.TLS else "")
        return possible([self._inbound.arrive(target, wire, way, sent, mask) for target in dict.fromkeys(targets)])
