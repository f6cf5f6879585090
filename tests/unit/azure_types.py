"""Inputs against the SDK's own types: what has no type there is misspelt, and Azure would ignore it in silence."""

import collections.abc
import importlib
import sys
import typing
from collections.abc import Iterator

from pulumi import _types

# They end like names and are none. Source: pulumi-azure-native 3.29.0, descriptions of these arguments.
NO_NAMES = {"customNetworkInterfaceName", "eventHubName"}
SECRET = "4dabf18193072939515e22adb298388d"  # Source: pulumi sdk/go/common/resource/sig
SCALARS = {str: str, bool: bool, int: (int, float), float: (int, float)}


def class_of(token: str) -> type:
    """Return the SDK's class of a type's token, as ``azure-native:network:Subnet``."""
    _, module, name = token.split(":")
    return getattr(importlib.import_module(f"pulumi_azure_native.{module}"), name)


def arguments_of(token: str) -> type:
    """Return the SDK's class of a resource's arguments."""
    module = sys.modules[class_of(token).__module__]
    return getattr(module, module.__all__[0])


def inputs_of(token: str) -> set[str]:
    """Return the inputs that a resource takes, as they are sent."""
    return set(_types.input_type_types(arguments_of(token)))


def names_of(token: str) -> set[str]:
    """Return the inputs that name a resource and what it stands in."""
    found = {item for item in inputs_of(token) if item.endswith("Name") and item not in NO_NAMES}
    return found if found - {"resourceGroupName"} or token.endswith(":ResourceGroup") else found | {"name"}


def mistakes(token: str, inputs: dict) -> list[str]:
    """Return what is wrong with the inputs of one resource; nothing for a right one."""
    return [*_record(arguments_of(token), inputs, token)]


def _record(arguments: type, value: dict, path: str) -> Iterator[str]:
    types = _types.input_type_types(arguments)
    for key, below in value.items():
        if key in types:
            yield from _value(types[key], below, f"{path}.{key}")
        else:
            yield f"{path}: no input `{key}`"


def _value(wanted, value, path: str) -> Iterator[str]:
    if isinstance(value, dict) and SECRET in value:
        value = value["value"]
    if value is None or wanted is typing.Any:
        return
    inner = typing.get_args(wanted)
    match typing.get_origin(wanted):
        case typing.Union:
            found = [[*_value(item, value, path)] for item in inner if _counts(item)]
            yield from min(found, key=len, default=[])
        case collections.abc.Sequence if isinstance(value, list):
            for index, item in enumerate(value):
                yield from _value(inner[0], item, f"{path}[{index}]")
        case collections.abc.Mapping if isinstance(value, dict):
            for key, item in value.items():
                yield from _value(inner[1], item, f"{path}.{key}")
        case None:
            yield from _single(wanted, value, path)
        case other:
            yield f"{path}: no {other.__name__}"


def _single(wanted, value, path: str) -> Iterator[str]:
    if _types.is_input_type(wanted):
        yield from _record(wanted, value, path) if isinstance(value, dict) else [f"{path}: no map"]
    elif wanted in SCALARS and (not isinstance(value, SCALARS[wanted]) or (wanted is not bool and value is True)):
        yield f"{path}: {value!r} is not {wanted.__name__}"


def _counts(item) -> bool:
    """Whether a member of a union is a type of the value itself, not of a promise of it."""
    promised = typing.get_origin(item) is collections.abc.Awaitable or "Output" in getattr(
        item, "__name__", str(item)
    )
    return not promised and item is not type(None)
