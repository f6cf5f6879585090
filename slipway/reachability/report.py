"""A difference as people and programs read it, by who answers for the service called, with reasons."""

import enum
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from slipway.reachability.answers import Answer, Outcome
from slipway.reachability.difference import Change, Difference

NO_CHANGE = "no call is gained, lost or changed"
NO_CALL = "no call is allowed afterwards"
_NAMES_SHOWN = 6


class Kind(enum.Enum):
    """What becomes of a call; ``CHANGED`` is one that is allowed on both sides, with another transport.

    ``ALLOWED`` is one after the change where nobody knows what was before.
    """

    GAINED = "gained"
    LOST = "lost"
    CHANGED = "changed"
    ALLOWED = "allowed"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Line:
    """Calls that change alike: one request from ``sources`` to ``places``, the names and ports of one service."""

    kind: Kind
    sources: tuple[str, ...]
    places: tuple[str, ...]
    request: str
    before: Answer | None
    after: Answer | None

    @property
    def calls(self) -> int:
        return len(self.sources)


_Groups = Mapping[str, Sequence[_Line]]


def summary(found: Difference) -> str:
    """Return the difference in one line."""
    if not found:
        return NO_CHANGE if found.before_known else NO_CALL
    count = dict.fromkeys(Kind, 0)
    for lines in _groups(found, {}).values():
        for line in lines:
            count[line.kind] += line.calls
    if not found.before_known:
        return f"calls allowed afterwards: {count[Kind.ALLOWED]}; which of them are new is not known"
    return f"calls gained: {count[Kind.GAINED]}, lost: {count[Kind.LOST]}, changed in kind: {count[Kind.CHANGED]}"


def text(found: Difference, owners: Mapping[str, str], *, most_lines: int | None = None) -> str:
    """Return the difference as lines of text.

    ``owners`` says who answers for a host; services without an owner stand under their namespace. Over
    ``most_lines`` calls are counted by service, then by owner; None writes every call with its reasons.
    """
    if not found:
        return f"{summary(found)}\n"
    groups = _groups(found, owners)
    lines: list[str] = []
    for form in (_calls_of, _services_of, _totals_of):
        lines = [line for title, items in groups.items() for line in (f"{title}:", *form(items))]
        if most_lines is None or len(lines) <= most_lines:
            break
    return "".join(f"{line}\n" for line in (summary(found), *lines))


def markdown(found: Difference, owners: Mapping[str, str], *, title: str, most_rows: int | None = None) -> str:
    """Return the difference as Markdown for a pull request: a table per owner, or counts over ``most_rows`` rows."""
    heading = f"### {_escaped(title)}\n\n{summary(found)}\n"
    if not found:
        return heading
    groups = _groups(found, owners)
    if most_rows is not None and sum(map(len, groups.values())) > most_rows:
        counted = [f"- {_escaped(title)}: {'; '.join(_total(items))}" for title, items in groups.items()]
        return "\n".join((heading, *counted, ""))
    return "\n".join((heading, *(_table(title, items) for title, items in groups.items())))


def to_plain(found: Difference, owners: Mapping[str, str]) -> dict[str, Any]:
    """Return the difference as JSON values: a list per kind, each call by itself.

    The lists are ``gained``, ``lost`` and ``changed``, or only ``allowed`` where nobody knows what was before.
    """
    return {kind.value: [_change_to_plain(item, owners) for item in changes] for kind, changes in _sides(found)}


def _sides(found: Difference) -> tuple[tuple[Kind, tuple[Change, ...]], ...]:
    if not found.before_known:
        return ((Kind.ALLOWED, found.gained),)
    return ((Kind.GAINED, found.gained), (Kind.LOST, found.lost), (Kind.CHANGED, found.changed))


def _change_to_plain(item: Change, owners: Mapping[str, str]) -> dict[str, Any]:
    return {
        "sources": list(item.sources),
        "host": item.destination.host,
        "port": item.destination.port,
        "namespace": item.destination.namespace,
        "owner": owners.get(item.destination.host, ""),
        "request": item.kind,
        "before": None if item.before is None else item.before.to_plain(),
        "after": None if item.after is None else item.after.to_plain(),
    }


