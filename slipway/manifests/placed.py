"""Plain Kubernetes manifests that know where each of their fields stands."""

from collections.abc import Iterator
from dataclasses import dataclass

from slipway.diagnostics import Collector, DiagnosticsError, Span
from slipway.manifests import kubernetes_reader, scalars, yaml_reader
from slipway.manifests.manifest import Manifest
from slipway.manifests.nodes import MappingNode, Node, ScalarNode, SequenceNode


@dataclass(frozen=True, slots=True, kw_only=True)
class Placed:
    """One object and the part of its file that it was read from."""

    manifest: Manifest
    node: Node

    def span(self, *path: str) -> Span:
        """Return where the field under ``path`` stands, or the nearest one above it that is there."""
        found, span = self.node, self.node.span
        for key in path:
            entries = found.entries if isinstance(found, MappingNode) else ()
            entry = next((item for item in entries if item.key.text == key), None)
            if entry is None:
                break
            found, span = entry.value, entry.key.span
        return span


def read(data: bytes | str, *, file: str, collector: Collector) -> tuple[Placed, ...]:
    """Return the objects of a file in its order, read as by `kubernetes_reader`; none when it has mistakes.

    Those are in ``collector`` then: MESH01xx for syntax, MESH0401 and MESH0402 for what is no object.
    """
    try:
        manifests = kubernetes_reader.read_manifests(data, file=file)
    except DiagnosticsError as error:
        collector.extend(error.diagnostics)
        return ()
    nodes = [node for document in yaml_reader.read_all(data, file=file) for node in _objects(document)]
    return tuple(Placed(manifest=item, node=node) for item, node in zip(manifests, nodes, strict=True))


def _objects(node: Node) -> Iterator[Node]:
    if isinstance(node, ScalarNode) and scalars.resolve(node.text) is None:
        return
    entries = {item.key.text: item.value for item in node.entries} if isinstance(node, MappingNode) else {}
    kind, items = entries.get("kind"), entries.get("items")
    if isinstance(kind, ScalarNode) and kind.text.endswith("List") and isinstance(items, SequenceNode):
        for item in items.items:
            yield from _objects(item)
    else:
        yield node
