"""Build one of our Go modules."""

import json
import shutil
import tempfile
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from slipway.lab.programs import catalogue, keys, logged, module_files
from slipway.lab.programs.model import GoModule, Recipe
from slipway.world import process

BUILD_TIMEOUT_S = 3600.0
DOWNLOAD_TIMEOUT_S = 900.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Build:
    """What every build of a run shares."""

    go: Path
    packages_at_once: int
    stop: threading.Event
    report: Callable[[str], None]
    log: Path


def environment(temporary: Path) -> Mapping[str, str]:
    """Return what makes a build depend on our files only, whatever the user set; caches and proxy stay the user's.

    ``temporary`` is Go's work folder: a killed `go build` leaves it behind, so it lies where the next one clears up.

    Source: `go help environment`; GOTOOLCHAIN=local keeps the compiler the one that the cache key names.
    """
    system, _, processor = keys.this_machine().partition("/")
    fixed = {"GOFLAGS": "-mod=readonly -buildvcs=false", "GOWORK": "off", "GOTOOLCHAIN": "local", "CGO_ENABLED": "0"}
    return {**fixed, "GOOS": system, "GOARCH": processor, "GOTMPDIR": str(temporary)}


def make(module: GoModule, recipe: Recipe, *, build: Build, into: Path) -> None:
    """Compile the packages of ``module`` into ``into`` and copy the files that belong to them.

    Raises :class:`process.CommandFailed` with the tail of the compiler's output and the path of the whole.
    """
    with tempfile.TemporaryDirectory(dir=into.parent) as workplace:
        sources = Path(workplace) / module.module
        shutil.copytree(catalogue.MODULES / module.module, sources)
        needed = {file.module for file in (*module.embeds, *module.copies)}
        folders = {name: _module_folder(name, build=build, sources=sources) for name in sorted(needed)}
        for embed in module.embeds:
            module_files.embed(embed, folder=folders[embed.module], into=sources, version=recipe.version)
        _compile(module, build=build, sources=sources, output=into / module.output)
        for copy in module.copies:
            module_files.copy(copy, folder=folders[copy.module], into=into)
        for chart in module.charts:
            module_files.set_chart_version(into / chart, version=recipe.version)


def command(module: GoModule, *, go: Path, packages_at_once: int, into: Path) -> list[str]:
    """Return the build command; the executables arrive in ``into`` under Go's names for them."""
    variables = [word for variable in module.variables for word in ("-X", variable)]
    linker = " ".join([*keys.LINKER_FLAGS, *variables])
    flags = ["-v", "-p", str(packages_at_once), *keys.BUILD_FLAGS, "-ldflags", linker]
    return [str(go), "build", *flags, "-o", f"{into}/", *module.packages.values()]


def _compile(module: GoModule, *, build: Build, sources: Path, output: Path) -> None:
    compiled = sources.parent / "compiled"
    logged.run(
        command(module, go=build.go, packages_at_once=build.packages_at_once, into=compiled),
        log=build.log,
        cwd=sources,
        env=environment(sources.parent),
        timeout_s=BUILD_TIMEOUT_S,
        stop=build.stop,
        report=build.report,
    )
    output.mkdir(parents=True, exist_ok=True)
    for name, package in module.packages.items():
        produced = module.module if package == "." else PurePosixPath(package).name
        shutil.move(compiled / produced, output / name)
    for name, links in module.links.items():
        for link in links:
            (output / link).symlink_to(name)


def _module_folder(module: str, *, build: Build, sources: Path) -> Path:
    download = [str(build.go), "mod", "download", "-json", module]
    done = process.run(download, timeout_s=DOWNLOAD_TIMEOUT_S, cwd=sources, env=environment(sources.parent))
    return Path(json.loads(done.stdout)["Dir"])
