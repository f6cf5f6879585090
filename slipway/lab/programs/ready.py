"""From names to programs: found on the machine, else cached, else built."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from slipway.lab.programs import builder, cache, catalogue, keys, machine, toolchain
from slipway.lab.programs.model import Origin, Pins, Program, ProgramsUnavailable, Progress, Recipe, Report


def _silent(_: Progress) -> None:
    pass


@dataclass(frozen=True, slots=True, kw_only=True)
class _Survey:
    ready: Mapping[str, Program]
    absent: tuple[tuple[Recipe, cache.Slot], ...]


def ensure(names: Iterable[str], *, report: Report = _silent) -> dict[str, Program]:
    """Return each named program, ready to run; what is neither on the machine nor cached is built.

    ``report`` takes an event at each start and end and every few seconds between. Raises
    :class:`ProgramsUnavailable` with the reason for each program that could not be had; the others are in the cache
    by then, and in the exception.
    """
    pins = catalogue.load()
    wanted = catalogue.select(pins, names)
    survey = _survey(pins, wanted)
    ready = dict(survey.ready)
    reasons: Mapping[str, str] = {}
    if survey.absent:
        reasons = builder.build_all(survey.absent, pins=pins, report=report)
        built = [(recipe, slot) for recipe, slot in survey.absent if recipe.name not in reasons]
        ready |= {recipe.name: _from_cache(recipe, slot, origin=Origin.BUILT) for recipe, slot in built}
    if reasons:
        raise ProgramsUnavailable(reasons, ready=ready)
    return {recipe.name: ready[recipe.name] for recipe in wanted}


def require(names: Iterable[str]) -> dict[str, Program]:
    """Return each named program without building any: for work that nobody watches, as inside of `pulumi up`.

    Raises :class:`ProgramsUnavailable` when one is neither on the machine nor cached, with what would make it.
    """
    pins = catalogue.load()
    survey = _survey(pins, catalogue.select(pins, names))
    if survey.absent:
        reasons = {
            recipe.name: f"is not there; `slipway lab up` would {_intention(recipe, pins)}"
            for recipe, _ in survey.absent
        }
        raise ProgramsUnavailable(reasons, ready=survey.ready)
    return dict(survey.ready)


def missing(names: Iterable[str]) -> dict[str, str]:
    """Say for each named program that is not ready what :func:`ensure` would do; nothing is built or changed."""
    pins = catalogue.load()
    survey = _survey(pins, catalogue.select(pins, names))
    return {recipe.name: _intention(recipe, pins) for recipe, _ in survey.absent}


def known() -> tuple[str, ...]:
    """Name every program that versions.toml pins."""
    return tuple(catalogue.load().recipes)


def _survey(pins: Pins, recipes: Iterable[Recipe]) -> _Survey:
    root = cache.root()
    ready: dict[str, Program] = {}
    absent: list[tuple[Recipe, cache.Slot]] = []
    go_version = toolchain.expected(pins).version
    for recipe in recipes:
        found = machine.find(recipe, cache_root=root) or machine.find_plugin(recipe)
        if found is not None:
            ready[recipe.name] = found
            continue
        slot = _slot(recipe, root=root, go_version=go_version)
        if slot.complete():
            ready[recipe.name] = _from_cache(recipe, slot, origin=Origin.CACHED)
        else:
            absent.append((recipe, slot))
    return _Survey(ready=ready, absent=tuple(absent))


def _slot(recipe: Recipe, *, root: Path, go_version: str) -> cache.Slot:
    sources = {module.module: keys.digest(catalogue.MODULES / module.module) for module in recipe.go}
    key = keys.key(recipe, go_version=go_version, machine=keys.this_machine(), sources=sources)
    return cache.Slot(root=root, program=recipe.name, key=key)


def _from_cache(recipe: Recipe, slot: cache.Slot, *, origin: Origin) -> Program:
    folder = slot.folder
    return Program(
        name=recipe.name,
        version=recipe.version,
        origin=origin,
        bin=folder / (recipe.go[0].output if recipe.go else "bin"),
        share=folder / "share",
        plugins=folder / "plugins",
    )


def _intention(recipe: Recipe, pins: Pins) -> str:
    if recipe.wheel is not None:
        return f"fetch the Python wheel {recipe.wheel.package} {recipe.wheel.version}"
    if recipe.maven is not None:
        return f"fetch {recipe.maven.artifact} with Maven"
    go = toolchain.expected(pins)
    first = "" if go.command is not None else f"fetch Go {go.version}, then "
    return f"{first}build with Go {go.version}: about {recipe.build_s:g} s on 2 cores"
