"""Sets and requests in which those fields decide that have decided the fewest requests so far."""

import dataclasses
import random
from collections.abc import Mapping, Sequence
from typing import Any

from benchmarks.judge import deciding, fleet, sets
from slipway import reachability

WANTED = 50  # requests that each field decides
_SETS = 40  # of which one is chosen
_HAVING = 6  # of those with a field that are tried
_TRIED = 60  # random requests per set that is tried
_REQUESTS = 300  # random ones for the set that is chosen
_FIELDS = 15  # tried in turn: some decide hardly ever
_ALIKE = 10  # requests; fields that have decided as many tens of them come in random order

Object = dict[str, Any]


def chosen(
    random_: random.Random,
    number: int,
    lot: fleet.Lot,
    *,
    addresses: Mapping[str, str],
    around: Sequence[Object],
    mesh_config: Any,
    fields: Mapping[str, float],
    count: int,
) -> sets.PolicySet:
    """Return one of several random sets, with up to ``count`` requests that fields decide which have decided few.

    ``fields`` tells how many requests each field has decided, ``around`` is what there is besides it.
    """
    tried = [sets.make(random_, number, lot, addresses) for _ in range(_SETS)]
    best = _with_a_rare_field(random_, tried, around, mesh_config, fields)
    candidates = list(dict.fromkeys(sets.requests(random_, best, _REQUESTS)))
    rare = [name for name in deciding.names(best.objects) if fields.get(name, 0) < WANTED]
    known = _decided(candidates, best, around, mesh_config, rare)
    return dataclasses.replace(best, requests=tuple(most_needed(known, fields, count)))


def _with_a_rare_field(
    random_: random.Random,
    tried: Sequence[sets.PolicySet],
    around: Sequence[Object],
    mesh_config: Any,
    fields: Mapping[str, float],
) -> sets.PolicySet:
    """Return the set in which one of the rarest fields decides most of some random requests."""
    having: dict[str, list[sets.PolicySet]] = {}
    for one in tried:
        for name in deciding.names(one.objects):
            having.setdefault(name, []).append(one)
    order = {name: (fields.get(name, 0) // _ALIKE, random_.random()) for name in sorted(having)}
    for name in sorted(order, key=order.__getitem__)[:_FIELDS]:
        counts = [
            len(_decided(sets.requests(random_, one, _TRIED), one, around, mesh_config, [name]))
            for one in having[name][:_HAVING]
        ]
        if any(counts):
            return having[name][counts.index(max(counts))]
    return tried[0]


def _decided(
    requests: Sequence[sets.Request],
    one: sets.PolicySet,
    around: Sequence[Object],
    mesh_config: Any,
    names: Sequence[str],
) -> list[tuple[sets.Request, Sequence[str]]]:
    """Return the requests of a set that some of the named fields decide, with these; none whose answer is unknown."""
    found = deciding.deciders(around, one.objects, requests, mesh_config, among=names)
    return [
        (request, deciders)
        for request, (answer, deciders) in zip(requests, found, strict=True)
        if deciders and answer.outcome is not reachability.Outcome.UNKNOWN
    ]


def most_needed(
    candidates: Sequence[tuple[sets.Request, Sequence[str]]], fields: Mapping[str, float], count: int
) -> list[sets.Request]:
    """Return up to ``count`` of some requests, which come with fields that decide them: those of the rarest."""
    missing = {name: max(0.0, WANTED - fields.get(name, 0)) for _, names in candidates for name in names}
    left, found = list(candidates), list[sets.Request]()
    while left and len(found) < count:
        best = max(left, key=lambda item: sum(missing[name] ** 2 for name in item[1]))
        if not any(missing[name] for name in best[1]):
            break
        left.remove(best)
        found.append(best[0])
        missing.update({name: max(0.0, missing[name] - 1) for name in best[1]})
    return found
