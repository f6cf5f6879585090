"""The first hop: whether a proxy of the caller takes a connection, or nobody does."""

import functools
import ipaddress
import operator
from collections.abc import Iterable

from slipway.reachability.answers import Hop, Key, Outcome, Seen
from slipway.reachability.callers import NOBODY, Callers, Some, where
from slipway.reachability.clusters import Clusters
from slipway.reachability.dialled import Dialled
from slipway.reachability.direct import TO_ITSELF, Direct
from slipway.reachability.gateways import Gateways
from slipway.reachability.inbound import Inbound, Way
from slipway.reachability.objects import Capture, Proxy
from slipway.reachability.registry import Registry
from slipway.reachability.request import Request
from slipway.reachability.sidecars import Sidecars
from slipway.reachability.split import Split, answer, doubted, joined, unknown
from slipway.reachability.walks import Walk
from slipway.reachability.world import World


class Outbound:
    """Decides for one world and one list of callers; ``registry`` has the endpoints of services."""

    def __init__(self, world: World, callers: Callers) -> None:
        self._world = world
        self._callers = callers
        self.registry = Registry(world)
        clusters = Clusters(world, self.registry)
        self.inbound = Inbound(world, callers, self.registry, Gateways(world, self.registry, clusters))
        self._direct = Direct(world, callers, self.registry, self.inbound)
        self._sidecars = Sidecars(world, callers, clusters, self.inbound, self._direct)
        self._clear = self._sort()

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
        itself = self._calling_itself(dialled).within(mask)
        own = itself.must
        if own:
            split.append((own, TO_ITSELF))
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
        split += self._direct.send(dialled, request, bare, Way.DIRECT) if bare else []
        split += self._sidecars.send(dialled, request, proxied) if proxied else []
        return joined(doubted(split, itself.may & ~own, TO_ITSELF))

    def _calling_itself(self, dialled: Dialled) -> Some:
        """Return the caller that is the workload dialled by its address; of several pods another one may be meant.

        Those of a headless Service may find themselves behind its name.
        """
        if dialled.workload is not None:
            alone = len(self._world.workloads[dialled.workload].addresses) == 1
            return where(self._callers.at(dialled.workload), alone or None)
        if not any(item.headless for item in dialled.services):
            return NOBODY
        behind = self._direct.targets(dialled)
        workloads = [item.workload for item in behind if item.workload is not None]
        found = functools.reduce(operator.or_, map(self._callers.at, workloads), 0)
        pods = sum(len(self._world.workloads[index].addresses) for index in workloads)
        alone = pods == 1 and len(behind) == 1 and not behind[0].unheard
        return where(found, alone or None)

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


def _particular(capture: Capture) -> bool:
    return (capture.included_ranges, capture.excluded_ranges, capture.excluded_outbound) != (("*",), (), frozenset())


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
    agreed, *others = taken
    return None if others else agreed


def _in_any(address: str, blocks: tuple[str, ...]) -> bool:
    found = ipaddress.ip_address(address)
    return any(block == "*" or found in ipaddress.ip_network(block, strict=False) for block in blocks)
