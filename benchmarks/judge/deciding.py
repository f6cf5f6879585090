"""Which fields decide: those without which the answer to a request would be another one."""

import collections
import copy
import re
from collections.abc import Iterable, Sequence
from typing import Any

from benchmarks.judge import asking, sets
from slipway import reachability

# Fields of kinds that cannot do without most of the others.
_OPTIONAL = {
    "VirtualService": (".match.", ".rewrite", ".exportTo"),
    "ServiceEntry": (".exportTo", ".location"),
    "Service": (".appProtocol",),
    "DestinationRule": (".trafficPolicy", ".exportTo"),
    "Gateway": (".httpsRedirect",),
}
# What decides nothing by itself, whatever it says: requests of the judge carry no token, a Sidecar's port is named by
# a word and leads to somebody who listens, and how load is spread or limited is no matter of who may call.
_NEVER = re.compile(
    r"RequestAuthentication|Sidecar\.ingress\.(port\.name|defaultEndpoint)|.*\.(loadBalancer|connectionPool)\b"
)
_LABELS = (".matchLabels", ".labels", ".sourceLabels")  # whose keys are words of the user
_NUMBER = re.compile(r"\.\d+\b")  # ports as keys

Object = dict[str, Any]
Answers = Sequence[reachability.Answer]


def fields(
    fixed: Sequence[Object], objects: Sequence[Object], requests: Sequence[sets.Request], mesh_config: Any
) -> tuple[collections.Counter[str], collections.Counter[str]]:
    """Return how many requests each field of the objects decides, and how many of those are unknown.

    A field is its path with the object's kind, entries of ``when`` with their key, without the labels of selectors;
    one that decides nothing is there with 0.
    """
    decided = collections.Counter(dict.fromkeys(names(objects), 0))
    unknown: collections.Counter[str] = collections.Counter()
    for answer, found in deciders(fixed, objects, requests, mesh_config):
        decided.update(found)
        if answer.outcome is reachability.Outcome.UNKNOWN:
            unknown.update(found)
    return decided, unknown


def deciders(
    fixed: Sequence[Object],
    objects: Sequence[Object],
    requests: Sequence[sets.Request],
    mesh_config: Any,
    *,
    among: Sequence[str] | None = None,
) -> list[tuple[reachability.Answer, list[str]]]:
    """Return for each request its answer, and the fields (``among`` these only) without which it would be another."""
    known = [asking.question(request) for request in requests]
    real = _answers([*fixed, *objects], known, mesh_config)
    found: list[tuple[reachability.Answer, list[str]]] = [(answer, []) for answer in real]
    for name in names(objects) if among is None else among:
        others = _answers([*fixed, *(_without(item, name) for item in objects)], known, mesh_config)
        for (answer, deciding), other in zip(found, others, strict=True):
            if _differ(answer, other):
                deciding.append(name)
    return found


def names(objects: Iterable[Object]) -> list[str]:
    """Return the fields of objects, sorted."""
    return sorted({path for item in objects for path in _paths(item["kind"], item["spec"]) if _optional(path)})


def _differ(one: reachability.Answer, other: reachability.Answer) -> bool:
    return (one.outcome, one.seen) != (other.outcome, other.seen)


def _optional(name: str) -> bool:
    if _NEVER.match(name) or name.rpartition(".")[0].endswith((*_LABELS, ".portLevelMtls")):
        return False
    parts = _OPTIONAL.get(name.partition(".")[0])
    return parts is None or any(part in name for part in parts)


def _answers(objects: Sequence[Object], questions: Sequence[reachability.Question], mesh_config: Any) -> Answers:
    return asking.alone(asking.world(objects, mesh_config), questions)


def _paths(name: str, value: Any) -> Iterable[str]:
    if isinstance(value, list):
        for item in value:
            yield from _paths(name, item)
    elif isinstance(value, dict):
        for key, item in value.items():
            if (path := _inner(name, value, key)) is not None:
                yield path
                yield from _paths(path, item)


def _inner(name: str, value: dict[str, Any], key: str) -> str | None:
    """Return the path of a key in a map, None for the key of an entry of ``when``, which is in the path itself."""
    if "key" in value and {"values", "notValues"} & set(value):
        return None if key == "key" else f"{name}[{value['key']}].{key}"
    return _NUMBER.sub(".*", f"{name}.{key}")


def _without(item: Object, name: str) -> Object:
    if not name.startswith(f"{item['kind']}."):
        return item
    changed = copy.deepcopy(item)
    _remove(item["kind"], changed["spec"], name)
    return changed


def _remove(name: str, value: Any, wanted: str) -> None:
    if isinstance(value, list):
        for item in value:
            _remove(name, item, wanted)
    elif isinstance(value, dict):
        inner = {key: _inner(name, value, key) for key in value}
        for key, path in inner.items():
            if path == wanted:
                del value[key]
            elif path is not None:
                _remove(path, value[key], wanted)
