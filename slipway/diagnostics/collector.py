"""Gather every message of a run, then stop."""

from collections.abc import Iterable
from typing import NoReturn

from slipway.diagnostics import catalogue, wording
from slipway.diagnostics.model import Diagnostic, DiagnosticsError, Level, Span

_SUGGESTIONS = 50  # a bound on work: each one compares a word with every known name


def order(item: Diagnostic) -> tuple[str, int, int, str, str]:
    """Return the sort key of messages: file, line, column, code, sentence; those without a place come first."""
    span = item.span
    if span is None:
        return ("", 0, 0, item.code, item.sentence)
    return (span.file, span.line, span.column, item.code, item.sentence)


class Collector:
    """The sink of one run's messages: reading goes on after an error, :meth:`stop_on_errors` ends it."""

    def __init__(self) -> None:
        self._messages: list[Diagnostic] = []
        self._suggestions = 0

    def report(
        self,
        code: catalogue.Code,
        sentence: str,
        *,
        span: Span | None,
        path: str = "",
        found: str = "",
        hint: str = "",
        related: Iterable[Span] = (),
    ) -> None:
        """Add one message; its level is the one of its code."""
        message = Diagnostic(
            code=code.name,
            level=code.level,
            sentence=sentence,
            span=span,
            path=path,
            found=found,
            hint=hint,
            related=tuple(related),
        )
        self._messages.append(message)

    def fail(
        self, code: catalogue.Code, sentence: str, *, span: Span | None, found: str = "", hint: str = ""
    ) -> NoReturn:
        """Add one message and raise :class:`DiagnosticsError` with every message so far: nothing more can be read."""
        self.report(code, sentence, span=span, found=found, hint=hint)
        raise DiagnosticsError(self.diagnostics)

    def extend(self, messages: Iterable[Diagnostic]) -> None:
        """Add messages that another run has gathered."""
        self._messages.extend(messages)

    def nearest(self, word: str, known: Iterable[str]) -> str | None:
        """Return the known name most like ``word``, for at most 50 words of a run."""
        self._suggestions += 1
        return wording.nearest(word, known) if self._suggestions <= _SUGGESTIONS else None

    @property
    def diagnostics(self) -> tuple[Diagnostic, ...]:
        """Every message so far, once each, sorted by place."""
        return tuple(sorted(dict.fromkeys(self._messages), key=order))

    @property
    def has_errors(self) -> bool:
        """Whether a message stops the run."""
        return any(item.level is Level.ERROR for item in self._messages)

    def stop_on_errors(self) -> None:
        """Raise :class:`DiagnosticsError` with every message when one of them is an error."""
        if self.has_errors:
            raise DiagnosticsError(self.diagnostics)
