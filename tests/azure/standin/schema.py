"""The SDK's own types, as shapes: what a resource or a function takes and gives, by the names on the wire.

Source: the classes of pulumi-azure-native. A property's wire name stands on its getter, its type in the getter's
annotation, and it is required where `__init__` gives it no default.
"""

import collections.abc
import functools
import importlib
import inspect
import re
import sys
import types
import typing
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any

import pulumi

from standin import values

PACKAGE = "pulumi_azure_native"
_FORWARD = {"Output": pulumi.Output, "T": type(None)}  # `pulumi.Input` names `Output[T]` in quotes
_CONSTANT = re.compile(r"Expected value is '([^']*)'")
_VERSION = re.compile(r"Uses Azure REST API version (\S+?)\.\s")


@dataclass(frozen=True, slots=True)
class Anything:
    """JSON of any form."""


@dataclass(frozen=True, slots=True)
class Scalar:
    """A plain value of Python's ``kind``."""

    kind: type


@dataclass(frozen=True, slots=True)
class Choice:
    """One of an enumeration's values."""

    name: str
    values: tuple[Any, ...]


@dataclass(frozen=True, slots=True)
class ListOf:
    """A list of one shape."""

    item: "Shape"


@dataclass(frozen=True, slots=True)
class MapOf:
    """An object whose names the user chooses."""

    item: "Shape"


@dataclass(frozen=True, slots=True)
class Typed:
    """An object of one of the SDK's classes."""

    cls: type


@dataclass(frozen=True, slots=True)
class OneOf:
    """Any of several shapes."""

    members: tuple["Shape", ...]


Shape = Anything | Scalar | Choice | ListOf | MapOf | Typed | OneOf


@dataclass(frozen=True, slots=True, kw_only=True)
class Field:
    """One property; ``constant`` is the only value that it may have, as a union's discriminator has."""

    shape: Shape
    required: bool = False
    constant: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Resource:
    """What the SDK says of one resource type."""

    token: str
    inputs: Mapping[str, Field]
    outputs: Mapping[str, Field]
    api_version: str


class NotInSdkError(LookupError):
    """The SDK has no such resource."""


@functools.cache
def resource(token: str) -> Resource:
    """Return the resource type ``azure-native:network:Subnet``. Raises :class:`NotInSdkError`."""
    cls = _class(token)
    module = sys.modules[cls.__module__]
    arguments = next(getattr(module, name) for name in module.__all__ if name.endswith("Args"))
    return Resource(
        token=token,
        inputs=fields(arguments),
        outputs=fields(cls),
        api_version=_api_version(cls),
    )


@functools.cache
def fields(cls: type) -> Mapping[str, Field]:
    """Return the properties of one of the SDK's classes by their wire names."""
    required = {
        name
        for name, parameter in inspect.signature(cls.__init__).parameters.items()
        if parameter.kind is inspect.Parameter.KEYWORD_ONLY and parameter.default is inspect.Parameter.empty
    }
    found = {}
    for name, member in inspect.getmembers_static(cls, lambda item: isinstance(item, property)):
        wire = getattr(member.fget, "_pulumi_name", None)
        if wire is None:
            continue
        hint = typing.get_type_hints(member.fget, localns=_FORWARD)["return"]
        constant = _CONSTANT.search(member.fget.__doc__ or "")
        found[wire] = Field(
            shape=_shape(hint), required=name in required, constant=constant[1] if constant is not None else None
        )
    return types.MappingProxyType(found)


def _class(token: str) -> type:
    package, module_name, name = token.split(":")
    if package == "azure-native":
        try:
            module = importlib.import_module(f"{PACKAGE}.{module_name}")
        except ModuleNotFoundError as error:
            raise NotInSdkError(f"the SDK has no module {module_name!r}") from error
        cls = getattr(module, name, None)
        if isinstance(cls, type) and issubclass(cls, pulumi.CustomResource):
            return cls
    raise NotInSdkError(f"the SDK has no resource {token!r}")


def _api_version(cls: type) -> str:
    found = _VERSION.search(cls.__doc__ or "") or _VERSION.search(inspect.getdoc(cls.__init__) or "")
    found = found or _VERSION.search(inspect.getsource(sys.modules[cls.__module__]))
    return found[1] if found is not None else ""


def _shape(hint: Any) -> Shape:
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin is pulumi.Output:
        return _shape(arguments[0])
    if origin in {typing.Union, types.UnionType}:
        return _union([item for item in arguments if not _is_wrapping(item)])
    if origin in {collections.abc.Sequence, list}:
        return ListOf(_shape(arguments[0]))
    if origin in {collections.abc.Mapping, dict}:
        return MapOf(_shape(arguments[1]))
    return _plain_shape(hint)


def _plain_shape(hint: Any) -> Shape:
    if hint is Any or not isinstance(hint, type):
        return Anything()
    if issubclass(hint, Enum):
        return Choice(hint.__name__, tuple(member.value for member in hint))
    if hint in {str, int, float, bool}:
        return Scalar(hint)
    return Typed(hint)


def _is_wrapping(hint: Any) -> bool:
    """Return whether ``hint`` only says that a value may be missing or come later."""
    return hint is type(None) or typing.get_origin(hint) in {collections.abc.Awaitable, pulumi.Output}


def _union(hints: list[Any]) -> Shape:
    """Return the shape of a union; text beside an enumeration is the way the SDK writes that enumeration."""
    members = tuple(dict.fromkeys(_shape(hint) for hint in hints))
    choices = tuple(member for member in members if isinstance(member, Choice))
    if choices:
        return choices[0]
    return members[0] if len(members) == 1 else OneOf(members)


def preview(shape: Shape, given: Any, *, known: bool) -> Any:
    """Return ``given`` as Azure's answer looks before it is there: what it would add is unknown.

    Source: pulumi-azure-native, provider/pkg/convert, `PreviewOutputs`.
    """
    if not known or isinstance(given, values.Unknown):
        return values.UNKNOWN
    if isinstance(shape, Typed) and isinstance(given, dict):
        return {
            name: preview(item.shape, given.get(name), known=name in given)
            for name, item in fields(shape.cls).items()
        }
    if isinstance(given, list):
        as_list = isinstance(shape, ListOf)
        return [preview(shape.item, item, known=True) for item in given] if as_list else values.UNKNOWN
    return given
