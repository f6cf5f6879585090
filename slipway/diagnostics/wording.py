"""Words of messages: values quoted safely, lists kept short, the nearest known name."""

import difflib
from collections.abc import Iterable

_SHOWN_CHARACTERS = 120
_LISTED_NAMES = 12
_LONGEST_NAME = 253


def shown(text: str) -> str:
    """Return ``text`` fit for a terminal: control characters escaped, cut after 120 characters."""
    cut = text if len(text) <= _SHOWN_CHARACTERS else f"{text[:_SHOWN_CHARACTERS]}..."
    if cut.isprintable():
        return cut
    return "".join(char if char.isprintable() else char.encode("unicode_escape").decode("ascii") for char in cut)


def quoted(text: str) -> str:
    """Return ``text`` as :func:`shown`, between backticks."""
    return f"`{shown(text)}`"


def listed(names: Iterable[str]) -> str:
    """Return names quoted, sorted and joined, at most twelve of them; ``nothing`` when there is none."""
    known = sorted(set(names))
    if not known:
        return "nothing"
    rest = len(known) - _LISTED_NAMES
    tail = f" and {rest} more" if rest > 0 else ""
    return ", ".join(quoted(name) for name in known[:_LISTED_NAMES]) + tail


def nearest(word: str, known: Iterable[str]) -> str | None:
    """Return the known name most like ``word``, or None when none is close or ``word`` is no name at all."""
    if len(word) > _LONGEST_NAME:
        return None
    lowered = {name.lower(): name for name in sorted(known, reverse=True)}
    found = difflib.get_close_matches(word.lower(), sorted(lowered), n=1)
    return lowered[found[0]] if found else None
