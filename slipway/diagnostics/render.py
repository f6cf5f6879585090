"""Messages as text for people and as JSON for programs."""

import json
from collections.abc import Iterable
from typing import Any

from slipway.diagnostics import wording
from slipway.diagnostics.catalogue import Code
from slipway.diagnostics.collector import order
from slipway.diagnostics.model import Diagnostic, Span


def text(diagnostics: Iterable[Diagnostic]) -> str:
    """Return the messages one below the other, sorted by place; the first line of each is ``file:line:col: ...``."""
    return "".join(_block(item) for item in sorted(diagnostics, key=order))


def _block(item: Diagnostic) -> str:
    place = f"{item.span}: " if item.span is not None else ""
    lines = [f"{place}{item.level.value} {item.code}: {_line(item.sentence)}"]
    details = (("at:", item.path), ("found:", wording.shown(item.found)), ("hint:", item.hint))
    lines += [f"  {label:<6} {_line(detail)}" for label, detail in details if detail]
    lines += [f"  {'also:':<6} {span}" for span in item.related]
    lines.append(f"  {'see:':<6} docs/diagnostics.md#{item.code.lower()}")
    return "\n".join(lines) + "\n"


def _line(words: str) -> str:
    """Return ``words`` on one line, whatever they quote."""
    if words.isprintable():
        return words
    return "".join(char if char.isprintable() else char.encode("unicode_escape").decode("ascii") for char in words)


def to_json(diagnostics: Iterable[Diagnostic]) -> str:
    """Return the messages as a JSON list, sorted by place; ``start`` and ``end`` are character offsets."""
    found = [_plain(item) for item in sorted(diagnostics, key=order)]
    return json.dumps(found, indent=2, ensure_ascii=False) + "\n"


def _plain(item: Diagnostic) -> dict[str, Any]:
    return {
        "code": item.code,
        "level": item.level.value,
        "sentence": item.sentence,
        "span": None if item.span is None else _plain_span(item.span),
        "path": item.path,
        "found": item.found,
        "hint": item.hint,
        "related": [_plain_span(span) for span in item.related],
    }


def _plain_span(span: Span) -> dict[str, Any]:
    return {"file": span.file, "line": span.line, "column": span.column, "start": span.start, "end": span.end}


def to_sarif(diagnostics: Iterable[Diagnostic], *, codes: Iterable[Code]) -> str:
    """Return the messages as a SARIF log, which code hosts show beside the changed lines; every code is a rule.

    Source: OASIS SARIF 2.1.0; columns count characters from 1.
    """
    rules = [
        {"id": item.name, "shortDescription": {"text": item.title}, "fullDescription": {"text": item.explanation}}
        for item in codes
    ]
    results = [_sarif(item) for item in sorted(diagnostics, key=order)]
    driver = {"name": "slipway", "rules": rules}
    run = {"tool": {"driver": driver}, "columnKind": "unicodeCodePoints", "results": results}
    schema = "https://json.schemastore.org/sarif-2.1.0.json"
    return json.dumps({"$schema": schema, "version": "2.1.0", "runs": [run]}, indent=2, ensure_ascii=False) + "\n"


def _sarif(item: Diagnostic) -> dict[str, Any]:
    words = f"{item.sentence}; {item.hint}" if item.hint else item.sentence
    found: dict[str, Any] = {"ruleId": item.code, "level": item.level.value, "message": {"text": _line(words)}}
    if item.span is not None:
        found["locations"] = [_sarif_place(item.span)]
    if item.related:
        found["relatedLocations"] = [_sarif_place(span) for span in item.related]
    return found


def _sarif_place(span: Span) -> dict[str, Any]:
    region = {"startLine": max(span.line, 1), "startColumn": max(span.column, 1)}
    return {"physicalLocation": {"artifactLocation": {"uri": span.file}, "region": region}}
