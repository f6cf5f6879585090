"""Read a tree of nodes by its shape: every mistake is collected, what is right is kept."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from slipway.diagnostics import Collector, Span, catalogue, wording
from slipway.manifests import scalars
from slipway.manifests.nodes import Entry, MappingNode, Node, ScalarNode, SequenceNode
from slipway.mesh import shape, typed

_PLAIN_KEY = re.compile(r"[A-Za-z0-9_-]+")


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """A value of the declaration: scalars, ``fields`` of a map or ``items`` of a list, and where it stands.

    ``scalar`` is None in maps, in lists and where the value was refused; ``refused`` says that a message tells
    what is wrong with this value itself. ``raw`` is a scalar as written; ``key`` the place of the key it belongs to,
    else its own.
    """

    span: Span
    key: Span
    path: str
    scalar: str | int | float | bool | None = None
    raw: str = ""
    fields: Mapping[str, "Found"] = field(default_factory=dict)
    items: tuple["Found", ...] = ()
    refused: bool = False

    def __iter__(self) -> Iterator["Found"]:
        return iter(self.items)

    def get(self, key: str) -> "Found | None":
        """Return what stands under ``key``, or None."""
        return self.fields.get(key)

    def is_stated(self, key: str) -> bool:
        """Whether the key holds something other than ``false``."""
        found = self.fields.get(key)
        return found is not None and found.scalar is not False

    def entries(self, key: str) -> Mapping[str, "Found"]:
        """Return the entries of the map under ``key``; none when it is absent."""
        found = self.fields.get(key)
        return {} if found is None else found.fields

    def list(self, key: str) -> tuple["Found", ...]:
        """Return the items of the list under ``key``; none when it is absent."""
        found = self.fields.get(key)
        return () if found is None else found.items

    @property
    def text(self) -> str:
        """The text; empty where it was refused."""
        return self.scalar if isinstance(self.scalar, str) else ""

    def text_of(self, key: str, default: str = "") -> str:
        """Return the text under ``key``, or ``default`` when it is absent or was refused."""
        found = self.fields.get(key)
        return default if found is None or not isinstance(found.scalar, str) else found.scalar

    def whole_of(self, key: str, default: int) -> int:
        """Return the whole number under ``key``, or ``default`` when it is absent or was refused."""
        found = self.fields.get(key)
        return default if found is None or not isinstance(found.scalar, int) else found.scalar

    def number_of(self, key: str, default: float) -> float:
        """Return the number under ``key``, or ``default`` when it is absent or was refused."""
        found = self.fields.get(key)
        return default if found is None or not isinstance(found.scalar, float) else found.scalar


def child_path(path: str, key: str) -> str:
    """Return the path of a map's entry, as ``services.orders`` or ``routes["/api"]``."""
    if _PLAIN_KEY.fullmatch(key):
        return f"{path}.{key}" if path else key
    return f'{path}["{wording.shown(key)}"]'


