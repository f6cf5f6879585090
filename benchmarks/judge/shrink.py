"""From a large set in which something fails to a small one in which it still does."""

import copy
from collections.abc import Callable, Iterable, Sequence
from typing import Any

Object = dict[str, Any]
Path = tuple[str | int, ...]


def smallest(objects: Sequence[Object], fails: Callable[[Sequence[Object]], bool], *, attempts: int) -> list[Object]:
    """Return objects of which nothing can be left out without the failure going away, or the best after ``attempts``.

    Objects go first, then whatever is in their specs, larger parts before smaller ones.
    """
    found, left = list(objects), attempts
    progress = True
    while progress and left > 0:
        progress = False
        for smaller in _smaller(found):
            if left <= 0:
                break
            left -= 1
            if fails(smaller):
                found, progress = smaller, True
                break
    return found


def _smaller(objects: Sequence[Object]) -> Iterable[list[Object]]:
    if len(objects) > 3:  # noqa: PLR2004 - halves of less are single objects
        half = len(objects) // 2
        yield list(objects[half:])
        yield list(objects[:half])
    for index in range(len(objects)):
        yield [*objects[:index], *objects[index + 1 :]]
    for index, item in enumerate(objects):
        for path in sorted(_paths(item.get("spec")), key=len):
            changed = copy.deepcopy(item)
            _remove(changed["spec"], path)
            if not _leads_nowhere(changed):
                yield [*objects[:index], changed, *objects[index + 1 :]]


def _leads_nowhere(item: Object) -> bool:
    """Return whether a route of connections has no destination: istiod 1.29.1 ends in a panic, again and again.

    Its webhook refuses such an object, but is asked about none of another revision's.
    Source: istio 1.29.1 pilot/pkg/networking/core/networkfilter.go, buildOutboundNetworkFilters.
    """
    if item["kind"] != "VirtualService":
        return False
    spec = item.get("spec") or {}
    routes = [route.get("route") or [{}] for kind in ("tcp", "tls") for route in spec.get(kind) or ()]
    return any("host" not in (found.get("destination") or {}) for route in routes for found in route)


def _paths(value: Any, path: Path = ()) -> Iterable[Path]:
    """Return the ways to everything in nested maps and lists."""
    if isinstance(value, dict):
        for key, item in value.items():
            yield (*path, key)
            yield from _paths(item, (*path, key))
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield (*path, index)
            yield from _paths(item, (*path, index))


def _remove(value: Any, path: Path) -> None:
    for step in path[:-1]:
        value = value[step]
    del value[path[-1]]
