"""Findings for people, as a table, and for programs, as JSON."""

import itertools
import json

from rich import box, console, markup, table

from slipway.rollout import findings


def to_table(report: findings.Report) -> table.Table:
    """Return expected against measured, one line each, grouped; what differs says how."""
    shown = table.Table(box=box.SIMPLE_HEAD, pad_edge=False, header_style="bold")
    for heading in ("", "from -> to", "expected", "measured"):
        shown.add_column(heading, overflow="fold")
    for group, items in itertools.groupby(report.findings, key=lambda item: item.group):
        lines = list(items)
        passed = sum(item.passed for item in lines)
        shown.add_row("", f"[bold]{group.value}[/bold]", "", f"[bold]{passed} of {len(lines)}[/bold]")
        for item in lines:
            shown.add_row(_mark(item), markup.escape(item.subject), markup.escape(item.expected), _measured(item))
        shown.add_section()
    return shown


def to_text(report: findings.Report, *, width: int) -> str:
    """Return the table as plain text of at most ``width`` columns, without blanks at the ends of lines."""
    plain = console.Console(width=width, no_color=True, highlight=False, force_terminal=False)
    with plain.capture() as captured:
        plain.print(to_table(report))
    return "".join(f"{line.rstrip()}\n" for line in captured.get().splitlines())


def summary(report: findings.Report) -> str:
    """Return the last line: how many are as expected, and where the time went."""
    passed = sum(item.passed for item in report.findings)
    total_s = sum(seconds for _, seconds in report.stages)
    stages = ", ".join(f"{stage} {seconds:.1f} s" for stage, seconds in report.stages)
    verdict = "all as expected" if report.passed else f"{len(report.findings) - passed} not as expected"
    return f"{passed} of {len(report.findings)} lines: {verdict}; {total_s:.0f} s ({stages})"


def to_json(report: findings.Report) -> str:
    """Return the report for programs: ``passed``, ``findings`` and ``stages`` in seconds."""
    document = {
        "passed": report.passed,
        "findings": [
            {
                "group": item.group.value,
                "subject": item.subject,
                "expected": item.expected,
                "measured": item.measured,
                "passed": item.passed,
                "difference": item.difference,
                "attempts": item.attempts,
                "duration_ms": item.duration_ms,
            }
            for item in report.findings
        ],
        "stages": [{"stage": stage, "duration_s": round(seconds, 3)} for stage, seconds in report.stages],
    }
    return json.dumps(document, indent=2) + "\n"


def _mark(item: findings.Finding) -> str:
    return "[green]ok[/green]" if item.passed else "[red]NO[/red]"


def _measured(item: findings.Finding) -> str:
    tries = (
        f" (try {item.attempts})" if item.attempts > 1 and not item.measured.startswith(str(item.attempts)) else ""
    )
    told = markup.escape(item.measured + tries)
    return told if item.passed else f"{told} [red]{markup.escape(item.difference)}[/red]"
