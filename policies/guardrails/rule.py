"""A rule as a value: what it is called, why it is there, and what it says about one resource or about all."""

import datetime
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast


@dataclass(frozen=True, slots=True, kw_only=True)
class Resource:
    """One resource as Pulumi registers it: ``type`` is its Pulumi type, ``inputs`` are plain values."""

    type: str
    name: str
    inputs: Mapping[str, Any]

    @property
    def kind(self) -> str:
        """The Kubernetes kind; empty for other resources."""
        return self.type.rpartition(":")[2] if self.type.startswith("kubernetes:") else ""

    @property
    def metadata(self) -> Mapping[str, Any]:
        """Metadata of a Kubernetes object."""
        return section(self.inputs, "metadata")

    @property
    def namespace(self) -> str:
        """Namespace of a Kubernetes object, ``default`` where none is stated."""
        return str(self.metadata.get("namespace") or "default")

    @property
    def spec(self) -> Mapping[str, Any]:
        """Specification of a Kubernetes object."""
        return section(self.inputs, "spec")

    def annotation(self, name: str) -> str:
        """Return an annotation; empty when there is none."""
        return str(section(self.metadata, "annotations").get(name, ""))


@dataclass(frozen=True, slots=True, kw_only=True)
class ResourceRule:
    """A rule about one resource: ``check`` yields a sentence for each thing that is wrong, as of a day."""

    name: str
    description: str
    check: Callable[[Resource, datetime.date], Iterable[str]]


@dataclass(frozen=True, slots=True, kw_only=True)
class StackRule:
    """A rule about all resources together."""

    name: str
    description: str
    check: Callable[[Sequence[Resource]], Iterable[str]]


def section(inputs: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    """Return the map under ``key``; an empty one when it is absent or no map."""
    found = inputs.get(key)
    return cast("Mapping[str, Any]", found) if isinstance(found, Mapping) else {}


def items(inputs: Mapping[str, Any], key: str) -> list[Any]:
    """Return the list under ``key``; an empty one when it is absent or no list."""
    found = inputs.get(key)
    return cast("list[Any]", found) if isinstance(found, list) else []


def maps(inputs: Mapping[str, Any], key: str) -> list[Mapping[str, Any]]:
    """Return the maps in the list under ``key``."""
    return [cast("Mapping[str, Any]", item) for item in items(inputs, key) if isinstance(item, Mapping)]
