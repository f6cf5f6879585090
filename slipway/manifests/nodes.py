"""The tree that the YAML reader yields: every value knows where it stands."""

from dataclasses import dataclass

from slipway.diagnostics import Span


@dataclass(frozen=True, slots=True, kw_only=True)
class ScalarNode:
    """One scalar: ``text`` without quotes and escapes, ``plain`` when it stood without them and may be typed."""

    text: str
    plain: bool
    span: Span


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One entry of a map."""

    key: ScalarNode
    value: "Node"


@dataclass(frozen=True, slots=True, kw_only=True)
class MappingNode:
    """A map in the order of the text; no two keys have the same text. ``span`` is that of its first character."""

    entries: tuple[Entry, ...]
    span: Span


@dataclass(frozen=True, slots=True, kw_only=True)
class SequenceNode:
    """A list in the order of the text."""

    items: tuple["Node", ...]
    span: Span


Node = ScalarNode | MappingNode | SequenceNode
