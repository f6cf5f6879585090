"""Rounds: sets applied, requests sent and asked about, answers compared."""

import dataclasses
import random
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from benchmarks.judge import asking, fleet, herd, sets, shrink
from benchmarks.judge.mesh import Mesh, Refused, identity
from slipway import reachability
from slipway.world import kubernetes

_SETTLED_S = 600.0  # on a computer that others use too
_CANDIDATES = 2  # random requests per request that is sent, so that about half of those sent are allowed
_AGAIN = 2
CHOSEN = 2  # every second request at most is one that a set itself asks for
_ROOT = "istio-system"

Object = dict[str, Any]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """One request of a set with its answer and measurement; ``difference`` empty when they agree.

    ``wavering`` tells that repetitions of the same request did not all end alike.
    """

    set_number: int
    lot: int
    request: sets.Request
    answer: reachability.Answer
    measured: asking.Measured
    difference: str
    wavering: bool = False


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Broken:
    """A set that a proxy of its lot does not work by, with what each such proxy says; nothing was asked of it."""

    set: sets.PolicySet
    told: Mapping[str, str]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Round:
    """Sets that were applied at once, as admission left them, and what came of their requests.

    ``broken`` were taken out again, so that the others could be tried.
    """

    sets: tuple[sets.PolicySet, ...]
    trials: tuple[Trial, ...]
    refused: tuple[Refused, ...]
    objects: tuple[Object, ...]
    mesh_config: Mapping[str, Any]
    broken: tuple[Broken, ...] = ()


