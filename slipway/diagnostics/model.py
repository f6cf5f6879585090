"""The value types of every message that a user can cause."""

import enum
from collections.abc import Sequence
from dataclasses import dataclass


class Level(enum.Enum):
    """How much a diagnostic weighs: an error stops, a warning is told."""

    ERROR = "error"
    WARNING = "warning"


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class Span:
    """Where a text stands: ``file`` as the user named it, ``line`` and ``column`` counted from 1.

    ``start`` and ``end`` are character offsets into the file's text, end excluded, for edits of one scalar.
    """

    file: str
    line: int
    column: int
    start: int = 0
    end: int = 0

    def __str__(self) -> str:
        return f"{self.file}:{self.line}:{self.column}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Diagnostic:
    """One message: a code from the catalogue, a sentence, the place, what was found and how to mend it."""

    code: str
    level: Level
    sentence: str
    span: Span | None
    path: str = ""
    found: str = ""
    hint: str = ""
    related: tuple[Span, ...] = ()


class DiagnosticsError(Exception):
    """The input holds at least one error; ``diagnostics`` has every message of the run, sorted by place."""

    def __init__(self, diagnostics: Sequence[Diagnostic]) -> None:
        self.diagnostics = tuple(diagnostics)
        super().__init__("; ".join(f"{item.span}: {item.code}: {item.sentence}" for item in self.diagnostics))
