"""Tries mutants, each in a process of its own that is a copy of this one, until the first case notices."""

import contextlib
import os
import resource
import select
import signal
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from benchmarks.mutants import making, patching, replay

_SURVIVED, _KILLED, _UNFIT = 0, 1, 2  # exit codes of a try
_MEMORY_MIB = 1024  # more than this process has itself
_PROFILER = signal.SIGPROF


@dataclass(frozen=True, slots=True, kw_only=True)
class Fate:
    """What became of a mutant: ``by`` is the position of the case that noticed, None where none did.

    ``how`` is killed, survived, timeout, or unfit for one that cannot even be imported; ``reached`` whether any case
    runs the statement that changed.
    """

    mutant: making.Mutant
    how: str
    by: int | None = None
    reached: bool = True


@dataclass(slots=True)
class _Try:
    mutant: making.Mutant
    answer: int


class Trials:
    """Tries mutants on a set of witnesses; those that noticed most are asked first."""

    def __init__(self, known: Sequence[replay.Witness], touched: Sequence[replay.Touched], *, limit_s: float) -> None:
        self._known = known
        self._touched = touched
        self._limit_s = limit_s
        self.noticed = [0] * len(known)

    def run(self, mutants: Iterable[making.Mutant], *, jobs: int) -> Iterator[Fate]:
        """Return what becomes of each mutant, in the order in which they end; ``jobs`` at once."""
        running: dict[int, _Try] = {}
        for mutant in mutants:
            order = self._order(mutant)
            if not order:
                yield Fate(mutant=mutant, how="survived", reached=False)
                continue
            if len(running) >= jobs:
                yield self._ended(running)
            self._start(mutant, order, running)
        while running:
            yield self._ended(running)

    def _order(self, mutant: making.Mutant) -> list[tuple[int, bool]]:
        """Return the cases that reach a mutant, most noticing first, and whether each has to be read anew.

        What a case does not run cannot change its answers.
        """
        lines = {(mutant.module, line) for line in mutant.statement}
        reached = [
            (index, not mutant.function or not lines.isdisjoint(item.reading))
            for index, item in enumerate(self._touched)
            if not mutant.function or not lines.isdisjoint(item.reading) or not lines.isdisjoint(item.asking)
        ]
        return sorted(reached, key=lambda item: -self.noticed[item[0]])

    def _start(self, mutant: making.Mutant, order: list[tuple[int, bool]], running: dict[int, _Try]) -> None:
        answer, told = os.pipe()
        sys.stdout.flush()
        pid = os.fork()
        if pid:
            os.close(told)
            running[pid] = _Try(mutant=mutant, answer=answer)
            return
        code = _UNFIT
        with contextlib.suppress(Exception):
            code = self._child(mutant, order, told)
        os._exit(code)  # a copy must not run what this process runs at its end

    def _child(self, mutant: making.Mutant, order: list[tuple[int, bool]], told: int) -> int:
        with open(os.devnull, "wb") as nothing:  # noqa: PTH123
            os.dup2(nothing.fileno(), 2)
        signal.setitimer(signal.ITIMER_PROF, self._limit_s)
        own = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss << 10
        resource.setrlimit(resource.RLIMIT_DATA, (2 * own + (_MEMORY_MIB << 20),) * 2)
        fitting = patching.put(mutant)
        for index, again in order:
            if self._known[index].notices(again=again or not fitting):
                os.write(told, str(index).encode())
                return _KILLED
        return _SURVIVED

    def _ended(self, running: dict[int, _Try]) -> Fate:
        """Wait for a try that has said all it says: only for tries, this process may have other children."""
        ready, _, _ = select.select([item.answer for item in running.values()], [], [])
        pid = next(pid for pid, item in running.items() if item.answer == ready[0])
        ended = running.pop(pid)
        _, status = os.waitpid(pid, 0)
        with open(ended.answer, "rb") as pipe:  # noqa: PTH123
            told = pipe.read()
        if os.WIFSIGNALED(status):
            how = "timeout" if os.WTERMSIG(status) == _PROFILER else "killed"
            return Fate(mutant=ended.mutant, how=how)
        code = os.WEXITSTATUS(status)
        if code == _KILLED:
            index = int(told)
            self.noticed[index] += 1
            return Fate(mutant=ended.mutant, how="killed", by=index)
        return Fate(mutant=ended.mutant, how="survived" if code == _SURVIVED else "unfit")


def counted(fates: Iterable[Fate]) -> Mapping[str, int]:
    """Return how many mutants met each fate."""
    found = {"killed": 0, "timeout": 0, "unfit": 0, "survived": 0}
    for item in fates:
        found[item.how] += 1
    return found
