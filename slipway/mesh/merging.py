"""Several files of a mesh as one map: maps of named things merge, what two files define has no winner."""

from collections.abc import Sequence

from slipway.diagnostics import Collector, catalogue, wording
from slipway.manifests.nodes import Entry, MappingNode, Node, ScalarNode
from slipway.mesh import mesh_keys, shape
from slipway.mesh.reading import Reader, child_path

_HEADER = frozenset(item.key for item in mesh_keys.FILE.fields)
_MERGED = frozenset(item.key for item in mesh_keys.MESH.fields if isinstance(item.shape, shape.MapOf))


def merge(documents: Sequence[Node], *, collector: Collector) -> Node:
    """Return the documents as one map. Entries of ``services``, ``external`` and ``ingress`` are put together.

    A key that two files define is reported (MESH0204) and the first one kept. A single document is returned as it is,
    and documents that are no maps are returned for the reader to refuse.
    """
    odd = next((item for item in documents if not isinstance(item, MappingNode)), None)
    if odd is not None or len(documents) == 1:
        return odd or documents[0]
    merged: dict[str, Entry] = {}
    for document in documents:
        for entry in document.entries if isinstance(document, MappingNode) else ():
            name = entry.key.text
            first = merged.get(name)
            merged[name] = entry if first is None else _together(first, entry, name, collector)
    return MappingNode(entries=tuple(merged.values()), span=documents[0].span)


def spread(document: Node, *, reader: Reader) -> Node:
    """Return one file with its ``owner`` and ``namespace`` written into each of its services that states none.

    A header that is refused is reported once, not at every service: a name that passes stands in for it.
    """
    if not isinstance(document, MappingNode):
        return document
    header = tuple(entry for entry in document.entries if entry.key.text in _HEADER)
    found = reader.read(MappingNode(entries=header, span=document.span), mesh_keys.FILE)
    defaults = [
        entry if found.text_of(entry.key.text) else Entry(key=entry.key, value=_stand_in(entry)) for entry in header
    ]
    entries = tuple(
        Entry(key=entry.key, value=_with_defaults(entry.value, defaults)) if entry.key.text == "services" else entry
        for entry in document.entries
        if entry.key.text not in _HEADER
    )
    return MappingNode(entries=entries, span=document.span)


def _stand_in(entry: Entry) -> Node:
    return ScalarNode(text="refused", plain=True, span=entry.value.span)


def _with_defaults(services: Node, defaults: Sequence[Entry]) -> Node:
    if not isinstance(services, MappingNode):
        return services
    return MappingNode(
        entries=tuple(Entry(key=entry.key, value=_with(entry.value, defaults)) for entry in services.entries),
        span=services.span,
    )


def _with(service: Node, defaults: Sequence[Entry]) -> Node:
    if not isinstance(service, MappingNode):
        return service
    stated = {entry.key.text for entry in service.entries}
    added = [entry for entry in defaults if entry.key.text not in stated]
    return MappingNode(entries=(*service.entries, *added), span=service.span)


def _together(first: Entry, second: Entry, name: str, collector: Collector) -> Entry:
    if name not in _MERGED or not isinstance(first.value, MappingNode) or not isinstance(second.value, MappingNode):
        _report(first, second, name, collector)
        return first
    known = {entry.key.text: entry for entry in first.value.entries}
    added = [entry for entry in second.value.entries if entry.key.text not in known]
    for entry in second.value.entries:
        if entry.key.text in known:
            _report(known[entry.key.text], entry, child_path(name, entry.key.text), collector)
    value = MappingNode(entries=(*first.value.entries, *added), span=first.value.span)
    return Entry(key=first.key, value=value)


def _report(first: Entry, second: Entry, path: str, collector: Collector) -> None:
    name = wording.quoted(second.key.text)
    sentence = f"{name} is defined here and in {wording.shown(first.key.span.file)}:{first.key.span.line}"
    collector.report(
        catalogue.TWO_FILES,
        sentence,
        span=second.key.span,
        path=path,
        found=second.key.text,
        hint="keep it in one of the two files",
        related=[first.key.span],
    )