class Court:
    """One fleet that sets are tried on."""

    def __init__(
        self,
        mesh: Mesh,
        people: herd.Herd,
        lots: Sequence[fleet.Lot],
        *,
        node_rules: Callable[[], str],
        further: Sequence[fleet.Application] = (),
    ) -> None:
        """Read what is there; ``node_rules`` tells the node's packet filter."""
        self._node_rules = node_rules
        self._isolating = False
        self.mesh = mesh
        self.people = people
        self.lots = tuple(lots)
        self._meshed = [item for item in (*fleet.applications(lots), *further) if item.proxied]
        places = {item.place for item in (*fleet.applications(lots), *further)}
        ours = {*fleet.namespaces(lots), *(item.namespace for item in further)} - {_ROOT}
        live = mesh.live()
        # Objects of the sets come and go; the fleet's own and the mesh's stay for the whole run.
        self.fixed = [
            item
            for item in live
            if item["kind"] in {"Pod", "Service", "Namespace"} or item["metadata"]["namespace"] not in ours
        ]
        pods = {
            f"{item['metadata']['namespace']}/{item['metadata']['name']}": item
            for item in live
            if item["kind"] == "Pod"
        }
        self.addresses = {place: pods[place]["status"]["podIP"] for place in sorted(places)}
        self.mesh_config = mesh.mesh_config()

    def world(self, objects: Sequence[Object]) -> reachability.World:
        """Return the analyser's world with these objects beside the fleet and the mesh's own."""
        return asking.world([*self.fixed, *objects], self.mesh_config)

    def around(self, lot: fleet.Lot) -> list[Object]:
        """Return the fleet and the mesh's own as one lot sees them: without the other lots."""
        return fleet.seen_by(lot, self.lots, self.fixed)

    def install(self, objects: Sequence[Object]) -> tuple[list[Object], list[Refused]]:
        """Have exactly these objects, in every proxy; return those that are there, as the cluster has them.

        Raises herd.UnsettledError when a proxy does not take them.
        """
        refused = self.mesh.replace(objects)
        lost = {identity(item.object) for item in refused}
        there = [item for item in objects if identity(item) not in lost]
        self._learn(there)
        mark = self._settle(there)
        sentinels = [fleet.sentinel(name, mark) for name in self._marked()]
        return [*there, *sentinels], refused

    def _settle(self, objects: Sequence[Object]) -> str:
        """Return a new mark when every proxy, and the node's packet filter, shows it."""
        mark = self.mesh.mark(self._marked())
        self.people.settle([item.place for item in self._meshed], mark, timeout_s=_SETTLED_S)
        self._settle_networks(objects, mark)
        return mark

    def _marked(self) -> list[str]:
        """Return the namespaces that have proxies."""
        return list(dict.fromkeys(item.namespace for item in self._meshed))

    def _settle_networks(self, objects: Sequence[Object], mark: str) -> None:
        """Return when the node's packet filter has the network policies of this round, and none of the last."""
        isolating = any(item["kind"] == "NetworkPolicy" for item in objects)
        if isolating or self._isolating:
            self.mesh.mark_networks(mark)
            kubernetes.wait_until(
                "the node's packet filter is current",
                lambda: "" if mark in self._node_rules() else f"it does not show {mark}",
                timeout_s=_SETTLED_S,
            )
        self._isolating = isolating

    def _learn(self, objects: Sequence[Object]) -> None:
        """Learn the addresses of everything that can be called."""
        targets = dict(self.addresses)
        for item in self.fixed:
            if item["kind"] == "Service":
                targets[_hostname(item)] = item["spec"].get("clusterIP", "")
        for item in objects:
            if item["kind"] == "ServiceEntry" and (address := self._entered(item)):
                targets.update(dict.fromkeys(item["spec"]["hosts"], address))
            if item["kind"] == "Service":
                live = self.mesh.cluster.get(
                    kubernetes.SERVICE, item["metadata"]["name"], namespace=item["metadata"]["namespace"]
                )
                item["spec"]["clusterIP"] = live["spec"].get("clusterIP", "") if live else ""
                headless = item["spec"]["clusterIP"] == fleet.HEADLESS
                selector = item["spec"].get("selector") or {}
                targets[_hostname(item)] = self._behind(item, selector) if headless else item["spec"]["clusterIP"]
        self.people.targets = targets

    def _entered(self, entry: Object) -> str:
        """Return the address of a ServiceEntry, or what a DNS of the site would have; empty for none."""
        spec = entry["spec"]
        listed = [item["address"] for item in spec.get("endpoints", ())]
        selector = spec.get("workloadSelector", {}).get("labels", {})
        return next(iter([*spec.get("addresses", ()), *listed]), "") or self._behind(entry, selector)

    def _behind(self, item: Object, selector: Mapping[str, str]) -> str:
        """Return the address of the one application that an object selects by its name; empty where there is none."""
        return self.addresses.get(f"{item['metadata']['namespace']}/{selector.get('app')}", "")

    def hold(
        self, wanted: Sequence[sets.PolicySet], root: Sequence[Object], random_: random.Random, each: int
    ) -> Round:
        """Try sets of different lots at once, ``each`` requests per set.

        Raises herd.UnsettledError when the mesh does not settle also without the sets that break their own proxies.
        """
        kept, broken = list(wanted), list[Broken]()
        while True:
            try:
                there, refused = self.install([*root, *(item for one in kept for item in one.objects)])
                break
            except herd.UnsettledError as error:
                kept, lost = without_broken(kept, error.told)
                broken += lost
                if not lost:
                    raise
        found = self.world(there)
        pairs: list[tuple[sets.PolicySet, sets.Request, reachability.Answer]] = []
        for one in kept:
            first = self._answered(found, one.requests)[: each // CHOSEN]
            candidates = self._answered(found, sets.requests(random_, one, each * _CANDIDATES))
            rest = balanced(candidates, each - len(first))
            pairs += [(one, request, answer) for request, answer in (*first, *rest)]
        measured = self.people.measure([request for _, request, _ in pairs])
        declared = not asking.has_own_ports(there)
        trials = [
            Trial(
                set_number=one.number,
                lot=one.lot.number,
                request=request,
                answer=answer,
                measured=result,
                difference=asking.difference(answer, result, as_declared=declared),
            )
            for (one, request, answer), result in zip(pairs, measured, strict=True)
        ]
        return Round(
            sets=tuple(kept),
            trials=tuple(self._confirmed(trials, there, declared=declared)),
            refused=tuple(refused),
            objects=tuple(there),
            mesh_config=self.mesh_config,
            broken=tuple(broken),
        )

    def _answered(
        self, world: reachability.World, requests: Sequence[sets.Request]
    ) -> list[tuple[sets.Request, reachability.Answer]]:
        """Return the requests to somebody who is there, with their answers."""
        return [
            (request, reachability.decide(world, asking.question(request)))
            for request in requests
            if (request.pod or request.host) in self.people.targets
        ]

    def smallest(self, held: Round, trial: Trial, *, attempts: int) -> tuple[list[Object], asking.Measured]:
        """Return a few objects of a round with which a trial still contradicts the analyser, and what it measures.

        Raises herd.UnsettledError when the mesh does not take some of them in time.
        """
        places = {*fleet.Lot(number=trial.lot).namespaces, _ROOT}
        objects = [
            item
            for item in held.objects
            if item["metadata"]["namespace"] in places and item["metadata"]["name"] != fleet.SENTINEL
        ]
        found = shrink.smallest(
            objects, lambda smaller: self._contradicts(smaller, trial.request) is not None, attempts=attempts
        )
        return found, self._contradicts(found, trial.request) or trial.measured

    def _contradicts(self, objects: Sequence[Object], request: sets.Request) -> asking.Measured | None:
        try:
            there, refused = self.install(objects)
        except herd.UnsettledError as error:
            if error.late:
                raise
            return None  # another failure than the one that is looked for
        if refused or (request.pod or request.host) not in self.people.targets:
            return None
        answer = reachability.decide(self.world(there), asking.question(request))
        measured = self.people.measure([request])[0]
        declared = not asking.has_own_ports(there)
        return measured if asking.difference(answer, measured, as_declared=declared) else None

    def _confirmed(self, trials: list[Trial], objects: Sequence[Object], *, declared: bool) -> list[Trial]:
        """Send what contradicts the analyser again, after another mark: what wavers is told apart.

        Istiod watches each kind on its own, so that on a busy computer a mark may overtake an object of another kind.
        """
        doubtful = [index for index, item in enumerate(trials) if item.difference]
        found = list(trials)
        if doubtful:
            self._settle(objects)
        for _ in range(_AGAIN if doubtful else 0):
            again = self.people.measure([trials[index].request for index in doubtful])
            for index, measured in zip(doubtful, again, strict=True):
                found[index] = dataclasses.replace(
                    trials[index],
                    wavering=found[index].wavering or measured != trials[index].measured,
                    measured=measured,
                    difference=asking.difference(trials[index].answer, measured, as_declared=declared),
                )
        return found


def without_broken(
    wanted: Sequence[sets.PolicySet], told: Mapping[str, str]
) -> tuple[list[sets.PolicySet], list[Broken]]:
    """Return the sets whose proxies all work, and those of whose lots a proxy tells that it does not."""
    kept, broken = list[sets.PolicySet](), list[Broken]()
    for one in wanted:
        own = {place: text for place, text in told.items() if place.partition("/")[0] in one.lot.namespaces}
        if own:
            broken.append(Broken(set=one, told=own))
        else:
            kept.append(one)
    return kept, broken


def balanced(
    candidates: Sequence[tuple[sets.Request, reachability.Answer]], count: int
) -> list[tuple[sets.Request, reachability.Answer]]:
    """Return ``count`` of the candidates: half of them allowed, as far as there are as many; unknown ones too."""
    allowed = [item for item in candidates if item[1].outcome is reachability.Outcome.ALLOWED]
    others = [item for item in candidates if item[1].outcome is not reachability.Outcome.ALLOWED]
    first = allowed[: max(count // 2, count - len(others))]
    return [*first, *others[: count - len(first)]]


def _hostname(item: Object) -> str:
    return f"{item['metadata']['name']}.{item['metadata']['namespace']}.{fleet.DOMAIN}"
