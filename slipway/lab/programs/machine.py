"""Programs that are on the machine already."""

import os
import re
import shutil
from pathlib import Path

from slipway.lab.programs.model import OnMachine, Origin, Program, Recipe
from slipway.world import process

PROBE_TIMEOUT_S = 20.0


def find(recipe: Recipe, *, cache_root: Path) -> Program | None:
    """Return the program on PATH if all its executables lie in one folder and its version fits, else ``None``.

    A folder of our own cache on PATH does not count: it may hold what an older checkout wanted.
    """
    rule = recipe.on_machine
    first = shutil.which(rule.probe[0]) if rule is not None else None
    if rule is None or first is None:
        return None
    for folder in (Path(first).parent, Path(first).resolve().parent):
        if folder.is_relative_to(cache_root) or not _complete(folder, recipe):
            continue
        version = _version(rule, folder)
        if version is not None and fits(version, rule.accepts):
            return _program(recipe, version=version, folder=folder)
    return None


def find_plugin(recipe: Recipe) -> Program | None:
    """Return the Pulumi plugin if the user's own plugin folder has it in exactly the wanted version.

    Source: pulumi v3.258.0 sdk/go/common/workspace/plugins.go: ``$PULUMI_HOME/plugins/<kind>-<name>-v<version>``,
    with a file ``<folder>.partial`` beside it as long as it is being installed.
    """
    outputs = [module.output for module in recipe.go if module.output.startswith("plugins/")]
    if not outputs:
        return None
    home = Path(os.environ.get("PULUMI_HOME") or Path.home() / ".pulumi")
    complete = all(
        os.access(home / output / name, os.X_OK)
        and not (home / output / name).is_symlink()  # a lab's own plugin folder links into the cache
        and not (home / f"{output}.partial").exists()
        for output in outputs
        for name in recipe.executables()
    )
    return _program(recipe, version=recipe.version, folder=home / outputs[0]) if complete else None


def fits(version: str, accepts: str) -> bool:
    """Tell whether ``version`` is ``accepts`` or a more precise form of it; a pre-release never fits.

    >>> fits("3.258.1", "3.258"), fits("3.2580.0", "3.258"), fits("1.34.4-rc.1", "1.34.4")
    (True, False, False)
    """
    return re.fullmatch(re.escape(accepts) + r"(\.\d+)*", version) is not None


def printed_version(printed: str, pattern: str) -> str | None:
    """Return the version in what a probe printed, without a leading ``v``."""
    match = re.search(pattern, printed)
    return None if match is None else match.group(1).removeprefix("v")


def _complete(folder: Path, recipe: Recipe) -> bool:
    return all(os.access(folder / name, os.X_OK) for name in recipe.executables())


def _version(rule: OnMachine, folder: Path) -> str | None:
    probe = [str(folder / rule.probe[0]), *rule.probe[1:]]
    try:
        done = process.run(probe, timeout_s=PROBE_TIMEOUT_S, env={"PULUMI_SKIP_UPDATE_CHECK": "true"})
    except (process.CommandFailed, OSError):
        return None  # whatever it is, it is not the program that is wanted
    return printed_version(done.stdout + done.stderr, rule.pattern)


def _program(recipe: Recipe, *, version: str, folder: Path) -> Program:
    root = folder.parent
    plugins = root if root.name == "plugins" else root / "plugins"
    return Program(
        name=recipe.name, version=version, origin=Origin.FOUND, bin=folder, share=root / "share", plugins=plugins
    )