class Reader:
    """Reads nodes into :class:`Found`; messages go to ``collector``."""

    def __init__(self, collector: Collector) -> None:
        self._collector = collector

    def read(self, node: Node, wanted: shape.Shape, *, path: str = "", key: Span | None = None) -> Found:
        """Return what the node holds; parts that were refused are absent or have no ``scalar``."""
        place = key or node.span
        if isinstance(wanted, shape.Either):
            wanted = wanted.long if isinstance(node, MappingNode) else wanted.short
        match wanted, node:
            case shape.Record(), MappingNode():
                return self._record(node, wanted, path, place)
            case shape.MapOf(), MappingNode():
                self._enough(len(node.entries), node, wanted, path)
                return self._map(node, wanted, path, place)
            case shape.ListOf(), SequenceNode():
                self._enough(len(node.items), node, wanted, path)
                return self._list(node, wanted, path, place)
            case ((shape.Record() | shape.MapOf() | shape.ListOf()), _):
                return self._wrong_type(node, wanted, path, place)
            case _, ScalarNode():
                return self._scalar(node, wanted, path, place)
            case _:
                return self._wrong_type(node, wanted, path, place)

    def _wrong_type(self, node: Node, wanted: shape.Shape, path: str, key: Span) -> Found:
        empty = isinstance(node, ScalarNode) and node.plain and scalars.resolve(node.text) is None
        found = "nothing" if empty else _kind(node)
        hint = "remove the key, or give it a value" if empty and path else _form(wanted)
        sentence = f"{wanted.noun} is needed here, not {found}"
        self._collector.report(
            catalogue.WRONG_TYPE, sentence, span=node.span, path=path, found=_text(node), hint=hint
        )
        return Found(span=node.span, key=key, path=path, refused=True)

    def _record(self, node: MappingNode, wanted: shape.Record, path: str, key: Span) -> Found:
        known = {item.key: item for item in wanted.fields}
        fields: dict[str, Found] = {}
        meant: set[str | None] = set()
        for entry in node.entries:
            name, below = entry.key.text, child_path(path, entry.key.text)
            if name in known:
                fields[name] = self.read(entry.value, known[name].shape, path=below, key=entry.key.span)
            else:
                meant.add(self._unknown_key(entry, known, wanted, below))
        for item in wanted.fields:
            if item.required and item.key not in fields and item.key not in meant:
                self._missing(item, wanted, path, key)
        return Found(span=node.span, key=key, path=path, fields=fields, refused=bool(meant))

    def _unknown_key(self, entry: Entry, known: Mapping[str, Any], wanted: shape.Record, path: str) -> str | None:
        name = entry.key.text
        near = self._collector.nearest(name, known)
        hint = f"did you mean {wording.quoted(near)}?" if near else f"remove it; known keys: {wording.listed(known)}"
        sentence = f"{wanted.noun} has no key {wording.quoted(name)}; its keys are {wording.listed(known)}"
        self._collector.report(catalogue.UNKNOWN_KEY, sentence, span=entry.key.span, path=path, found=name, hint=hint)
        return near

    def _missing(self, item: shape.Field, wanted: shape.Record, path: str, key: Span) -> None:
        sentence = f"{wanted.noun} needs the key {wording.quoted(item.key)}"
        hint = f"add `{item.key}: ...`: {item.doc}"
        self._collector.report(catalogue.MISSING_KEY, sentence, span=key, path=path, hint=hint)

    def _map(self, node: MappingNode, wanted: shape.MapOf, path: str, key: Span) -> Found:
        fields: dict[str, Found] = {}
        for entry in node.entries:
            below = child_path(path, entry.key.text)
            name = self._scalar(entry.key, wanted.key, below, entry.key.span)
            value = self.read(entry.value, wanted.value, path=below, key=entry.key.span)
            if isinstance(name.scalar, str) and name.scalar not in fields:
                fields[name.scalar] = value
            elif isinstance(name.scalar, str):
                self._same_key(entry.key, name.scalar, fields[name.scalar].key, below)
        return Found(span=node.span, key=key, path=path, fields=fields)

    def _enough(self, size: int, node: Node, wanted: shape.MapOf | shape.ListOf, path: str) -> None:
        if size < wanted.minimum:
            sentence = f"{wanted.noun} with at least {wanted.minimum} of them is needed here, not an empty one"
            hint = "remove the key, or give it a value"
            self._collector.report(catalogue.EMPTY, sentence, span=node.span, path=path, hint=hint)

    def _same_key(self, key: ScalarNode, canonical: str, first: Span, path: str) -> None:
        sentence = f"the key {wording.quoted(key.text)} means {wording.quoted(canonical)}, as line {first.line} does"
        self._collector.report(
            catalogue.DUPLICATE_KEY, sentence, span=key.span, path=path, hint="remove one of the two", related=[first]
        )

    def _list(self, node: SequenceNode, wanted: shape.ListOf, path: str, key: Span) -> Found:
        items: list[Found] = []
        seen: dict[Any, Found] = {}
        for index, item in enumerate(node.items):
            found = self.read(item, wanted.item, path=f"{path}[{index}]")
            first = seen.setdefault(found.scalar, found) if found.scalar is not None else found
            if first is found:
                items.append(found)
            else:
                sentence = f"{wording.quoted(found.raw)} stands twice in this list"
                self._collector.report(
                    catalogue.DUPLICATE_ENTRY,
                    sentence,
                    span=found.span,
                    path=found.path,
                    hint="remove one of the two",
                    related=[first.span],
                )
        return Found(span=node.span, key=key, path=path, items=tuple(items))

    def _scalar(self, node: ScalarNode, wanted: shape.Scalar, path: str, key: Span) -> Found:
        value: str | int | float | bool | None = None
        try:
            value = typed.value_of(node, wanted)
        except shape.Rejected as rejected:
            hint = rejected.hint
            if rejected.code is catalogue.NOT_A_CHOICE and isinstance(wanted, shape.Choice):
                near = self._collector.nearest(node.text, wanted.values)
                hint = f"did you mean {wording.quoted(near)}?" if near else hint
            shown = node.text if rejected.found is None else rejected.found
            self._collector.report(
                rejected.code, rejected.sentence, span=node.span, path=path, found=shown, hint=hint
            )
        return Found(span=node.span, key=key, path=path, scalar=value, raw=node.text, refused=value is None)


def _form(wanted: shape.Shape) -> str:
    """Return how a value of the shape is written."""
    match wanted:
        case shape.Record():
            keys = [item.key for item in wanted.fields if item.required] or [wanted.fields[0].key]
            return f"write a map, as `{{{', '.join(f'{key}: ...' for key in keys)}}}`"
        case shape.MapOf():
            return "write a map, as `{name: ...}`"
        case shape.ListOf():
            return "write a list, as `[...]`"
        case _:
            return "write one value, without brackets"


def _kind(node: Node) -> str:
    match node:
        case MappingNode():
            return "a map"
        case SequenceNode():
            return "a list"
        case ScalarNode():
            return "a single value"


def _text(node: Node) -> str:
    return node.text if isinstance(node, ScalarNode) else ""
