"""The recorded cases before an analyser: which of them notice that it is not the real one."""

import functools
import gc
import importlib
import sys
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import CodeType, FrameType

from benchmarks.judge import cases
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
        judging = importlib.import_module("benchmarks.judge.cases")  # another one, where all was imported anew
        world = None if again else self.world
        try:
            return any(True for _ in judging.disagreements(self.case, world, ways=self.ways))
        except Exception:  # noqa: BLE001 - whatever a mutant raises, it is noticed
            return True


@dataclass(frozen=True, slots=True, kw_only=True)
class Touched:
    """Qualified names of functions, with their module, that run while a case is read, and while it is asked."""

    reading: frozenset[str]
    asking: frozenset[str]


def witnesses(paths: Iterable[Path]) -> list[Witness]:
    """Return the cases of these files; their worlds are read and nothing is asked yet."""
    found = [Witness(case=case, world=cases.world_of(case)) for case in map(cases.load, paths)]
    forget()
    gc.freeze()
    return found


def touched(known: Sequence[Witness]) -> list[Touched]:
    """Return what runs for each case; raises AssertionError for a case that contradicts the real analyser."""
    found: list[Touched] = []
    for item in known:
        forget()
        read: list[reachability.World] = []
        reading = _running(lambda item=item, read=read: read.append(cases.world_of(item.case)))
        forget()
        told: list[str] = []
        # Not the witness's own world, which would remember what it is asked.
        asking = _running(
            lambda item=item, read=read, told=told: told.extend(
                cases.disagreements(item.case, read[0], ways=item.ways)
            )
        )
        if told:
            raise AssertionError(f"{item.case.name} contradicts the analyser as it is: {told[0]}")
        found.append(Touched(reading=reading, asking=asking))
    forget()
    return found


def _running(work: Callable[[], object]) -> frozenset[str]:
    """Return the qualified names of the analyser's functions that run, those inside of others as the outer ones."""
    seen: set[CodeType] = set()

    def called(frame: FrameType, event: str, _argument: object) -> None:
        if event == "call":
            seen.add(frame.f_code)

    sys.setprofile(called)
    try:
        work()
    finally:
        sys.setprofile(None)
    folder = f"{making.FOLDER}/"
    own = [code for code in seen if code.co_filename.startswith(folder)]
    return frozenset(f"{Path(code.co_filename).stem}:{code.co_qualname.partition('.<locals>')[0]}" for code in own)


def forget() -> None:
    """Empty what functions of the analyser remember."""
    for name, module in list(sys.modules.items()):
        if name.startswith(making.PACKAGE):
            for value in vars(module).values():
                if isinstance(value, functools._lru_cache_wrapper):  # noqa: SLF001 - there is no public name
                    value.cache_clear()
