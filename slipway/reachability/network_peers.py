"""Whom rules of NetworkPolicies name: callers and destinations, by labels and by address blocks."""

import functools
from collections.abc import Iterable

from slipway.reachability import places
from slipway.reachability.callers import NOBODY, Callers, Some
from slipway.reachability.network_selectors import pod_matches
from slipway.reachability.objects import Peer, PolicyRule, Workload
from slipway.reachability.world import Engine, World


class Peers:
    """Compares for one world and one list of callers; each peer is compared once."""

    def __init__(self, world: World, callers: Callers) -> None:
        self._world = world
        self._callers = callers
        self._engine = world.engine
        self._peers: dict[tuple[int, str], Some] = {}
        self._places: dict[places.Blocks, Some] = {}

    def callers(self, rule: PolicyRule, namespace: str) -> Some:
        """Return the callers that an ingress rule of a policy in ``namespace`` names."""
        if not rule.peers:
            return self._callers.all
        found = self._in_blocks(rule)
        for peer in rule.peers:
            found |= NOBODY if peer.block else self._peer(peer, namespace)
        return found

    def destination(self, rule: PolicyRule, namespace: str, target: Workload | None, place: str) -> bool | None:
        """Return whether an egress rule of a policy in ``namespace`` names the destination; None when not known."""
        if not rule.peers:
            return True
        found = self._covers(rule, target, place)
        if found or target is None or target.machine or target.host_network:
            return found
        named = any(not peer.block and pod_matches(self._world, peer, namespace, target) for peer in rule.peers)
        return True if named else found

    def _peer(self, peer: Peer, namespace: str) -> Some:
        known = self._peers.get((id(peer), namespace))
        if known is None:
            known = self._peers[id(peer), namespace] = self._selected(peer, namespace)
        return known

    def _selected(self, peer: Peer, namespace: str) -> Some:
        found = 0
        for index, own in self._callers.by_workload.items():
            workload = self._world.workloads[index]
            if (
                not workload.machine
                and not workload.host_network
                and pod_matches(self._world, peer, namespace, workload)
            ):
                found |= own
        return Some(must=found, may=found)

    def _readings(self, rule: PolicyRule) -> tuple[tuple[places.Blocks, ...], ...]:
        """Return the address blocks of a rule in the ways in which engines compare them.

        kube-router takes all of them for one set, so that an exception of one peer holds for the others too, where it
        is narrower; what wins when both state the very same block is not known. Source: kube-router 2.6.3
        pkg/controllers/netpol/policy.go, evalIPBlockPeer; ipset(8), hash:net, `nomatch`.
        """
        found = tuple((peer.block, peer.excepted) for peer in rule.peers if peer.block)
        each, united = tuple((item,) for item in found), (found,)
        if self._engine is Engine.CILIUM:
            return (each,)
        return (united,) if self._engine is Engine.KUBE_ROUTER else (each, united)

    # Cilium compares no block with what the cluster itself has, and Kubernetes leaves it open.
    # Source: learn.microsoft.com/azure/aks/azure-cni-powered-by-cilium, Limitations; Kubernetes documentation,
    # concepts/services-networking/network-policies, "These should be cluster-external IPs".

    def _in_blocks(self, rule: PolicyRule) -> Some:
        first, *others = (self._placed_in_any(blocks) for blocks in self._readings(rule))
        found = functools.reduce(_in_either, others, first)
        if self._engine is Engine.KUBE_ROUTER:
            return found
        apart = found.within(self._callers.outside)
        return apart if self._engine is Engine.CILIUM else apart | found.possibly

    def _covers(self, rule: PolicyRule, target: Workload | None, place: str) -> bool | None:
        inside = target is not None and not target.machine
        if inside and self._engine is Engine.CILIUM:
            return False
        readings = [_any(places.covers(item, place) for item in blocks) for blocks in self._readings(rule)]
        agreed, *others = dict.fromkeys(readings)
        found = None if others else agreed
        return None if found and inside and self._engine is not Engine.KUBE_ROUTER else found

    def _placed_in_any(self, blocks: tuple[places.Blocks, ...]) -> Some:
        found = NOBODY
        for item in blocks:
            found |= self._placed(item)
        return found

    def _placed(self, blocks: places.Blocks) -> Some:
        known = self._places.get(blocks)
        if known is None:
            known = self._places[blocks] = self._compared(blocks)
        return known

    def _compared(self, blocks: places.Blocks) -> Some:
        found = NOBODY
        for block, named in places.narrowing(blocks):
            held = self._callers.placed_in(block)
            rest = held.other_than(self._callers.everybody)
            found = found | held if named else found & rest
            if named is None:
                found |= held.possibly
        return found


def _in_either(first: Some, second: Some) -> Some:
    """Return the callers of two readings, of which nobody knows which one holds."""
    return first & second | (first | second).possibly


def _any(values: Iterable[bool | None]) -> bool | None:
    found: bool | None = False
    for item in values:
        if item:
            return True
        found = None if item is None else found
    return found
