"""The cache key: a change of anything that could change a built program changes it."""

import hashlib
import json
import platform
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path

from slipway.lab.programs.model import Recipe

LAYOUT = 1
"""Raise it when the build steps change what a recipe yields."""
LINKER_FLAGS = ("-s", "-w")
BUILD_FLAGS = ("-trimpath",)
KEY_DIGITS = 16


def key(recipe: Recipe, *, go_version: str, machine: str, sources: Mapping[str, str]) -> str:
    """Return the folder name for what ``recipe`` yields here: its version and a hash of all ingredients.

    ``sources`` maps each of our own modules to its :func:`digest`; ``go_version`` only counts where Go compiles.
    """
    made = asdict(recipe)
    del made["build_s"], made["on_machine"]
    ingredients = {
        "recipe": made,
        "layout": LAYOUT,
        "flags": [*BUILD_FLAGS, *LINKER_FLAGS],
        "go": go_version if recipe.go else None,
        "machine": machine,
        "sources": dict(sources),
    }
    text = json.dumps(ingredients, sort_keys=True, separators=(",", ":"))
    return f"{recipe.version}-{hashlib.sha256(text.encode()).hexdigest()[:KEY_DIGITS]}"


def digest(folder: Path) -> str:
    """Return a hash over the names and contents of all files of a module but its tests."""
    total = hashlib.sha256()
    for file in sorted(path for path in folder.rglob("*") if path.is_file() and not path.name.endswith("_test.go")):
        name = file.relative_to(folder).as_posix()
        content = file.read_bytes()
        total.update(f"{len(name)} {name} {len(content)} ".encode() + content)
    return total.hexdigest()


def this_machine() -> str:
    """Return operating system and processor as Go names them, as in ``linux/amd64``."""
    processors = {"x86_64": "amd64", "aarch64": "arm64"}
    processor = platform.machine().lower()
    return f"{platform.system().lower()}/{processors.get(processor, processor)}"
