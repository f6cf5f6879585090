"""NetworkPolicy at both ends of a connection, for many callers at once.

Source: Kubernetes 1.34 networking.k8s.io/v1 NetworkPolicySpec; kube-router compares after the Service's address was
replaced by the endpoint's, and answers a refused connection with an ICMP error.
"""

import functools
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass

from slipway.reachability.answers import Key, Seen
from slipway.reachability.callers import NOBODY, Callers, Some, where
from slipway.reachability.network_peers import Peers
from slipway.reachability.network_selectors import port_listed, selector_matches
from slipway.reachability.objects import NetworkPolicy, Workload
from slipway.reachability.world import Engine, World

REFUSAL = {Engine.KUBE_ROUTER: Seen.REFUSED, Engine.CILIUM: Seen.TIMEOUT, Engine.UNKNOWN: Seen.UNKNOWN}


@dataclass(frozen=True, slots=True, kw_only=True)
class Passage:
    """Who of ``callers`` gets through; ``key`` is a policy that isolates them."""

    callers: int
    through: Some
    key: Key


@dataclass(frozen=True, slots=True, kw_only=True)
class _Isolated:
    """Callers to whom just these policies apply; groups with the same ``alike`` get out to the same places."""

    policies: tuple[NetworkPolicy, ...]
    callers: int
    alike: int


