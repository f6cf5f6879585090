"""What a run found, in figures: agreement, unknown answers, balance, and what decided."""

import collections
import dataclasses
from collections.abc import Iterable, Sequence

from benchmarks.judge import court, deciding, fleet, focus
from benchmarks.judge.sets import PolicySet
from slipway import reachability

_PER_FIELD = focus.WANTED
_ALLOWED = (0.3, 0.7)  # share of all requests
_UNKNOWN = 0.01  # the same
_UNKNOWN_PER_FIELD = 0.05  # share of those that the field decides
_OF_A_FULL_RUN = 20_000  # requests


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
    broken: int = 0
    fields: collections.Counter[str] = dataclasses.field(default_factory=collections.Counter)
    fields_unknown: collections.Counter[str] = dataclasses.field(default_factory=collections.Counter)

    def add(self, found: court.Round, fixed: Sequence[court.Object]) -> None:
        """Count one round; ``fixed`` is what the mesh has besides the sets."""
        for one in found.sets:
            self._weigh(found, one, fixed)
        self.sets += len(found.sets)
        self.broken += len(found.broken)
        self.objects += len(found.objects)
        self.refused.update(item.object["kind"] for item in found.refused)
        for item in found.trials:
            self._add(item)

    def _weigh(self, found: court.Round, one: PolicySet, fixed: Sequence[court.Object]) -> None:
        """Count what each field of a set decides; other sets of the round are out of its sight."""
        lots = [other.lot for other in found.sets]
        own = fleet.seen_by(one.lot, lots, found.objects)
        marks = [item for item in own if item["metadata"]["name"] == fleet.SENTINEL]
        near = [item for item in own if item["metadata"]["name"] != fleet.SENTINEL]
        around = [*fleet.seen_by(one.lot, lots, fixed), *marks]
        requests = [item.request for item in found.trials if item.set_number == one.number]
        decided, unknown = deciding.fields(around, near, requests, found.mesh_config)
        for name, count in decided.items():
            self.fields[name] += count
        self.fields_unknown.update(unknown)

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

    def to_spare(self) -> dict[str, float]:
        """Return how many requests each field decides, less as many as its unknown ones ask for."""
        return {name: count - self.fields_unknown[name] / _UNKNOWN_PER_FIELD for name, count in self.fields.items()}

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
        enough = sum(count >= _PER_FIELD for count in self.fields.values())
        yield f"fields: {enough} of {len(self.fields)} decide {_PER_FIELD} requests or more"
        for name, count in sorted(self.fields.items(), key=lambda item: (item[1], item[0])):
            if count < _PER_FIELD:
                yield f"  {count}: {name}"
        if self.broken:
            yield f"sets that proxies do not work by, of which nothing was asked: {self.broken}"
        yield f"wavering {self.wavering}; disagreements {len(self.differing)}"

    def rare(self) -> dict[str, int]:
        """Return the fields that have decided too few requests, with how many; none of a run that is no full one."""
        if self.trials < _OF_A_FULL_RUN:
            return {}
        return {name: count for name, count in self.fields.items() if count < _PER_FIELD}

    def shortfalls(self) -> list[str]:
        """Return in what a full run is less than it has to be; nothing of a shorter one."""
        if self.trials < _OF_A_FULL_RUN:
            return []
        allowed = self.outcomes["allowed"] / self.trials
        unknown = self.outcomes["unknown"] / self.trials
        found = [f"{name} decides {count} requests" for name, count in self.rare().items()]
        found += [
            f"{name} is unknown in {count} of {self.fields[name]} requests"
            for name, count in self.fields_unknown.items()
            if count > _UNKNOWN_PER_FIELD * self.fields[name]
        ]
        if not _ALLOWED[0] <= allowed <= _ALLOWED[1]:
            found.append(f"{100 * allowed:.1f} % of the requests are allowed")
        if unknown > _UNKNOWN:
            found.append(f"{100 * unknown:.1f} % of the answers are unknown")
        return found


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
