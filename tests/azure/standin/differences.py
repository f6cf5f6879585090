"""What changed between old and new inputs, and what that means for the resource."""

import re
from collections.abc import Collection, Iterator, Mapping
from typing import Any

from pulumi.runtime.proto import provider_pb2

from standin import references

Kind = provider_pb2.PropertyDiff.Kind
_INDEX = re.compile(r"\[\d+\]")


def changes(old: Any, new: Any, path: str = "") -> Iterator[tuple[str, str]]:
    """Yield each changed property's path and ``ADD``, ``DELETE`` or ``UPDATE``.

    Regions are compared as Azure does. Source: pulumi-azure-native, provider/pkg/provider/diff.go.
    """
    if isinstance(old, Mapping) and isinstance(new, Mapping):
        for key in sorted({*old, *new}):
            yield from _item(old, new, key, f"{path}.{key}" if path else key)
    elif isinstance(old, list) and isinstance(new, list):
        ones, others = dict(enumerate(old)), dict(enumerate(new))
        for index in range(max(len(old), len(new))):
            yield from _item(ones, others, index, f"{path}[{index}]")
    elif old != new:
        yield path, "UPDATE"


def _item(old: Mapping[Any, Any], new: Mapping[Any, Any], key: Any, path: str) -> Iterator[tuple[str, str]]:
    if key not in new:
        yield path, "DELETE"
    elif key not in old:
        yield path, "ADD"
    elif path == "location" and isinstance(old[key], str) and isinstance(new[key], str):
        if references.normalized(old[key]) != references.normalized(new[key]):
            yield path, "UPDATE"
    else:
        yield from changes(old[key], new[key], path)


def matches(path: str, wanted: Collection[str]) -> str | None:
    """Return the property of ``wanted`` that ``path`` is, or stands in."""
    plain = _INDEX.sub("[]", path)
    return next((item for item in wanted if plain == item or plain.startswith((f"{item}.", f"{item}["))), None)


def answer(old: Mapping[str, Any], new: Mapping[str, Any], *, replaces: Collection[str]) -> provider_pb2.DiffResponse:
    """Return the difference as the engine takes it."""
    detailed = {}
    for path, kind in changes(_visible(old), _visible(new)):
        name = f"{kind}_REPLACE" if matches(path, replaces) is not None else kind
        detailed[path] = provider_pb2.PropertyDiff(kind=Kind.Value(name), inputDiff=True)
    replaced = [path for path, item in detailed.items() if Kind.Name(item.kind).endswith("_REPLACE")]
    top = sorted({re.split(r"[.\[]", path)[0] for path in detailed})
    some = provider_pb2.DiffResponse.DIFF_SOME if detailed else provider_pb2.DiffResponse.DIFF_NONE
    return provider_pb2.DiffResponse(
        changes=some,
        replaces=replaced,
        diffs=top,
        detailedDiff=detailed,
        hasDetailedDiff=True,
        deleteBeforeReplace=bool(replaced) and old.get("__createBeforeDelete") is not True,
    )


def _visible(inputs: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in inputs.items() if not key.startswith("__")}
