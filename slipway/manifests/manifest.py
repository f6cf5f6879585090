"""A Kubernetes object as a plain value."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """One Kubernetes object.

    ``body`` holds everything beside ``apiVersion``, ``kind`` and ``metadata`` (``spec``, ``data`` and the
    like) as plain dicts, lists and scalars; nobody changes it after construction.
    """

    api_version: str
    kind: str
    name: str
    namespace: str = ""
    labels: Mapping[str, str] = field(default_factory=dict)
    annotations: Mapping[str, str] = field(default_factory=dict)
    body: Mapping[str, Any] = field(default_factory=dict)

    @property
    def key(self) -> tuple[str, str, str]:
        """Kind, namespace and name: unique within a bundle and the order of canonical output."""
        return (self.kind, self.namespace, self.name)

    def to_dict(self) -> dict[str, Any]:
        """Return the object as the API server takes it."""
        metadata: dict[str, Any] = {"name": self.name}
        if self.namespace:
            metadata["namespace"] = self.namespace
        if self.labels:
            metadata["labels"] = dict(sorted(self.labels.items()))
        if self.annotations:
            metadata["annotations"] = dict(sorted(self.annotations.items()))
        return {"apiVersion": self.api_version, "kind": self.kind, "metadata": metadata, **self.body}
