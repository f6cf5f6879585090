"""Property values between the engine's protobuf structs and plain Python."""

from collections.abc import Iterator, Mapping
from typing import Any, Final

from google.protobuf import struct_pb2
from pulumi.runtime import rpc

Properties = dict[str, Any]


class Unknown:
    """A value that the engine does not know yet, in a preview."""

    def __repr__(self) -> str:
        return "<unknown>"


UNKNOWN: Final = Unknown()


def decode(struct: struct_pb2.Struct) -> Properties:
    """Return ``struct`` as plain values without nulls; secrets are unwrapped, unknown ones become :data:`UNKNOWN`."""
    return {key: _decode(value) for key, value in struct.fields.items() if value.WhichOneof("kind") != "null_value"}


def _decode(value: struct_pb2.Value) -> Any:
    kind = value.WhichOneof("kind")
    if kind == "struct_value":
        fields = value.struct_value.fields
        if rpc._special_sig_key in fields:
            return _decode(fields["value"])
        return decode(value.struct_value)
    if kind == "list_value":
        return [_decode(item) for item in value.list_value.values]
    if kind == "number_value":
        return int(value.number_value) if value.number_value.is_integer() else value.number_value
    if kind == "string_value":
        return UNKNOWN if value.string_value == rpc.UNKNOWN else value.string_value
    return value.bool_value if kind == "bool_value" else None


def encode(properties: Mapping[str, Any]) -> struct_pb2.Struct:
    """Return ``properties`` as the engine reads them."""
    struct = struct_pb2.Struct()
    struct.update(_plain(properties))
    return struct


def _plain(value: Any) -> Any:
    if isinstance(value, Unknown):
        return rpc.UNKNOWN
    if isinstance(value, Mapping):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return value


def leaves(value: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    """Yield every plain value below ``value`` with its path: ``ipConfigurations[0].subnet.id``."""
    if isinstance(value, Mapping):
        for key, item in value.items():
            yield from leaves(item, f"{path}.{key}" if path else key)
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from leaves(item, f"{path}[{index}]")
    else:
        yield path, value


def at(value: Any, path: str) -> list[Any]:
    """Return what stands at ``path``; a segment ending in ``[]`` goes through each item of a list.

    Nothing where the path leads nowhere or to what is unknown.
    """
    found = [value]
    for segment in path.split("."):
        name, each = segment.removesuffix("[]"), segment.endswith("[]")
        found = [item[name] for item in found if isinstance(item, Mapping) and name in item]
        if each:
            found = [inner for item in found if isinstance(item, list) for inner in item]
    return [item for item in found if not isinstance(item, Unknown)]


def one(value: Any, path: str, default: Any = None) -> Any:
    """Return the only value at ``path``, or ``default``."""
    found = at(value, path)
    return found[0] if found else default
