"""Sets and requests in which those fields decide that have decided the fewest requests so far."""

import dataclasses
import random
from collections.abc import Mapping, Sequence
from typing import Any

from benchmarks.judge import deciding, fleet, sets

_SETS = 16  # of which one is chosen
_REQUESTS = 120  # random ones per set
_FIELDS = 6  # tried in turn: some decide hardly ever
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
    fields: Mapping[str, int],
) -> sets.PolicySet:
    """Return one of several random sets, with the requests in which one of the rarest fields decides.

    ``fields`` tells how many requests each field has decided, ``around`` is what there is besides the set.
    """
    tried = [sets.make(random_, number, lot, addresses) for _ in range(_SETS)]
    having: dict[str, list[sets.PolicySet]] = {}
    for one in tried:
        for name in deciding.names(one.objects):
            having.setdefault(name, []).append(one)
    order = {name: (fields.get(name, 0) // _ALIKE, random_.random()) for name in sorted(having)}
    for name in sorted(order, key=order.__getitem__)[:_FIELDS]:
        found = [_asked(random_, name, one, around, mesh_config) for one in having[name]]
        best = max(found, key=lambda one: len(one.requests))
        if best.requests:
            return best
    return tried[0]


def _asked(
    random_: random.Random, name: str, one: sets.PolicySet, around: Sequence[Object], mesh_config: Any
) -> sets.PolicySet:
    """Return a set with those of some random requests that a field decides."""
    requests = sets.requests(random_, one, _REQUESTS)
    return dataclasses.replace(
        one, requests=tuple(deciding.decided_by(name, around, one.objects, requests, mesh_config))
    )
