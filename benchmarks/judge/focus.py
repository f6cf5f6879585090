"""Sets and requests in which those fields decide that have decided the fewest requests so far."""

import dataclasses
import random
from collections.abc import Mapping, Sequence
from typing import Any

from benchmarks.judge import deciding, fleet, sets

_SETS = 16  # of which one is chosen
_REQUESTS = 120  # random ones per set

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
    """Return one of several random sets, with the requests in which the rarest field of all of them decides.

    ``fields`` tells how many requests each field has decided, ``around`` is what there is besides the set.
    """
    tried = [sets.make(random_, number, lot, addresses) for _ in range(_SETS)]
    names = {name for one in tried for name in deciding.names(one.objects)}
    rarest = min(names, key=lambda name: (fields.get(name, 0), name))
    found: list[sets.PolicySet] = []
    for one in tried:
        if rarest in deciding.names(one.objects):
            requests = sets.requests(random_, one, _REQUESTS)
            decided = deciding.decided_by(rarest, around, one.objects, requests, mesh_config)
            found.append(dataclasses.replace(one, requests=tuple(decided)))
    return max(found, key=lambda one: len(one.requests))
