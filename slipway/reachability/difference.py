"""What a change gains and loses: two worlds, the same questions."""

import dataclasses
from collections.abc import Iterable
from dataclasses import dataclass

from slipway.reachability import changes, classes, survey
from slipway.reachability.answers import Answer, Outcome, Transport
from slipway.reachability.callers import members
from slipway.reachability.survey import Destination, Row
from slipway.reachability.world import World


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """Sources whose answer changes in the same way; ``before`` or ``after`` None where there is no such service."""

    sources: tuple[str, ...]
    destination: Destination
    kind: str
    before: Answer | None
    after: Answer | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """``gained`` are calls that only ``after`` surely allows, ``lost`` those that it no longer surely allows.

    ``changed`` are allowed in both, but with another transport, say plaintext instead of mTLS. Without
    ``before_known`` there is nothing to compare with, and ``gained`` is everything that ``after`` allows.
    """

    gained: tuple[Change, ...]
    lost: tuple[Change, ...]
    changed: tuple[Change, ...]
    before_known: bool = True

    def __bool__(self) -> bool:
        return bool(self.gained or self.lost or self.changed)


def diff(before: World, after: World) -> Difference:
    """Return what ``after`` allows that ``before`` did not, and the other way round."""
    sources = tuple(sorted({*survey.source_names(before), *survey.source_names(after)}))
    old, new = survey.patterns(before), survey.patterns(after)
    compared = {key: old.get(key, classes.NONE) | new.get(key, classes.NONE) for key in {*old, *new}}
    asked = changes.concerned(before, after)
    rows_before = _by_key(survey.computed(before, sources, compared, only=asked).rows)
    rows_after = _by_key(survey.computed(after, sources, compared, only=asked).rows)
    gained: list[Change] = []
    lost: list[Change] = []
    changed: list[Change] = []
    for key in sorted({*rows_before, *rows_after}):
        first, second = rows_before.get(key), rows_after.get(key)
        if first is not None and second is not None and first.parts == second.parts:
            continue
        found = _Compared(sources=sources, before=first, after=second)
        gained += found.moved(found.allowed_after & ~found.allowed_before)
        lost += found.moved(found.allowed_before & ~found.allowed_after)
        changed += found.moved(found.otherwise())
    return Difference(gained=tuple(gained), lost=tuple(lost), changed=tuple(changed))


def whole(after: World) -> Difference:
    """Return everything that ``after`` allows, where nobody knows what was allowed before."""
    return dataclasses.replace(diff(World(), after), before_known=False)


def _by_key(rows: Iterable[Row]) -> dict[tuple[Destination, str], Row]:
    return {(row.destination, row.kind): row for row in rows}


class _Compared:
    """One kind of request to one destination, before and after."""

    def __init__(self, *, sources: tuple[str, ...], before: Row | None, after: Row | None) -> None:
        self._sources = sources
        self._before = before
        self._after = after
        self.allowed_before = 0 if before is None else before.allowed()
        self.allowed_after = 0 if after is None else after.allowed()

    def otherwise(self) -> int:
        """Return who is allowed in both with different transports."""
        both = self.allowed_before & self.allowed_after
        same = 0
        for transport in Transport:
            same |= _with(self._before, transport) & _with(self._after, transport)
        return both & ~same

    def moved(self, mask: int) -> list[Change]:
        """Return the callers of ``mask``, those with equal answers together."""
        if not mask:
            return []
        row = self._after or self._before
        if row is None:
            return []
        found: list[Change] = []
        for first_mask, first in _parts(self._before, mask):
            for second_mask, second in _parts(self._after, mask):
                if both := first_mask & second_mask & mask:
                    names = tuple(self._sources[index] for index in members(both))
                    change = Change(
                        sources=names, destination=row.destination, kind=row.kind, before=first, after=second
                    )
                    found.append(change)
        return found


def _parts(row: Row | None, mask: int) -> list[tuple[int, Answer | None]]:
    if row is None:
        return [(mask, None)]
    known: list[tuple[int, Answer | None]] = list(row.parts)
    rest = mask & ~sum(part for part, _ in row.parts)
    return [*known, (rest, None)] if rest else known


def _with(row: Row | None, transport: Transport) -> int:
    if row is None:
        return 0
    return sum(mask for mask, item in row.parts if item.outcome is Outcome.ALLOWED and item.transport is transport)
