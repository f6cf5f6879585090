"""Inputs against the SDK's shapes: unknown, missing and mistyped ones, each with the nearest name that exists."""

import difflib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from standin import schema, values

# Enumerations that list examples: Azure accepts values beyond them. Source: the SDK's own texts, "available sizes
# vary by region"; the service's sizes are listed by `az vm list-sizes`.
_OPEN = frozenset({"VirtualMachineSizeTypes"})
_KINDS = {str: "a text", int: "a whole number", float: "a number", bool: "true or false"}


@dataclass(frozen=True, slots=True)
class Problem:
    """What is wrong with the property at ``path``."""

    path: str
    text: str


def inputs(resource: schema.Resource, given: Mapping[str, Any]) -> list[Problem]:
    """Return everything in ``given`` that the SDK's types of ``resource`` do not allow."""
    shown = resource.token.removeprefix("azure-native:")
    return [Problem(found.path, f"{shown}: {found.text}") for found in _object(resource.inputs, given, "")]


def _object(known: Mapping[str, schema.Field], given: Mapping[str, Any], path: str) -> Iterator[Problem]:
    inside = f" of `{path}`" if path else ""
    for name, value in given.items():
        where = f"{path}.{name}" if path else name
        if name in known:
            yield from _field(known[name], value, where)
        elif not name.startswith("__"):  # the engine's and the provider's own marks
            yield Problem(where, f"unknown property `{name}`{inside}{_nearest(name, known)}")
    for name, field in known.items():
        if field.required and name not in given:
            yield Problem(f"{path}.{name}" if path else name, f"missing required property `{name}`{inside}")


def _field(field: schema.Field, value: Any, path: str) -> Iterator[Problem]:
    if field.constant is not None and isinstance(value, str) and value != field.constant:
        yield Problem(path, f"`{path}` must be '{field.constant}' here; found '{value}'")
        return
    yield from _value(field.shape, value, path)


def _value(shape: schema.Shape, value: Any, path: str) -> Iterator[Problem]:
    if isinstance(value, values.Unknown):
        return
    match shape:
        case schema.Scalar(kind):
            if not _is(kind, value):
                yield Problem(path, f"`{path}` must be {_KINDS[kind]}; found {_shown(value)}")
        case schema.Choice(name, allowed):
            if value not in allowed and name not in _OPEN:
                yield Problem(path, f"`{path}` must be one of {', '.join(map(str, allowed))}; found {_shown(value)}")
        case schema.ListOf() | schema.MapOf() | schema.Typed():
            yield from _nested(shape, value, path)
        case schema.OneOf(members):
            yield from _one_of(members, value, path)


def _nested(shape: schema.ListOf | schema.MapOf | schema.Typed, value: Any, path: str) -> Iterator[Problem]:
    wanted = list if isinstance(shape, schema.ListOf) else dict
    if not isinstance(value, wanted):
        yield Problem(path, f"`{path}` must be {'a list' if wanted is list else 'an object'}; found {_shown(value)}")
    elif isinstance(shape, schema.Typed):
        yield from _object(schema.fields(shape.cls), value, path)
    elif isinstance(shape, schema.ListOf):
        for index, item in enumerate(value):
            yield from _value(shape.item, item, f"{path}[{index}]")
    else:
        for key, item in value.items():
            yield from _value(shape.item, item, f"{path}.{key}")


def _one_of(members: Iterable[schema.Shape], value: Any, path: str) -> Iterator[Problem]:
    """Yield nothing where one member fits, otherwise what is wrong with the one that fits best."""
    tried = [list(_value(member, value, path)) for member in members]
    yield from min(tried, key=lambda found: (any("must be '" in item.text for item in found), len(found)))


def _is(kind: type, value: Any) -> bool:
    if isinstance(value, bool) or kind is bool:
        return kind is bool and isinstance(value, bool)
    return isinstance(value, int | float) if kind is float else isinstance(value, kind)


def _nearest(name: str, known: Iterable[str]) -> str:
    """Return the hint with the property that was most likely meant; snake case counts as a slip."""
    folded = {candidate.lower(): candidate for candidate in known}
    found = difflib.get_close_matches(name.replace("_", "").lower(), folded, n=1, cutoff=0.6)
    return f"; did you mean `{folded[found[0]]}`?" if found else f"; known: {', '.join(sorted(folded.values()))}"


def _shown(value: Any) -> str:
    return f"'{value}'" if isinstance(value, str) else f"{type(value).__name__} {value!r}"[:120]
