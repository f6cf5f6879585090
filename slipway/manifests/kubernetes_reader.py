"""Plain Kubernetes manifests from text, typed as kubectl types them."""

from typing import Any

from slipway.diagnostics import Collector, catalogue, wording
from slipway.manifests import decoding, plain, quick_reader, scalars, yaml_reader
from slipway.manifests.manifest import Manifest
from slipway.manifests.nodes import Entry, MappingNode, Node, ScalarNode

_SERVER_SIDE = frozenset(
    {"uid", "resourceVersion", "generation", "creationTimestamp", "managedFields", "selfLink", "ownerReferences"}
)
_KEPT = frozenset({"name", "namespace", "labels", "annotations"})
_METADATA = _KEPT | _SERVER_SIDE
_HEAD = frozenset({"apiVersion", "kind", "metadata"})


def read_manifests(
    data: bytes | str, *, file: str, limits: decoding.Limits = decoding.DEFAULT_LIMITS
) -> tuple[Manifest, ...]:
    """Return the objects of a YAML or JSON file in its order: every document, and the items of a ``List``.

    Empty documents are skipped; what the API server writes into ``metadata`` is left out, with ``status`` kept in
    the body. Raises DiagnosticsError: MESH01xx for syntax, MESH0401 for what is no object, MESH0402 for metadata
    that a manifest value cannot hold.
    """
    documents = quick_reader.read_all(decoding.decode(data, file=file, limits=limits), limits=limits)
    quick: list[Manifest] = []
    if documents is not None and all(_taken(item, quick) for item in documents):
        return tuple(quick)
    collector = Collector()
    found: list[Manifest] = []
    for document in yaml_reader.read_all(data, file=file, limits=limits):
        if not (isinstance(document, ScalarNode) and scalars.resolve(document.text) is None):
            found += _objects(document, collector)
    collector.stop_on_errors()
    return tuple(found)


def _taken(value: Any, found: list[Manifest]) -> bool:
    """Append the objects of a document without places; False where :func:`_objects` has something to say."""
    if not isinstance(value, dict) or not _is_name(value.get("apiVersion")) or not _is_name(value.get("kind")):
        return False
    if value["kind"].endswith("List") and "items" in value:
        return isinstance(value["items"], list) and all(_taken(item, found) for item in value["items"])
    metadata = value.get("metadata")
    if not isinstance(metadata, dict) or not metadata.keys() <= _METADATA:
        return False
    named = _is_name(metadata.get("name")) and ("namespace" not in metadata or _is_name(metadata["namespace"]))
    labels, annotations = metadata.get("labels"), metadata.get("annotations")
    if not named or not _is_texts(labels) or not _is_texts(annotations):
        return False
    found.append(
        Manifest(
            api_version=value["apiVersion"],
            kind=value["kind"],
            name=metadata["name"],
            namespace=metadata.get("namespace", ""),
            labels=labels or {},
            annotations=annotations or {},
            body={key: item for key, item in value.items() if key not in _HEAD},
        )
    )
    return True


def _is_name(value: Any) -> bool:
    return isinstance(value, str) and bool(value)


def _is_texts(value: Any) -> bool:
    return value is None or (isinstance(value, dict) and all(isinstance(item, str) for item in value.values()))


def _objects(node: Node, collector: Collector) -> list[Manifest]:
    entries = _entries(node)
    if not entries or not _text(entries, "apiVersion") or not _text(entries, "kind"):
        sentence = "a Kubernetes object is a map with `apiVersion`, `kind` and `metadata`"
        collector.report(catalogue.NOT_AN_OBJECT, sentence, span=node.span, hint="add the missing keys")
        return []
    if _text(entries, "kind").endswith("List") and "items" in entries:
        items = getattr(entries["items"].value, "items", ())
        return [manifest for item in items for manifest in _objects(item, collector)]
    metadata = _entries(entries["metadata"].value) if "metadata" in entries else {}
    if not _text(metadata, "name"):
        sentence = "`metadata.name` is missing, empty, or not a text"
        collector.report(catalogue.METADATA, sentence, span=node.span, path="metadata.name", hint="name the object")
        return []
    _check_metadata(metadata, collector)
    return [
        Manifest(
            api_version=_text(entries, "apiVersion"),
            kind=_text(entries, "kind"),
            name=_text(metadata, "name"),
            namespace=_text(metadata, "namespace"),
            labels=_texts(metadata, "labels", collector),
            annotations=_texts(metadata, "annotations", collector),
            body={key: _plain(entry.value) for key, entry in entries.items() if key not in _HEAD},
        )
    ]


def _entries(node: Node) -> dict[str, Entry]:
    return {entry.key.text: entry for entry in node.entries} if isinstance(node, MappingNode) else {}


def _plain(node: Node) -> Any:
    return plain.to_plain(node, resolve=scalars.resolve_for_kubernetes)


def _text(entries: dict[str, Entry], key: str) -> str:
    value = _plain(entries[key].value) if key in entries else ""
    return value if isinstance(value, str) else ""


def _check_metadata(metadata: dict[str, Entry], collector: Collector) -> None:
    for key, entry in metadata.items():
        if key not in _METADATA:
            sentence = f"`metadata.{wording.shown(key)}` is not read; keys: {wording.listed(_KEPT)}"
            path = f"metadata.{wording.shown(key)}"
            collector.report(catalogue.METADATA, sentence, span=entry.key.span, path=path, hint="remove it")
    if "namespace" in metadata and not _text(metadata, "namespace"):
        sentence = "`metadata.namespace` is empty or not a text"
        span = metadata["namespace"].value.span
        collector.report(
            catalogue.METADATA, sentence, span=span, path="metadata.namespace", hint="quote or remove it"
        )


def _texts(metadata: dict[str, Entry], key: str, collector: Collector) -> dict[str, str]:
    found: dict[str, str] = {}
    node = metadata[key].value if key in metadata else None
    if node is None or (isinstance(node, ScalarNode) and _plain(node) is None):
        return found
    if not isinstance(node, MappingNode):
        sentence = f"`metadata.{key}` has to be a map of texts"
        collector.report(catalogue.METADATA, sentence, span=node.span, path=f"metadata.{key}", hint="make it a map")
    for name, entry in _entries(node).items():
        value = _plain(entry.value)
        if isinstance(value, str):
            found[name] = value
            continue
        path = f"metadata.{key}.{wording.shown(name)}"
        written = entry.value.text if isinstance(entry.value, ScalarNode) else ""
        sentence = f"kubectl reads {wording.quoted(written)} as no text, and `metadata.{key}` holds texts"
        hint = f'quote it: "{wording.shown(written)}"'
        collector.report(catalogue.METADATA, sentence, span=entry.value.span, path=path, found=written, hint=hint)
    return found
