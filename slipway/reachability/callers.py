"""Who asks: many callers at once as bits of whole numbers, so that a rule is compared once and not once per pair."""

import ipaddress
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from slipway.reachability.strings import Match, Shape

ALONE = 1  # the mask of a caller that is the only one of a list
Network = ipaddress.IPv4Network | ipaddress.IPv6Network


@dataclass(frozen=True, slots=True, kw_only=True)
class Caller:
    """One caller as a destination meets it.

    ``identity`` is its SPIFFE URI, empty without a certificate; ``addresses`` are where its packets come from, empty
    when not known. ``workload`` is its position in the world, None for what the world does not know. Of a ``machine``
    the cluster's DNS is not asked.
    """

    identity: str
    addresses: tuple[str, ...]
    namespace: str = ""
    labels: Mapping[str, str] = field(default_factory=dict)
    workload: int | None = None
    machine: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Some:
    """Callers for which something holds: surely those of ``must``, possibly those of ``may``, which has them too."""

    must: int
    may: int

    def __and__(self, other: "Some") -> "Some":
        return Some(must=self.must & other.must, may=self.may & other.may)

    def __or__(self, other: "Some") -> "Some":
        return Some(must=self.must | other.must, may=self.may | other.may)

    @property
    def possibly(self) -> "Some":
        """The same callers, none of them surely."""
        return Some(must=0, may=self.may)

    def within(self, mask: int) -> "Some":
        """Return these callers without those outside of ``mask``."""
        return Some(must=self.must & mask, may=self.may & mask)

    def other_than(self, mask: int) -> "Some":
        """Return the callers of ``mask`` for which it does not hold."""
        return Some(must=mask & ~self.may, may=mask & ~self.must)


NOBODY = Some(must=0, may=0)


def where(mask: int, holds: bool | None) -> Some:
    """Return the callers of ``mask`` where something holds, nobody where it does not; None where nobody knows."""
    return NOBODY if holds is False else Some(must=mask if holds else 0, may=mask)


class Callers:
    """A fixed list of callers; bit ``n`` of a mask is caller ``n``. Comparisons are remembered.

    ``all`` are the callers of ``everybody``, surely; what holds for all of them is this very object.

    Callers without a known address are pods: they come from ``pod_network``, when that is known. ``machines`` are
    those on machines, ``outside`` those that the cluster does not run, ``by_workload`` those at positions of the
    world.
    """

    def __init__(self, callers: Iterable[Caller], *, pod_network: str = "") -> None:
        self._pod_network = ipaddress.ip_network(pod_network) if pod_network else None
        self.list = tuple(callers)
        self.everybody = (1 << len(self.list)) - 1
        self.all = Some(must=self.everybody, may=self.everybody)
        by_identity: dict[str, int] = defaultdict(int)
        by_address: dict[str, int] = defaultdict(int)
        by_workload: dict[int, int] = defaultdict(int)
        self.unplaced = self.machines = self.outside = 0
        for index, caller in enumerate(self.list):
            bit = 1 << index
            if caller.identity:
                by_identity[caller.identity] |= bit
            for address in caller.addresses:
                by_address[address] |= bit
            if not caller.addresses:
                self.unplaced |= bit
            if caller.machine:
                self.machines |= bit
            if caller.machine or caller.workload is None:
                self.outside |= bit
            if caller.workload is not None:
                by_workload[caller.workload] |= bit
        self.by_workload: Mapping[int, int] = dict(by_workload)
        self._by_identity = dict(by_identity)
        self._by_address = {_address(text): mask for text, mask in by_address.items()}
        self._identities: dict[Match, int] = {}
        self._blocks: dict[str, Some] = {}

    def at(self, workload: int | None) -> int:
        """Return the caller that is the workload at a position of the world."""
        return 0 if workload is None else self.by_workload.get(workload, 0)

    def identified(self, match: Match) -> int:
        """Return the callers whose certificate's identity matches; those without one never do."""
        if match.shape is Shape.EXACT:  # nobody compares identities without their case
            return self._by_identity.get(match.text, 0)
        found = self._identities.get(match)
        if found is None:
            found = 0
            for identity, mask in self._by_identity.items():
                if match.matches(identity):
                    found |= mask
            self._identities[match] = found
        return found

    def placed_in(self, block: str) -> Some:
        """Return the callers whose address lies in a CIDR block; raises ValueError when it is none."""
        found = self._blocks.get(block)
        if found is None:
            found = self._placed(ipaddress.ip_network(block, strict=False))
            self._blocks[block] = found
        return found

    def _placed(self, network: Network) -> Some:
        inside = outside = 0
        for address, mask in self._by_address.items():
            if address is not None and address in network:
                inside |= mask
            else:
                outside |= mask
        return where(self.unplaced, self._pods_in(network)) | Some(must=inside & ~outside, may=inside)

    def _pods_in(self, network: Network) -> bool | None:
        """Return whether the pods of unknown address are in a block."""
        pods = self._pod_network
        if pods is None:
            return True if network.prefixlen == 0 else None
        if _covers(network, pods):
            return True
        return None if pods.overlaps(network) else False


def _covers(network: Network, other: Network) -> bool:
    return other.network_address in network and other.broadcast_address in network


def _address(text: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(text)
    except ValueError:
        return None


def members(mask: int) -> list[int]:
    """Return the positions of the bits of ``mask``, ascending."""
    found: list[int] = []
    while mask:
        lowest = mask & -mask
        found.append(lowest.bit_length() - 1)
        mask ^= lowest
    return found
