"""Answers for many callers: parts of a mask that do not overlap, each with one answer."""

import functools
import operator
from collections.abc import Iterable

from slipway.reachability.answers import Answer, Decider, Hop, Key, Outcome, Seen, Transport

Split = list[tuple[int, Answer]]
OPEN = "which of them decides depends on what the objects do not say"


def answer(
    outcome: Outcome,
    hop: Hop,
    reason: str,
    *,
    seen: Seen = Seen.UNKNOWN,
    key: Key | None = None,
    rule: int | None = None,
    transport: Transport = Transport.NONE,
) -> Answer:
    """Return an answer with one reason."""
    decider = Decider(hop=hop, object=key, rule=rule)
    return Answer(outcome=outcome, seen=seen, decided_by=decider, reasons=(reason,), transport=transport)


def unknown(hop: Hop, reason: str, *, key: Key | None = None) -> Answer:
    """Return an answer that says why there is none."""
    return answer(Outcome.UNKNOWN, hop, reason, key=key)


def possible(splits: list[Split]) -> Split:
    """Return what holds whichever of ``splits`` is the real one: where they differ, the answer is unknown.

    What a client sees, and what decides, may differ while the outcome does not; the first answer then stands, with
    that left open.
    """
    first, *others = splits
    return joined(functools.reduce(_both, others, first)) if others else first


def _both(found: Split, other: Split) -> Split:
    return [
        (both, _either(first, second))
        for mask, first in found
        for other_mask, second in other
        if (both := mask & other_mask)
    ]


def whichever(parts: Iterable[tuple[int, Split]]) -> Split:
    """Return what holds for all callers of some masks, each with its split, whichever of its own is the real one."""
    parts = list(parts)
    everybody = functools.reduce(operator.or_, (mask for mask, _ in parts), 0)
    cells: list[tuple[int, list[Split]]] = [(everybody, [])]
    for mask, split in parts:
        cells = [
            cell
            for callers, splits in cells
            for cell in ((callers & mask, [*splits, split]), (callers & ~mask, splits))
        ]
    found: Split = []
    for callers, splits in cells:
        found += possible([_within(split, callers) for split in splits]) if callers else []
    return found


def _within(split: Split, callers: int) -> Split:
    return [(own, item) for mask, item in split if (own := mask & callers)]


def _either(first: Answer, second: Answer) -> Answer:
    if first == second:
        return first
    if first.outcome is second.outcome:
        seen = first.seen if first.seen is second.seen else Seen.UNKNOWN
        transport = first.transport if first.transport is second.transport else Transport.NONE
        reasons = first.reasons
        if first.decided_by != second.decided_by:
            reasons = tuple(dict.fromkeys((*first.reasons, *second.reasons, OPEN)))
        return Answer(
            outcome=first.outcome, seen=seen, decided_by=first.decided_by, reasons=reasons, transport=transport
        )
    reasons = tuple(dict.fromkeys(("it depends on what the objects do not say", *first.reasons, *second.reasons)))
    worse = first if first.outcome is Outcome.DENIED else second
    return Answer(outcome=Outcome.UNKNOWN, seen=Seen.UNKNOWN, decided_by=worse.decided_by, reasons=reasons)


def doubted(split: Split, mask: int, other: Answer) -> Split:
    """Return the split where ``other`` may as well be what the callers of ``mask`` get, as far as they are in it."""
    found: Split = []
    for callers, item in split:
        if both := callers & mask:
            found.append((both, _either(other, item)))
        if rest := callers & ~mask:
            found.append((rest, item))
    return found


def joined(split: Split) -> Split:
    """Return the same split with equal answers in one part."""
    found: dict[Answer, int] = {}
    for mask, item in split:
        found[item] = found.get(item, 0) | mask
    return [(mask, item) for item, mask in found.items()]


def with_reason(split: Split, reason: str) -> Split:
    """Return the split with a reason in front of each answer's own."""
    return [
        (
            mask,
            Answer(
                outcome=item.outcome,
                seen=item.seen,
                decided_by=item.decided_by,
                reasons=(reason, *item.reasons),
                transport=item.transport,
            ),
        )
        for mask, item in split
    ]
