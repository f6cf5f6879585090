"""The run: mutants of the deciding modules, the recorded cases before each, a table, and the survivors."""

import argparse
import collections
import dataclasses
import os
import random
import sys
import time
from collections.abc import Iterable, Sequence
from collections.abc import Set as AbstractSet
from pathlib import Path

import yaml

from benchmarks.judge import cases
from benchmarks.mutants import making, replay, trying

WANTED = 0.95  # share of mutants that the recorded cases have to notice
EXCUSED = Path(__file__).with_name("excused.yaml")
FOLDERS = ("traps", "found", "written", "unknown", "recorded", "meshes")
_LIMIT_S = 60.0  # processor time of one mutant, beyond that of all cases once


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Excuse:
    """A mutant that nobody can notice, by the line that changes, and why."""

    module: str
    line: str
    mutant: str
    reason: str


def main(arguments: Sequence[str]) -> int:
    """Try mutants; 1 when fewer than 95 % are noticed."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks mutants", description=__doc__)
    parser.add_argument("--share", type=float, default=0.06, help="of all mutants, chosen at random; 1 tries all")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--modules", nargs="*", help="only these, without .py")
    parser.add_argument("--cases", nargs="*", type=Path, default=[], help="folders with further recorded cases")
    parser.add_argument("--jobs", type=int, default=os.cpu_count())
    parser.add_argument("--keep", type=Path, help="a file for the names of the cases that were needed")
    chosen = parser.parse_args(arguments)
    known = replay.witnesses(_paths(chosen.cases))
    requests = sum(len(item.case.requests) for item in known)
    sys.stdout.write(f"{len(known)} cases with {requests} measured requests\n")
    began = time.process_time()
    touched = replay.touched(known)
    limit_s = _LIMIT_S + time.process_time() - began
    mutants = _mutants(chosen.modules or making.modules(), share=chosen.share, seed=chosen.seed)
    began, trials, fates = time.monotonic(), trying.Trials(known, touched, limit_s=limit_s), list[trying.Fate]()
    known_excuses = {(item.module, item.line, item.mutant) for item in excuses()}
    for fate in trials.run(mutants, jobs=chosen.jobs):
        fates.append(fate)
        _tell(fate, known_excuses)
        if len(fates) % 100 == 0:
            _progress(fates, len(mutants), time.monotonic() - began)
    _progress(fates, len(mutants), time.monotonic() - began)
    if chosen.keep:
        names = [f"{known[index].case.name}\n" for index, count in enumerate(trials.noticed) if count]
        chosen.keep.write_text("".join(names), encoding="utf-8")
    return _told(fates, known_excuses)


def _paths(further: Iterable[Path]) -> list[Path]:
    found = [path for folder in FOLDERS for path in cases.all_of(folder)]
    return found + [path for folder in further for path in sorted(folder.glob("*.json"))]


def _mutants(modules: Iterable[str], *, share: float, seed: int) -> list[making.Mutant]:
    found = [mutant for module in modules for mutant in making.of(module)]
    random_ = random.Random(seed)  # noqa: S311 - repeatable on purpose
    chosen = random_.sample(found, round(share * len(found)))
    # Those of one module after each other have more in common than the computer's caches hold.
    return sorted(chosen, key=lambda item: (item.module, item.line))


def _progress(fates: Sequence[trying.Fate], total: int, elapsed_s: float) -> None:
    told = ", ".join(f"{name} {count}" for name, count in trying.counted(fates).items())
    sys.stdout.write(f"{len(fates)} of {total} mutants: {told}; {elapsed_s:.0f} s\n")
    sys.stdout.flush()


def excuses() -> list[Excuse]:
    """Return the mutants that are listed as equal to the analyser."""
    return [Excuse(**item) for item in yaml.safe_load(EXCUSED.read_text(encoding="utf-8")) or ()]


def _is_excused(fate: trying.Fate, known: AbstractSet[tuple[str, str, str]]) -> bool:
    return fate.how == "survived" and (fate.mutant.module, *fate.mutant.change()) in known


def _tell(fate: trying.Fate, known: AbstractSet[tuple[str, str, str]]) -> None:
    """Print a survivor, as soon as it is one."""
    if fate.how != "survived" or _is_excused(fate, known):
        return
    before, after = fate.mutant.change()
    place = f"slipway/reachability/{fate.mutant.module}.py:{fate.mutant.line}"
    note = "" if fate.reached else " (no case gets there)"
    sys.stdout.write(f"{place}: survived{note}\n  - {before}\n  + {after}\n")
    sys.stdout.flush()


def _told(fates: Sequence[trying.Fate], known: AbstractSet[tuple[str, str, str]]) -> int:
    """Print the table of modules; 1 when too many survive."""
    survivors = [item for item in fates if item.how == "survived"]
    excused = [item for item in survivors if _is_excused(item, known)]
    rest = [item for item in survivors if item not in excused]
    total, alive = collections.Counter(), collections.Counter()
    for item in fates:
        total[item.mutant.module] += item not in excused
        alive[item.mutant.module] += item in rest
    for module, count in sorted(total.items()):
        sys.stdout.write(f"{module:20} {count:5} mutants, {alive[module]:4} unnoticed\n")
    unfit = sum(item.how == "unfit" for item in fates)  # no analyser at all, so nobody's merit
    judged = len(fates) - len(excused) - unfit
    share = 1 - len(rest) / judged if judged else 0.0
    noticed = f"{judged - len(rest)} of {judged} ({100 * share:.1f} %)"
    sys.stdout.write(f"noticed: {noticed}; {len(excused)} excused, {unfit} unfit\n")
    return 0 if share >= WANTED else 1
