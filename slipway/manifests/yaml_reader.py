"""The one YAML reader: text in, a tree with places out, within limits and without surprises.

PyYAML scans and parses; composing is done here because its own composer keeps the last of two equal keys, has no
limit on what aliases expand to and forgets where keys stand.
"""

from collections.abc import Iterator, Mapping
from typing import Any, NoReturn

import yaml

from slipway.diagnostics import Collector, DiagnosticsError, Span, catalogue, wording
from slipway.manifests import scalars
from slipway.manifests.decoding import DEFAULT_LIMITS, Limits, decode
from slipway.manifests.nodes import Entry, MappingNode, Node, ScalarNode, SequenceNode

_TAG_PREFIX = "tag:yaml.org,2002:"
_TAGGED: Mapping[str, type] = {"str": str, "int": int, "float": float, "bool": bool, "null": type(None)}
_SCALAR_TAGS = frozenset(_TAGGED)
_LISTED_DUPLICATES = 100


def read(data: bytes | str, *, file: str, limits: Limits = DEFAULT_LIMITS) -> Node:
    """Return the one document of a file; an empty file is an empty plain scalar.

    Raises DiagnosticsError with codes MESH01xx: text, syntax, duplicate keys, tags, aliases, limits, a second
    document. Every duplicate key of the file is told; other mistakes of syntax end the reading where they stand.
    """
    collector = Collector()
    found = read_on(data, file=file, collector=collector, limits=limits)
    if found is None or collector.has_errors:
        raise DiagnosticsError(collector.diagnostics)
    return found


def read_on(data: bytes | str, *, file: str, collector: Collector, limits: Limits = DEFAULT_LIMITS) -> Node | None:
    """Return the one document of a file as :func:`read` does, with mistakes in ``collector`` instead of raised.

    Of duplicate keys the first one stays, so that the rest of the file can still be checked. None when the file
    could not be read to its end.
    """
    try:
        composer = _Composer(decode(data, file=file, limits=limits), file, limits)
        first, *others = tuple(composer.documents()) or (_nothing(file),)
    except DiagnosticsError as error:
        collector.extend(error.diagnostics)
        return None
    collector.extend(composer.collector.diagnostics)
    if others:
        sentence = "a second document starts here; the file has to be one document"
        hint = "remove the line `---`, or put the rest into a file of its own"
        collector.report(catalogue.SECOND_DOCUMENT, sentence, span=others[0].span, hint=hint)
    return first


def _nothing(file: str) -> ScalarNode:
    return ScalarNode(text="", plain=True, span=Span(file=file, line=1, column=1))


def read_all(data: bytes | str, *, file: str, limits: Limits = DEFAULT_LIMITS) -> tuple[Node, ...]:
    """Return every document of a file. Raises as :func:`read`, but takes any number of documents."""
    composer = _Composer(decode(data, file=file, limits=limits), file, limits)
    documents = tuple(composer.documents())
    composer.collector.stop_on_errors()
    return documents


def _events(text: str) -> Iterator[Any]:
    loader = yaml.CBaseLoader if yaml.__with_libyaml__ else yaml.BaseLoader
    yield from yaml.parse(text, Loader=loader)