def _groups(found: Difference, owners: Mapping[str, str]) -> dict[str, list[_Line]]:
    """Return the lines by owner or namespace; the names of one service that change alike are one line."""
    groups: dict[str, dict[object, list[tuple[Kind, Change]]]] = {}
    for kind, changes in _sides(found):
        for item in changes:
            place = item.destination
            owner = owners.get(place.host, "")
            title = f"services of {owner}" if owner else f"services in {place.namespace}"
            alike = (
                place.namespace,
                item.kind,
                kind.value,
                item.sources,
                _decision(item.before),
                _decision(item.after),
            )
            groups.setdefault(title, {}).setdefault(alike, []).append((kind, item))
    return {title: sorted(map(_line, lines.values()), key=_order) for title, lines in sorted(groups.items())}


def _line(alike: Sequence[tuple[Kind, Change]]) -> _Line:
    kind, first = alike[0]
    places = tuple(f"{item.destination.host}:{item.destination.port}" for _, item in alike)
    return _Line(
        kind=kind,
        sources=first.sources,
        places=places,
        request=first.kind,
        before=first.before,
        after=first.after,
    )


def _order(line: _Line) -> tuple[Any, ...]:
    return (line.places, line.request, line.kind.value, line.sources)


def _decision(item: Answer | None) -> object:
    return None if item is None else (item.outcome, item.transport, item.seen, item.decided_by)


def _calls_of(items: Iterable[_Line]) -> Iterable[str]:
    for line in items:
        request = f" {line.request}" if line.request else ""
        yield f"  {line.kind.value}: {_named(line.sources)} -> {_named(line.places)}{request}"
        if line.before is not None:
            yield f"    before: {_told(line.before)}"
        if line.after is not None or line.before is not None:
            yield f"    after:  {_told(line.after)}"


def _services_of(items: Sequence[_Line]) -> Iterable[str]:
    for places in dict.fromkeys(line.places for line in items):
        own = [line for line in items if line.places == places]
        callers = tuple(dict.fromkeys(source for line in own for source in line.sources))
        yield f"  {'; '.join(_total(own))}: {_named(callers)} -> {_named(places)}"


def _totals_of(items: Sequence[_Line]) -> Iterable[str]:
    yield f"  {'; '.join(_total(items))}"


def _total(items: Sequence[_Line]) -> Iterable[str]:
    for kind in Kind:
        own = [line for line in items if line.kind is kind]
        if own:
            yield f"{kind.value} {_counted(own)}"


def _counted(items: Sequence[_Line]) -> str:
    calls, services = sum(line.calls for line in items), len({line.places for line in items})
    return f"{calls} call{'s' * (calls > 1)} to {services} service{'s' * (services > 1)}"


def _named(names: Sequence[str]) -> str:
    more = len(names) - _NAMES_SHOWN
    return ", ".join(names) if more <= 1 else f"{', '.join(names[:_NAMES_SHOWN])} and {more} more"


def _told(item: Answer | None) -> str:
    if item is None:
        return "there is no such service or caller"
    how = {Outcome.ALLOWED: f" ({item.transport.value})", Outcome.DENIED: f" ({item.seen.value})"}
    reason, decider = item.reasons[-1], item.decided_by.object
    said = f"{item.outcome.value}{how.get(item.outcome, '')} at {item.decided_by.hop.value}: {reason}"
    if decider is None:
        return said
    notes = ([] if str(decider) in reason else [f"by {decider}"]) + ([decider.origin] if decider.origin else [])
    return f"{said} [{', '.join(notes)}]" if notes else said


def _table(title: str, items: Iterable[_Line]) -> str:
    rows = ["| | caller | called | request | before | after |", "|---|---|---|---|---|---|"]
    for line in items:
        cells = (
            f"**{line.kind.value}**",
            "<br>".join(map(_escaped, line.sources)),
            "<br>".join(map(_escaped, line.places)),
            _escaped(line.request),
            _escaped("" if line.before is None else _told(line.before)),
            _escaped(_told(line.after)),
        )
        rows.append(f"| {' | '.join(cells)} |")
    return "\n".join((f"#### {_escaped(title)}\n", *rows, ""))


def _escaped(words: str) -> str:
    """Return words that Markdown and HTML show as they are, within one cell."""
    shown = words.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    for sign in "\\|`*_[]":
        shown = shown.replace(sign, f"\\{sign}")
    return shown.replace("\n", " ")
