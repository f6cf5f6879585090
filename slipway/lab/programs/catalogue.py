"""Read versions.toml into recipes."""

import tomllib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from slipway.lab.programs.model import (
    DebianPackage,
    GoModule,
    MavenArtifact,
    ModuleFile,
    OnMachine,
    Pins,
    ProgramsUnavailable,
    Recipe,
    Wheel,
)

MODULES = Path(__file__).parent / "modules"


def versions_file() -> Path:
    """Return the path of versions.toml at the root of the checkout."""
    return Path(__file__).parents[3] / "versions.toml"


def load() -> Pins:
    """Read the pins of this checkout."""
    return parse(versions_file().read_text(encoding="utf-8"))


def parse(text: str) -> Pins:
    """Read the text of a versions.toml; an unknown key raises :class:`TypeError`, which names it."""
    document = tomllib.loads(text)
    programs: dict[str, dict[str, Any]] = document["programs"]
    return Pins(
        go_minimum=document["go"]["minimum"],
        go_wheel=Wheel(**_frozen(document["go"]["wheel"])),
        recipes={name: _recipe(name, table) for name, table in programs.items()},
        debian=tuple(DebianPackage(**package) for package in document["debian"]["packages"]),
    )


def select(pins: Pins, names: Iterable[str]) -> list[Recipe]:
    """Return the recipes of ``names``; raises :class:`ProgramsUnavailable` naming each that has none."""
    wanted = list(dict.fromkeys(names))
    known = ", ".join(sorted(pins.recipes))
    unknown = {name: f"no such program; versions.toml has: {known}" for name in wanted if name not in pins.recipes}
    if unknown:
        raise ProgramsUnavailable(unknown)
    return [pins.recipes[name] for name in wanted]


def _recipe(name: str, table: Mapping[str, Any]) -> Recipe:
    version: str = table["version"]
    filled: dict[str, Any] = _filled(dict(table), version)
    readers = {"on_machine": OnMachine, "maven": MavenArtifact}
    for key, reader in readers.items():
        if key in filled:
            filled[key] = reader(**_frozen(filled[key]))
    if "wheel" in filled:
        filled["wheel"] = Wheel(**_frozen({"version": version, **filled["wheel"]}))
    filled["go"] = tuple(_go_module(module) for module in filled.get("go", ()))
    return Recipe(name=name, **filled)


def _go_module(table: Mapping[str, Any]) -> GoModule:
    frozen = _frozen(table)
    for key in ("copies", "embeds"):
        frozen[key] = tuple(ModuleFile(**entry) for entry in frozen.get(key, ()))
    frozen["links"] = {name: tuple(links) for name, links in frozen.get("links", {}).items()}
    return GoModule(**frozen)


def _frozen(table: Mapping[str, Any]) -> dict[str, Any]:
    return {key: tuple(value) if isinstance(value, list) else value for key, value in table.items()}


def _filled(value: Any, version: str) -> Any:
    if isinstance(value, str):
        return value.replace("{version}", version)
    if isinstance(value, list):
        return [_filled(item, version) for item in value]
    if isinstance(value, dict):
        return {key: _filled(item, version) for key, item in value.items()}
    return value
