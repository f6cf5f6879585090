"""The recorded cases before an analyser: which of them notice that it is not the real one."""

import functools
import gc
import importlib
import sys
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import FrameType

from benchmarks.judge import cases, relations
from benchmarks.mutants import making
from slipway import reachability

_LARGE = 40  # requests


@dataclass(frozen=True, slots=True, kw_only=True)
class Witness:
    """A case with its world as the real analyser reads it."""

    case: cases.Case
    world: reachability.World

    @property
    def ways(self) -> tuple[str, ...]:
        """How the case is asked: a large one, of many callers, only for all of them at once."""
        return ("together",) if len(self.case.requests) > _LARGE else ("together", "alone")

    def notices(self, *, again: bool) -> bool:
        """Return whether an answer contradicts a measurement, or none is found; ``again`` reads the objects anew."""
        judging = importlib.import_module("benchmarks.judge.relations")  # another one, where all was imported anew
        world = None if again else self.world
        try:
            return any(True for _ in judging.disagreements(self.case, world, ways=self.ways))
        except Exception:  # noqa: BLE001 - whatever a mutant raises, it is noticed
            return True


Line = tuple[str, int]  # module and line


@dataclass(frozen=True, slots=True, kw_only=True)
class Touched:
    """Lines of the analyser that run while a case is read, and while it is asked."""

    reading: frozenset[Line]
    asking: frozenset[Line]


def witnesses(paths: Iterable[Path]) -> list[Witness]:
    """Return the cases of these files; their worlds are read and nothing is asked yet."""
    found = [Witness(case=case, world=relations.world_of(case)) for case in map(cases.load, paths)]
    forget()
    gc.freeze()
    return found


def touched(known: Sequence[Witness]) -> list[Touched]:
    """Return what runs for each case; raises AssertionError for a case that contradicts the real analyser."""
    found: list[Touched] = []
    for item in known:
        forget()
        read: list[reachability.World] = []
        reading = _running(lambda item=item, read=read: read.append(relations.world_of(item.case)))
        forget()
        told: list[str] = []
        # Not the witness's own world, which would remember what it is asked.
        asking = _running(
            lambda item=item, read=read, told=told: told.extend(
                relations.disagreements(item.case, read[0], ways=item.ways)
            )
        )
        if told:
            raise AssertionError(f"{item.case.name} contradicts the analyser as it is: {told[0]}")
        found.append(Touched(reading=reading, asking=asking))
    forget()
    return found


def _running(work: Callable[[], object]) -> frozenset[Line]:
    """Return the lines of the analyser that run; the lines of a function are those of what is inside of it too."""
    seen: set[tuple[str, int]] = set()
    folder = f"{making.FOLDER}/"

    def called(frame: FrameType, _event: str, _argument: object) -> object:
        if not frame.f_code.co_filename.startswith(folder):
            return None
        seen.add((frame.f_code.co_filename, frame.f_lineno))
        return called

    sys.settrace(called)
    try:
        work()
    finally:
        sys.settrace(None)
    return frozenset((Path(name).stem, line) for name, line in seen)


def forget() -> None:
    """Empty what functions of the analyser remember."""
    for name, module in list(sys.modules.items()):
        if name.startswith(making.PACKAGE):
            for value in vars(module).values():
                if isinstance(value, functools._lru_cache_wrapper):  # noqa: SLF001 - there is no public name
                    value.cache_clear()