class NetworkPolicies:
    """Decides for one world and one list of callers; selectors are compared once."""

    def __init__(self, world: World, callers: Callers) -> None:
        self._world = world
        self._callers = callers
        self._engine = world.engine
        self._peers = Peers(world, callers)
        self._ways: dict[tuple[int, str, int], list[Some]] = {}

    def into(self, workload: Workload, place: str, port: int, mask: int, *, led: bool) -> Passage | None:
        """Return which callers of ``mask`` reach a pod's port, by the policies of the pod; None where it has none.

        ``place`` is the pod's address; ``led`` tells that the node leads them there from a Service's address.
        """
        if self._engine is Engine.NONE or workload.machine or workload.host_network:
            return None
        policies = self._isolating(workload)
        if not policies:
            return None
        found = self._let_in(policies, workload, port) | self._itself(workload, led=led) | self._on_the_node(workload)
        if self._may_be_router:
            found |= self._as_router(self._let_out_there(policies, workload, place, port))
            found |= self._as_router(self._led_back(workload, place, port)) if led else NOBODY
        return Passage(callers=mask, through=found.within(mask), key=policies[0].key)

    def _let_in(self, policies: Iterable[NetworkPolicy], workload: Workload, port: int) -> Some:
        """Return the callers that rules of these policies name, for a pod that all of them isolate."""
        found = NOBODY
        for policy in policies:
            for rule in policy.ingress or ():
                if port_listed(rule, port, workload.ports):
                    found |= self._peers.callers(rule, policy.namespace)
            if policy.unmodelled:
                found |= self._callers.all.possibly
        return found

    def isolates(self, workload: Workload) -> bool:
        """Return whether policies limit who gets into a pod."""
        return self._engine is not Engine.NONE and bool(self._isolating(workload))

    def _isolating(self, workload: Workload) -> list[NetworkPolicy]:
        """Return the policies that limit who gets into a pod."""
        return [item for item in self._selecting(workload) if item.ingress is not None]

    def _selecting(self, workload: Workload) -> list[NetworkPolicy]:
        own = self._world.network_policies_in.get(workload.namespace, ())
        return [item for item in own if selector_matches(item.pods, workload.labels)]

    def _itself(self, workload: Workload, *, led: bool) -> Some:
        """Return the caller that is this very pod: what it sends to its own address never leaves it.

        What the node leads back does leave it, and kube-router compares it (:meth:`_led_back`); Cilium may lead on
        before it leaves.
        Source: Kubernetes documentation, concepts/services-networking/network-policies, "can not block access to
        itself".
        """
        own = self._own(workload)
        if not led:
            return own
        return NOBODY if self._engine is Engine.KUBE_ROUTER else own.possibly

    def _own(self, workload: Workload) -> Some:
        """Return the caller that is this very pod; of several pods another one may be meant."""
        own = self._callers.at(self._world.index_of[workload.namespace, workload.name])
        return where(own, len(workload.addresses) == 1 or None)

    def _on_the_node(self, workload: Workload) -> Some:
        """Return the callers on the node's own network: what is on a pod's own node always reaches it.

        Source: Kubernetes documentation, concepts/services-networking/network-policies, "traffic to and from the node
        where a Pod is running is always allowed"; kube-router 2.6.3 pkg/controllers/netpol/pod.go,
        setupPodNetpolRules (src-type LOCAL).
        """
        found = NOBODY
        for callers, nodes in self._hosted:
            found |= where(callers, _beside(nodes, workload.nodes))
        return found

    @functools.cached_property
    def _hosted(self) -> list[tuple[int, frozenset[str]]]:
        """The callers on a node's own network, each with its nodes."""
        found = ((own, self._world.workloads[index]) for index, own in self._callers.by_workload.items())
        return [(own, item.nodes) for own, item in found if item.host_network]

    # kube-router: a pod has one chain for both directions, and passes what any of its policies marks there
    # Source: kube-router 2.6.3 pkg/controllers/netpol/pod.go, setupPodNetpolRules, and policy.go, processIngressRules

    @property
    def _may_be_router(self) -> bool:
        return self._engine in {Engine.KUBE_ROUTER, Engine.UNKNOWN}

    def _as_router(self, found: Some) -> Some:
        """Return whom kube-router lets through besides; possibly where it is not known what the engine is."""
        return found if self._engine is Engine.KUBE_ROUTER else found.possibly

    def _led_back(self, workload: Workload, place: str, port: int) -> Some:
        """Return the caller that is this very pod, where either direction lets it through."""
        leaving = [item for item in self._selecting(workload) if item.egress is not None]
        entering = self._isolating(workload)
        out = self._leaving(leaving, workload, place, port) if leaving else self._callers.all
        into = self._let_in(entering, workload, port) if entering else self._callers.all
        return self._own(workload) & (out | into)

    def _let_out_there(self, policies: Iterable[NetworkPolicy], workload: Workload, place: str, port: int) -> Some:
        """Return the callers whom a policy of the pod called lets out to it: one that is about both ends."""
        found = NOBODY
        for policy in policies:
            if callers := self._held.get(id(policy)):
                found |= self._leaving((policy,), workload, place, port).within(callers)
        return found

    @functools.cached_property
    def _held(self) -> dict[int, int]:
        """The callers that a policy isolates on their way out, by the policy's ``id``."""
        found: dict[int, int] = defaultdict(int)
        for group in self._isolated:
            for policy in group.policies:
                found[id(policy)] |= group.callers
        return found

    def out_of(self, target: Workload | None, place: str, port: int, mask: int, *, led: bool) -> list[Passage]:
        """Return who of ``mask`` may open a connection to a workload or a place outside, by their own policies.

        One passage per distinct policies that hold callers back; nothing holds back who is in none.
        """
        if self._engine is Engine.NONE or not self._world.network_policies:
            return []
        through = self._through(target, place, port)
        if all(everybody is self._callers.all for everybody in through):
            return []
        passages: list[Passage] = []
        itself = NOBODY if target is None else self._itself(target, led=led)
        entering: list[NetworkPolicy] = []
        if self._may_be_router and target is not None and not target.machine and not target.host_network:
            entering = self._isolating(target)
            itself |= self._as_router(self._led_back(target, place, port)) if led else NOBODY
        for group in self._isolated:
            own, let_out = group.callers & mask, through[group.alike]
            if not own or let_out is self._callers.all:
                continue
            named = itself | let_out
            if target is not None and (both := [item for item in entering if item in group.policies]):
                # One policy about both ends lets in there whom it holds back here.
                named |= self._as_router(self._let_in(both, target, port))
            passages.append(Passage(callers=own, through=named.within(own), key=group.policies[0].key))
        return passages

    @functools.cached_property
    def _isolated(self) -> list[_Isolated]:
        """Callers by the policies that isolate them on their way out, in the order of the policies."""
        found: list[_Isolated] = []
        meanings: dict[tuple[object, ...], int] = {}
        for namespace, policies in self._world.network_policies_in.items():
            egress = [(number, item) for number, item in enumerate(policies) if item.egress is not None]
            groups: dict[tuple[int, ...], int] = defaultdict(int)
            for workload, callers in self._held_in(namespace) if egress else ():
                applied = tuple(number for number, item in egress if selector_matches(item.pods, workload.labels))
                if applied:
                    groups[applied] |= callers
            for applied, callers in groups.items():
                chosen = tuple(policies[number] for number in applied)
                alike = meanings.setdefault(tuple(_meaning(item) for item in chosen), len(meanings))
                found.append(_Isolated(policies=chosen, callers=callers, alike=alike))
        return found

    def _held_in(self, namespace: str) -> list[tuple[Workload, int]]:
        """Return the pods of a namespace that policies can hold back, each as a caller."""
        found = (
            (self._world.workloads[index], self._callers.at(index))
            for index in self._world.workloads_in.get(namespace, ())
        )
        return [(item, own) for item, own in found if own and not item.machine and not item.host_network]

    def _through(self, target: Workload | None, place: str, port: int) -> list[Some]:
        """Return whether policies let everybody out to a destination, for each ``alike``."""
        key = (id(target), place, port)
        found = self._ways.get(key)
        if found is None:
            firsts = {group.alike: group for group in reversed(self._isolated)}
            found = [self._leaving(firsts[alike].policies, target, place, port) for alike in sorted(firsts)]
            self._ways[key] = found
        return found

    def _leaving(self, policies: Iterable[NetworkPolicy], target: Workload | None, place: str, port: int) -> Some:
        """Return everybody where these policies let out to a destination: surely, possibly, or not at all."""
        found = NOBODY
        for policy in policies:
            if policy.unmodelled:
                found = self._callers.all.possibly
            names = target.ports if target is not None else {}
            for rule in (item for item in policy.egress or () if port_listed(item, port, names)):
                named = self._peers.destination(rule, policy.namespace, target, place)
                if named:
                    return self._callers.all
                if named is None:
                    found = self._callers.all.possibly
        return found


def _beside(nodes: frozenset[str], others: frozenset[str]) -> bool | None:
    """Return whether something on one of these nodes is on the same one as something on one of the others."""
    if nodes.isdisjoint(others):
        return False if nodes and others else None
    return True if len(nodes | others) == 1 else None


def _meaning(policy: NetworkPolicy) -> tuple[object, ...]:
    """Return what tells a policy apart from others on the way out: namespaces often have the same one each."""
    peers = [peer for rule in policy.egress or () for peer in rule.peers]
    own = any(not peer.block and peer.namespaces is None for peer in peers)
    return repr(policy.egress), bool(policy.unmodelled), policy.namespace if own else ""
