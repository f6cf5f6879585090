"""The full run: declarations one after another on a lab that is up, and one table."""

import argparse
import sys
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from rich import console, table

from benchmarks import accepted, labs
from benchmarks.applied import meshes, people, stage, trial
from policies.bundles import compiler
from slipway.cli import grounds
from slipway.lab import instance as instances
from slipway.mesh import loader
from slipway.world import files

INSTANCE = "bench"
ROOT = Path(__file__).parents[2]
BESIDE = "calls of an undeclared namespace, as before"
OUTSIDE = "outside hosts that its sidecar reaches"


@dataclass(slots=True, kw_only=True)
class Tally:
    """What was measured, by heading: how many lines, how many of them otherwise than declared."""

    declarations: int = 0
    objects: int = 0
    lines: Counter[str] = field(default_factory=Counter[str])
    failures: list[tuple[str, trial.Line]] = field(default_factory=list[tuple[str, trial.Line]])

    def add(self, name: str, lines: Sequence[trial.Line]) -> None:
        """Count the lines of one declaration."""
        self.lines.update(item.heading for item in lines)
        self.failures += [(name, item) for item in lines if item.difference]


def main(arguments: Sequence[str]) -> int:
    """Run `--count` declarations from `--seed` on; 1 when anything is otherwise than declared."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks applied", description=__doc__)
    labs.options(parser, instance=INSTANCE)
    parser.add_argument("--count", type=int, default=30)
    parser.add_argument("--seed", type=int, default=1)
    chosen = parser.parse_args(arguments)
    tally, began = Tally(), time.monotonic()
    shown = 0
    seeds = range(chosen.seed, chosen.seed + chosen.count)
    with labs.example(chosen.instance, keep=chosen.keep) as instance:
        for name in trials(instance, seeds, tally):
            for _, item in tally.failures[shown:]:
                sys.stdout.write(f"{name}: {item.heading}: {item.told}: {item.difference}\n")
            shown = len(tally.failures)
            told = f"{name}: {sum(tally.lines.values())} lines, {len(tally.failures)} differ"
            sys.stdout.write(f"{told}, {time.monotonic() - began:.0f} s\n")
            sys.stdout.flush()
    _print(tally)
    return 1 if tally.failures else 0


def trials(instance: instances.Instance, seeds: Sequence[int], tally: Tally) -> Iterator[str]:
    """Try one declaration after another and yield the name of each that is done; the lab is as before afterwards."""
    scene = stage.Stage(instance, _home())
    ground = grounds.of_lab(instance)
    around = ground.surroundings()
    crowd = people.People(instance, image=around.image, program=around.program)
    with crowd.beside() as beside, scene.borrowed():
        before = beside.calls()
        for seed in seeds:
            made = meshes.generated(seed)
            item = accepted.compiled(f"declaration {seed}", made.mesh, made.environment)
            tally.objects += scene.play(item)
            with crowd.living(item.mesh, scene.services(item)):
                lines = trial.measure(item.mesh, cluster=scene.cluster, place=ground)
                tally.add(item.name, [*lines, *_beside(before, beside.calls())])
            tally.declarations += 1
            yield item.name


def _home() -> accepted.Compiled:
    """Return the declaration that a lab is brought up with, to the letter."""
    sources = files.read_sources(ROOT / "stacks", "lab")
    mesh = loader.load(sources.mesh, sources.environment, environment_name="lab")
    return accepted.Compiled(name="the lab's own", mesh=mesh, bundle=compiler.compile_bundle(mesh))


def _beside(before: dict[str, str], now: dict[str, str]) -> Iterator[trial.Line]:
    for call, was in before.items():
        difference = "" if now[call] == was else f"it was: {was}"
        yield trial.Line(heading=BESIDE, told=f"{call}: {now[call]}", difference=difference)
    for call, instead in people.refused_outside(now).items():
        yield trial.Line(heading=OUTSIDE, told=call, difference=instead)


def _print(tally: Tally) -> None:
    wrong = Counter(item.heading for _, item in tally.failures)
    shown = table.Table("what", "measured", "as declared")
    for heading, count in tally.lines.items():
        shown.add_row(heading, str(count), str(count - wrong[heading]))
    console.Console(width=100).print(shown)
    sys.stdout.write(f"{tally.declarations} declarations, {tally.objects} objects applied\n")