class _Composer:
    """Builds nodes from the events of one file and counts what they expand to."""

    def __init__(self, text: str, file: str, limits: Limits) -> None:
        self.collector = Collector()
        self._file = file
        self._limits = limits
        self._events = _events(text)
        self._last = Span(file=file, line=1, column=1)
        self._anchors: dict[str, tuple[Node, int] | None] = {}
        self._nodes = 0
        self._aliases = 0
        self._duplicates = 0

    def documents(self) -> Iterator[Node]:
        while not isinstance(event := self._next(), yaml.StreamEndEvent):
            if isinstance(event, yaml.DocumentStartEvent):
                self._anchors.clear()
                yield self._compose(self._next(), depth=0)

    def _next(self) -> Any:
        try:
            return next(self._events)
        except yaml.MarkedYAMLError as error:
            mark = error.problem_mark or error.context_mark
            place = self._last if mark is None else self._span(mark, mark)
            words = " ".join(filter(None, (error.problem, error.context)))
        except yaml.YAMLError as error:
            place, words = self._last, str(error)
        hint = "indent with spaces, never with tabs" if "cannot start any token" in words else ""
        return self._stop(catalogue.YAML_SYNTAX, f"the text is not YAML: {words}", place, hint=hint)

    def _span(self, start: Any, end: Any) -> Span:
        return Span(file=self._file, line=start.line + 1, column=start.column + 1, start=start.index, end=end.index)

    def _stop(self, code: catalogue.Code, sentence: str, span: Span, *, found: str = "", hint: str = "") -> NoReturn:
        self.collector.fail(code, sentence, span=span, found=found, hint=hint)

    def _count(self, nodes: int, span: Span) -> None:
        self._nodes += nodes
        if self._nodes > self._limits.nodes:
            sentence = f"the file stands for more than {self._limits.nodes} values once its aliases are expanded"
            self._stop(catalogue.TOO_MANY_NODES, sentence, span, hint="write less, or split it into several files")

    def _compose(self, event: Any, *, depth: int) -> Node:
        span = self._last = self._span(event.start_mark, event.end_mark)
        if isinstance(event, yaml.AliasEvent):
            return self._alias(event, span)
        if depth > self._limits.depth:
            sentence = f"values are nested more than {self._limits.depth} levels deep"
            self._stop(catalogue.TOO_DEEP, sentence, span, hint="close a bracket, or indent less")
        before = self._nodes
        self._count(1, span)
        if event.anchor:
            self._anchors[event.anchor] = None
        node = self._collection(event, span, depth=depth)
        if event.anchor:
            self._anchors[event.anchor] = (node, self._nodes - before)
        return node

    def _collection(self, event: Any, span: Span, *, depth: int) -> Node:
        if isinstance(event, yaml.ScalarEvent):
            return self._scalar(event, span)
        if isinstance(event, yaml.SequenceStartEvent):
            self._tag(event, span, frozenset({"seq"}))
            items: list[Node] = []
            while not isinstance(event := self._next(), yaml.SequenceEndEvent):
                items.append(self._compose(event, depth=depth + 1))
            return SequenceNode(items=tuple(items), span=span)
        self._tag(event, span, frozenset({"map"}))
        entries: dict[str, Entry] = {}
        while not isinstance(event := self._next(), yaml.MappingEndEvent):
            self._entry(event, entries, depth=depth + 1)
        return MappingNode(entries=tuple(entries.values()), span=span)

    def _entry(self, event: Any, entries: dict[str, Entry], *, depth: int) -> None:
        key = self._compose(event, depth=depth)
        if not isinstance(key, ScalarNode):
            place, hint = self._span(event.start_mark, event.end_mark), "write the key as a text"
            self._stop(catalogue.KEY_NOT_TEXT, "a map or a list stands as a key; keys are names", place, hint=hint)
        if key.text == "<<" and key.plain:
            sentence, hint = "merge keys (`<<`) are not part of YAML 1.2", "write the keys out"
            self._stop(catalogue.MERGE_KEY, sentence, key.span, found="<<", hint=hint)
        value = self._compose(self._next(), depth=depth)
        if key.text in entries:
            place = self._span(event.start_mark, event.end_mark)
            self._duplicate(key.text, place, entries[key.text].key)
        else:
            entries[key.text] = Entry(key=key, value=value)

    def _duplicate(self, key: str, place: Span, first: ScalarNode) -> None:
        self._duplicates += 1
        if self._duplicates > _LISTED_DUPLICATES:
            self.collector.stop_on_errors()
        sentence = f"the key {wording.quoted(key)} stands already in line {first.span.line} of the same map"
        hint = "remove one of the two, or rename it"
        self.collector.report(
            catalogue.DUPLICATE_KEY, sentence, span=place, found=key, hint=hint, related=[first.span]
        )

    def _scalar(self, event: Any, span: Span) -> ScalarNode:
        tag = self._tag(event, span, _SCALAR_TAGS)
        plain = not event.style and tag != "str"
        if tag not in {"", "str"} and (not plain or type(scalars.resolve(event.value)) is not _TAGGED[tag]):
            sentence = f"{wording.quoted(event.value)} is not what its tag `!!{tag}` says"
            self._stop(catalogue.TAG, sentence, span, found=event.value, hint="remove the tag")
        return ScalarNode(text=event.value, plain=plain, span=span)

    def _tag(self, event: Any, span: Span, allowed: frozenset[str]) -> str:
        if event.tag is None or event.tag == "!":
            return "str" if event.tag else ""
        tag = event.tag.removeprefix(_TAG_PREFIX)
        if not event.tag.startswith(_TAG_PREFIX) or tag not in allowed:
            sentence = f"the tag {wording.quoted(event.tag)} is not read here"
            self._stop(catalogue.TAG, sentence, span, found=event.tag, hint="remove the tag")
        return tag

    def _alias(self, event: Any, span: Span) -> Node:
        self._aliases += 1
        if self._aliases > self._limits.aliases:
            sentence = f"the file uses more than {self._limits.aliases} aliases"
            self._stop(
                catalogue.TOO_MANY_NODES, sentence, span, hint="write values out, or split it into several files"
            )
        anchored = self._anchors.get(event.anchor)
        if anchored is None:
            inside = event.anchor in self._anchors
            reason = "stands inside the value that it names" if inside else "names no anchor that stands before it"
            sentence = f"the alias {wording.quoted('*' + event.anchor)} {reason}"
            self._stop(catalogue.ALIAS, sentence, span, hint="write the value out; quote a text that starts with `*`")
        node, size = anchored
        self._count(size, span)
        return node
