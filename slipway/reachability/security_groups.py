"""Network security groups of machines, for many callers at once.

Source: Azure documentation, network-security-groups-overview: rules in order of priority, then the default ones
(the virtual network to itself, anything to the internet, nothing else inbound).
"""

from collections.abc import Iterable

from slipway.manifests.nsg import Access, Direction, NsgRule, Protocol
from slipway.reachability import places
from slipway.reachability.callers import NOBODY, Callers, Some, where
from slipway.reachability.world import World

_ANY = "*"


class SecurityGroups:
    """The security groups of one world's machines, as some callers meet them."""

    def __init__(self, world: World, callers: Callers) -> None:
        self._world = world
        self._callers = callers
        found = ((own, world.workloads[index]) for index, own in callers.by_workload.items())
        self._guarded = [(own, item.name) for own, item in found if item.machine and item.name in world.nsg]

    def out_of(self, place: str, port: int, mask: int) -> Iterable[tuple[str, int, Some]]:
        """Return the machines among the callers of ``mask`` that have a group, and whether it lets them out."""
        for alone, machine in self._guarded:
            if mask & alone:
                yield machine, alone, where(alone, outbound(self._world, machine, place, port))

    def into(self, machine: str, port: int, mask: int) -> Some:
        """Return which callers of ``mask`` reach a TCP port of a machine."""
        return inbound(self._world, machine, self._callers, port, mask)


def inbound(world: World, machine: str, callers: Callers, port: int, mask: int) -> Some:
    """Return which callers of ``mask`` reach a TCP port of a machine."""
    rules = _rules(world, machine, Direction.INBOUND)
    if rules is None:
        return Some(must=mask, may=mask)
    through, rest = NOBODY, Some(must=mask, may=mask)
    for rule in rules:
        if not _covers(rule, port):
            continue
        found = NOBODY
        for block in rule.remote:
            found |= _from(callers, block)
        through, rest = _decided(rule, found, through, rest)
    inside = NOBODY if world.virtual_network else Some(must=0, may=callers.everybody)
    for block in world.virtual_network:
        inside |= callers.placed_in(block)
    return (through | (rest & inside)).within(mask)


def _decided(rule: NsgRule, found: Some, through: Some, rest: Some) -> tuple[Some, Some]:
    """Return who is through and whom the next rule sees."""
    if rule.access is Access.ALLOW:
        through |= found & rest
    return through, Some(must=rest.must & ~found.may, may=rest.may & ~found.must)


def outbound(world: World, machine: str, place: str, port: int) -> bool | None:
    """Return whether a machine reaches a TCP port at a place; None when that is not known."""
    rules = _rules(world, machine, Direction.OUTBOUND)
    return True if rules is None else _outwards(rules, place, port)


def _outwards(rules: Iterable[NsgRule], place: str, port: int) -> bool | None:
    """Return what the first rule says that covers the place; after the last one everything is let out."""
    doubtful: set[bool] = set()
    for rule in rules:
        if not _covers(rule, port):
            continue
        held = [block == _ANY or places.inside(place, block) for block in rule.remote]
        access = rule.access is Access.ALLOW
        if True in held:
            return access if doubtful <= {access} else None
        if None in held:
            doubtful.add(access)
    return True if doubtful <= {True} else None


def _rules(world: World, machine: str, direction: Direction) -> list[NsgRule] | None:
    if machine not in world.nsg:
        return None
    own = [rule for rule in world.nsg[machine] if rule.direction is direction]
    return sorted(own, key=lambda rule: rule.priority)


def _covers(rule: NsgRule, port: int) -> bool:
    if rule.protocol is Protocol.UDP:
        return False
    for text in rule.ports:
        first, dash, last = text.partition("-")
        if text == _ANY or (first.isdigit() and int(first) <= port <= int(last if dash else first)):
            return True
    return False


def _from(callers: Callers, block: str) -> Some:
    if block == _ANY:
        return Some(must=callers.everybody, may=callers.everybody)
    try:
        return callers.placed_in(block)
    except ValueError:  # a service tag such as Internet or VirtualNetwork
        return Some(must=0, may=callers.everybody)
