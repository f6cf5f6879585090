"""Which fields decide: those without which the answer to a request would be another one."""

import collections
import copy
from collections.abc import Iterable, Sequence
from typing import Any

from benchmarks.judge import asking, sets
from slipway import reachability

# Fields of kinds that cannot do without most of the others.
_OPTIONAL = {
    "VirtualService": (".match.", ".rewrite", ".exportTo"),
    "ServiceEntry": (".exportTo", ".location"),
    "Service": (".appProtocol",),
}

_NEVER = ("RequestAuthentication",)  # requests of the judge carry no token
_LABELS = (".matchLabels", ".labels", ".sourceLabels", ".portLevelMtls")  # whose keys are words of the user

Object = dict[str, Any]
Answers = Sequence[reachability.Answer]


def fields(
    fixed: Sequence[Object], objects: Sequence[Object], requests: Sequence[sets.Request], mesh_config: Any
) -> tuple[collections.Counter[str], collections.Counter[str]]:
    """Return how many requests each field of the objects decides, and how many of those are unknown.

    A field is its path with the object's kind, entries of ``when`` with their key, without the labels of selectors;
    one that decides nothing is there with 0.
    """
    known = [asking.question(request) for request in requests]
    real = _answers([*fixed, *objects], known, mesh_config)
    decided: collections.Counter[str] = collections.Counter()
    unknown: collections.Counter[str] = collections.Counter()
    for name in sorted({path for item in objects for path in _paths(item["kind"], item["spec"]) if _optional(path)}):
        decided[name] += 0
        without = [_without(item, name) for item in objects]
        for one, other in zip(real, _answers([*fixed, *without], known, mesh_config), strict=True):
            if (one.outcome, one.seen) != (other.outcome, other.seen):
                decided[name] += 1
                unknown[name] += one.outcome is reachability.Outcome.UNKNOWN
    return decided, unknown


def _optional(name: str) -> bool:
    kind = name.partition(".")[0]
    if kind in _NEVER or name.rpartition(".")[0].endswith(_LABELS):
        return False
    parts = _OPTIONAL.get(kind)
    return parts is None or any(part in name for part in parts)


def _answers(objects: Sequence[Object], questions: Sequence[reachability.Question], mesh_config: Any) -> Answers:
    world = asking.world(objects, mesh_config)
    return [reachability.decide(world, question) for question in questions]


def _paths(name: str, value: Any) -> Iterable[str]:
    if isinstance(value, list):
        for item in value:
            yield from _paths(name, item)
    elif isinstance(value, dict):
        inner = f"{name}[{value['key']}]" if set(value) & {"values", "notValues"} and "key" in value else name
        for key, item in value.items():
            if key != "key":
                yield f"{inner}.{key}"
                yield from _paths(f"{inner}.{key}", item)


def _without(item: Object, name: str) -> Object:
    if not name.startswith(f"{item['kind']}."):
        return item
    changed = copy.deepcopy(item)
    _remove(item["kind"], changed["spec"], name)
    return changed


def _remove(name: str, value: Any, path: str) -> None:
    if isinstance(value, list):
        for item in value:
            _remove(name, item, path)
    elif isinstance(value, dict):
        inner = f"{name}[{value['key']}]" if set(value) & {"values", "notValues"} and "key" in value else name
        for key in list(value):
            if f"{inner}.{key}" == path:
                del value[key]
            else:
                _remove(f"{inner}.{key}", value[key], path)
