"""What a run found, in figures: agreement, unknown answers, balance, and what decided."""

import collections
import dataclasses
from collections.abc import Iterable, Sequence

from benchmarks.judge import court
from slipway import reachability


@dataclasses.dataclass(slots=True)
class Tally:
    """Figures of a run so far."""

    sets: int = 0
    objects: int = 0
    refused: collections.Counter[str] = dataclasses.field(default_factory=collections.Counter)
    trials: int = 0
    outcomes: collections.Counter[str] = dataclasses.field(default_factory=collections.Counter)
    ends: collections.Counter[str] = dataclasses.field(default_factory=collections.Counter)
    hops: collections.Counter[str] = dataclasses.field(default_factory=collections.Counter)
    kinds: collections.Counter[str] = dataclasses.field(default_factory=collections.Counter)
    unknown: collections.Counter[str] = dataclasses.field(default_factory=collections.Counter)
    all: list[court.Trial] = dataclasses.field(default_factory=list)
    differing: list[court.Trial] = dataclasses.field(default_factory=list)
    wavering: int = 0

    def add(self, found: court.Round) -> None:
        """Count one round."""
        self.sets += len(found.sets)
        self.objects += len(found.objects)
        self.refused.update(item.object["kind"] for item in found.refused)
        for item in found.trials:
            self._add(item)

    def _add(self, item: court.Trial) -> None:
        self.trials += 1
        self.all.append(item)
        self.outcomes[item.answer.outcome.value] += 1
        self.ends[str(item.measured.status) if item.measured.end == "status" else item.measured.end] += 1
        decider = item.answer.decided_by
        self.hops[decider.hop.value] += 1
        self.kinds[decider.object.kind if decider.object is not None else "default"] += 1
        if item.answer.outcome is reachability.Outcome.UNKNOWN:
            self.unknown[item.answer.reasons[-1]] += 1
        if item.wavering:
            self.wavering += 1
        if item.difference:
            self.differing.append(item)

    def lines(self) -> Iterable[str]:
        """Return the report, line by line."""
        total = max(self.trials, 1)
        yield f"sets {self.sets}, objects {self.objects}, refused by admission {sum(self.refused.values())}"
        yield f"requests {self.trials}: " + _shares(self.outcomes, total)
        yield "measured: " + _shares(self.ends, total)
        yield "decided at: " + _shares(self.hops, total)
        yield "decided by: " + _shares(self.kinds, total)
        for reason, count in self.unknown.most_common(12):
            yield f"  unknown {count}: {reason}"
        yield f"wavering {self.wavering}; disagreements {len(self.differing)}"


def told(item: court.Trial) -> Sequence[str]:
    """Return a disagreement, line by line."""
    answer = item.answer
    return (
        f"set {item.set_number}{' (wavering)' if item.wavering else ''}: {item.request}",
        f"  analyser: {answer.outcome.value}, {answer.seen.value}, {answer.transport.value}, by {answer.decided_by}",
        *(f"    {reason}" for reason in answer.reasons),
        f"  measured: {item.measured}",
        f"  so: {item.difference}",
    )


def _shares(counts: collections.Counter[str], total: int) -> str:
    return ", ".join(f"{name} {count} ({100 * count / total:.1f} %)" for name, count in counts.most_common())
