"""Plain values of ordinary YAML at the speed of libyaml; whatever is not ordinary is left to the full reader.

Values need no places as long as nothing is wrong with them, and building places costs more than all the rest. So
this reader never reports: where the full one (:mod:`slipway.manifests.yaml_reader`) would, or where it would have to
look twice (anchors, tags), the answer is None, and the full one reads the file again.
"""

from typing import Any

import yaml

from slipway.manifests import scalars
from slipway.manifests.decoding import Limits

_MERGE = "<<"
_NO_KEY = object()


def read_all(text: str, *, limits: Limits) -> list[Any] | None:
    """Return the documents of a decoded file typed as kubectl types them, without those that are empty.

    None for syntax errors, duplicate keys, keys that are no texts, merge keys, anchors, aliases, tags, anything
    above the limits, and documents that are a single scalar.
    """
    loader = yaml.CBaseLoader if yaml.__with_libyaml__ else yaml.BaseLoader
    try:
        return _documents(loader(text).get_event, limits)
    except yaml.YAMLError:
        return None


def _documents(next_event: Any, limits: Limits) -> list[Any] | None:  # noqa: C901, PLR0911, PLR0912 - one tight loop
    found: list[Any] = []
    stack: list[tuple[Any, Any]] = []
    container: Any = found
    key: Any = None  # in a map: the key that waits for its value, or _NO_KEY; in a list: None
    known: dict[str, scalars.Scalar] = {}
    nodes = 0
    while True:
        event = next_event()
        kind = event.__class__
        if kind is yaml.ScalarEvent:
            value = event.value
            nodes += 1
            if event.anchor is not None or event.tag is not None or nodes > limits.nodes:
                return None
            if key is _NO_KEY:
                if value in container or value == _MERGE:
                    return None
                key = value
                continue
            if not event.style:
                if value in known:
                    value = known[value]
                else:
                    value = known[value] = scalars.resolve_for_kubernetes(value)
            if not stack:
                if scalars.resolve(event.value) is not None:
                    return None
                continue
        elif kind is yaml.MappingStartEvent or kind is yaml.SequenceStartEvent:
            nodes += 1
            if event.anchor is not None or event.tag is not None or nodes > limits.nodes:
                return None
            if key is _NO_KEY or len(stack) >= limits.depth:
                return None
            stack.append((container, key))
            container, key = ({}, _NO_KEY) if kind is yaml.MappingStartEvent else ([], None)
            continue
        elif kind is yaml.MappingEndEvent or kind is yaml.SequenceEndEvent:
            value = container
            container, key = stack.pop()
        elif kind is yaml.AliasEvent:
            return None
        elif kind is yaml.StreamEndEvent:
            return found
        else:
            continue
        if key is None:
            container.append(value)
        else:
            container[key] = value
            key = _NO_KEY
