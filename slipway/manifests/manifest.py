"""A Kubernetes object as a plain value."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Self


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

    @classmethod
    def from_dict(cls, document: Mapping[str, Any]) -> Self:
        """Return the object that :meth:`to_dict` gave, or the API server, whose further metadata is left out."""
        metadata = document.get("metadata") or {}
        return cls(
            api_version=document["apiVersion"],
            kind=document["kind"],
            name=metadata.get("name", ""),
            namespace=metadata.get("namespace", ""),
            labels=metadata.get("labels") or {},
            annotations=metadata.get("annotations") or {},
            body={key: value for key, value in document.items() if key not in {"apiVersion", "kind", "metadata"}},
        )
