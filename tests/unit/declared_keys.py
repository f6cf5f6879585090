"""What a declaration uses of the tables of keys: keys, short and long forms, and each word of a choice."""

import re
from typing import Any

from slipway.mesh import shape

POSITION = re.compile(r"(phase\.\w+)\.\w+\[\]")  # a long exception reads alike at every position


def all_uses(wanted: shape.Shape, path: str = "") -> set[str]:  # noqa: PLR0911 - one per kind of shape
    """Return every use that a shape allows."""
    match wanted:
        case shape.Either():
            return {f"{path} in its short form"} | all_uses(wanted.short, path) | all_uses(wanted.long, path)
        case shape.Record():
            below = [all_uses(item.shape, f"{path}.{item.key}") for item in wanted.fields]
            return {f"{path}.{item.key}" for item in wanted.fields}.union(*below)
        case shape.MapOf():
            return all_uses(wanted.value, f"{path}.*")
        case shape.ListOf():
            return all_uses(wanted.item, f"{path}[]")
        case shape.Choice():
            return {f"{path} = {value}" for value in wanted.values}
        case shape.Flag():
            return {f"{path} = {value}" for value in ("false", "true")}
        case _:
            return set()


def uses(wanted: shape.Shape, value: Any, path: str = "") -> set[str]:  # noqa: PLR0911 - one per kind of shape
    """Return the uses of a shape in a value that is right."""
    match wanted:
        case shape.Either():
            if isinstance(value, dict):
                return uses(wanted.long, value, path)
            return {f"{path} in its short form"} | uses(wanted.short, value, path)
        case shape.Record():
            used = [item for item in wanted.fields if item.key in value]
            below = [uses(item.shape, value[item.key], f"{path}.{item.key}") for item in used]
            return {f"{path}.{item.key}" for item in used}.union(*below)
        case shape.MapOf():
            return set().union(*(uses(wanted.value, item, f"{path}.*") for item in value.values()))
        case shape.ListOf():
            return set().union(*(uses(wanted.item, item, f"{path}[]") for item in value))
        case shape.Choice() | shape.Flag():
            return {f"{path} = {str(value).lower() if isinstance(value, bool) else value}"}
        case _:
            return set()


def at_any_position(found: set[str]) -> set[str]:
    """Return the uses with all positions of a phase taken for one."""
    return {POSITION.sub(r"\1.*[]", item) for item in found}
