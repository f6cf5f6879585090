"""Bytes of a file as text, within limits and without characters that hide or reorder text."""

import re
from dataclasses import dataclass

from slipway.diagnostics import Collector, Span, catalogue

# What YAML does not allow, plus line breaks that editors do not count (U+0085, U+2028, U+2029) and marks that
# reorder the text around them. Source: YAML 1.2.2, 5.1 Character Set; CVE-2021-42574.
_REFUSED = re.compile(
    r"[^\t\n\r\x20-\x7e\xa0-\ud7ff\ue000-\ufefe\uff00-\ufffd\U00010000-\U0010ffff]"
    r"|[\u2028\u2029\u202a-\u202e\u2066-\u2069]"
)
_BYTE_ORDER_MARKS = (b"\xef\xbb\xbf", b"\xff\xfe", b"\xfe\xff")


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """Bounds of one file.

    ``size_bytes`` before decoding; ``aliases`` used; ``nodes`` with every alias expanded; ``depth`` of nesting.
    The defaults hold a declaration of 5000 services several times over and stop an alias bomb at once.
    """

    size_bytes: int = 10 * 1024 * 1024
    aliases: int = 10_000
    nodes: int = 500_000
    depth: int = 64


DEFAULT_LIMITS = Limits()


def decode(data: bytes | str, *, file: str, limits: Limits = DEFAULT_LIMITS) -> str:
    """Return the text of a file; raises DiagnosticsError (MESH0101 to MESH0104) when it is not acceptable as text."""
    collector = Collector()
    encoded = data.encode("utf-8", "surrogatepass") if isinstance(data, str) else data
    start = Span(file=file, line=1, column=1)
    if len(encoded) > limits.size_bytes:
        sentence = f"the file is larger than {limits.size_bytes} bytes, the most that is read"
        found = f"{len(encoded)} bytes"
        collector.fail(
            catalogue.FILE_TOO_LARGE, sentence, span=start, found=found, hint="split it into several files"
        )
    if encoded.startswith(_BYTE_ORDER_MARKS):
        sentence = "the file starts with a byte order mark; it has to be UTF-8 without one"
        hint = "save it as UTF-8 without a byte order mark"
        collector.fail(catalogue.BYTE_ORDER_MARK, sentence, span=start, found=encoded[:3].hex(" "), hint=hint)
    try:
        text = encoded.decode("utf-8")
    except UnicodeDecodeError as error:
        place = _place(encoded[: error.start].decode("utf-8"), file)
        sentence, found = "the file is not UTF-8 from here on", encoded[error.start : error.start + 4].hex(" ")
        collector.fail(catalogue.NOT_UTF8, sentence, span=place, found=found, hint="save it as UTF-8")
    if refused := _REFUSED.search(text):
        sentence = f"the character U+{ord(refused[0]):04X} is not allowed in a file"
        place = _place(text[: refused.start()], file)
        hint = "remove it, or write it as an escape in double quotes"
        collector.fail(catalogue.CONTROL_CHARACTER, sentence, span=place, hint=hint)
    return text


def _place(before: str, file: str) -> Span:
    line = before.count("\n") + 1
    column = len(before) - before.rfind("\n")
    return Span(file=file, line=line, column=column, start=len(before), end=len(before) + 1)
