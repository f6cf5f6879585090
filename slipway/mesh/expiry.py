"""Exceptions that end: a date in the declaration, judged by the day that is handed in."""

import datetime
import re

from slipway.diagnostics import Collector, catalogue, wording
from slipway.mesh.reading import Found
from slipway.mesh.shape import Rejected

_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")


def parse(text: str) -> str:
    """Return a day as ``2027-06-30``; raises Rejected (MESH0328)."""
    try:
        day = datetime.date.fromisoformat(text) if _DATE.fullmatch(text) else None
    except ValueError:
        day = None
    if day is None:
        sentence = f"{wording.quoted(text)} is not a day of the calendar"
        raise Rejected(catalogue.DAY, sentence, hint="write year, month and day, as `2027-06-30`")
    return day.isoformat()


def check(until: Found | None, what: str, *, today: datetime.date | None, collector: Collector) -> None:
    """Report that ``what`` has ended (MESH0329): its last day lies before ``today``, where that is known."""
    if until is None or not until.text or today is None or until.text >= today.isoformat():
        return
    sentence = f"{what} ended on {until.text}, and today is {today.isoformat()}"
    hint = "remove it, or agree with its owner on another day"
    collector.report(catalogue.EXPIRED, sentence, span=until.span, path=until.path, found=until.raw, hint=hint)
