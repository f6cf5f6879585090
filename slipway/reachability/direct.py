"""A connection that no proxy of the caller changes: its caller has none, or it passes what it does not know."""

import dataclasses

from slipway.reachability.answers import Hop, Outcome, Seen
from slipway.reachability.dialled import Dialled
from slipway.reachability.inbound import Inbound, Way, Wire, closed
from slipway.reachability.objects import Resolution
from slipway.reachability.questions import Application
from slipway.reachability.registry import Registry, Target
from slipway.reachability.request import Request
from slipway.reachability.split import Split, answer, possible
from slipway.reachability.world import World


class Direct:
    """Decides for one world, by what stands before the destination."""

    def __init__(self, world: World, known: Registry, inbound: Inbound) -> None:
        self._world = world
        self._registry = known
        self._inbound = inbound

    def send(self, dialled: Dialled, request: Request, mask: int, way: Way) -> Split:
        """Return what happens to a connection that goes to the address dialled as it is."""
        wire = Wire.TLS if request.application is Application.TLS else Wire.PLAINTEXT
        targets = self._targets(dialled)
        if not targets:
            reason = f"nothing answers at {dialled.name} port {dialled.port}"
            seen = closed(way) if way is not Way.DIRECT else Seen.REFUSED
            return [(mask, answer(Outcome.DENIED, Hop.DESTINATION, reason, seen=seen))]
        sent = request.carried(request.sni if wire is Wire.TLS else "")
        return possible([self._inbound.arrive(target, wire, way, sent, mask) for target in dict.fromkeys(targets)])

    def _targets(self, dialled: Dialled) -> list[Target]:
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
