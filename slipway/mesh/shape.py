"""The grammar of the declaration: what a key may hold. Reading, suggestions and the JSON schema derive from it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from slipway.diagnostics import catalogue


class Rejected(Exception):  # noqa: N818 - an answer, not a failure: it never leaves this room
    """A value does not hold what its key needs: code, sentence and hint of the message to come.

    ``found`` is shown instead of the value, where that is not for everybody's eyes.
    """

    def __init__(self, code: catalogue.Code, sentence: str, *, hint: str = "", found: str | None = None) -> None:
        super().__init__(sentence)
        self.found = found
        self.code = code
        self.sentence = sentence
        self.hint = hint


@dataclass(frozen=True, slots=True, kw_only=True)
class Text:
    """A text: ``noun`` with its article; ``parse`` returns its canonical form or raises :class:`Rejected`."""

    noun: str
    parse: Callable[[str], str]
    schema: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Day:
    """A day, with or without quotes: ``parse`` returns its canonical text or raises :class:`Rejected`."""

    noun: str
    parse: Callable[[str], str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Whole:
    """A whole number from ``minimum`` to ``maximum``; ``parse`` may raise :class:`Rejected` for some of them."""

    noun: str
    minimum: int
    maximum: int
    parse: Callable[[int], int] = int


@dataclass(frozen=True, slots=True, kw_only=True)
class Number:
    """A number from ``minimum`` to ``maximum``."""

    noun: str
    minimum: float
    maximum: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Flag:
    """``true`` or ``false``."""

    noun: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """One of a few words."""

    noun: str
    values: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ListOf:
    """A list without repetition of scalars, of at least ``minimum`` items."""

    noun: str
    item: "Shape"
    minimum: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class MapOf:
    """A map from names that the user chooses to values of one shape, of at least ``minimum`` entries."""

    noun: str
    key: "Text | Choice"
    value: "Shape"
    minimum: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Field:
    """One key of a record: what it holds and, for people, what it does, its unit and its default."""

    key: str
    shape: "Shape"
    doc: str
    required: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """A map with fixed keys."""

    noun: str
    fields: tuple[Field, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Either:
    """A short form, a scalar, or a long form, a map."""

    short: "Text | Whole | Choice | Flag"
    long: Record

    @property
    def noun(self) -> str:
        """Both forms, in words."""
        return f"{self.short.noun}, or {self.long.noun}"


Scalar: TypeAlias = Text | Day | Whole | Number | Flag | Choice
Shape: TypeAlias = Scalar | ListOf | MapOf | Record | Either
