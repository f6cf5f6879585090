"""The declaration of meshes of growing size compiled from cold, beside tools that print the same objects from YAML.

Processor seconds and peak memory of whole processes, since others may use the computer. The peers get the objects
that Slipway has compiled as static files, so they read about 20 times the text and decide nothing: `kubectl
kustomize` of the lab's programs, and `helm template`, which is found or built for this alone. kustomize is left out
at the largest size, where it takes many minutes.
"""

import math
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path

from rich import console, table

from benchmarks import declarations
from benchmarks.spending import Spent, spent
from slipway.lab import programs

SIZES = (50, 200, 1000, 5000)
LARGEST = {"kubectl": 1000}
GOAL_SIZE, GOAL_S, GOAL_MIB = 1000, 1.5, 150
_SLIPWAY = str(Path(sys.executable).with_name("slipway"))
_CHART = "apiVersion: v2\nname: mesh\nversion: 0.1.0\n"
_KUSTOMIZATION = "resources: [objects.yaml]\n"


def measured(services: int, peers: Mapping[str, Path]) -> dict[str, Spent]:
    """Return what checking, rendering and each peer takes for a mesh of this size."""
    made = declarations.sized(services)
    with tempfile.TemporaryDirectory(prefix="slipway-bench-") as name:
        folder = Path(name)
        (folder / "stacks").mkdir()
        (folder / "stacks/mesh.yaml").write_text(made.mesh, encoding="utf-8")
        (folder / "stacks/lab.yaml").write_text(made.environment, encoding="utf-8")
        found = {word: spent([_SLIPWAY, word, "lab"], folder=folder) for word in ("check", "render")}
        objects = found["render"].output
        if "kubectl" in peers:
            (folder / "kustomization.yaml").write_text(_KUSTOMIZATION, encoding="utf-8")
            (folder / "objects.yaml").write_bytes(objects)
            found["kubectl kustomize"] = spent([str(peers["kubectl"]), "kustomize", "."], folder=folder)
        if "helm" in peers:
            (folder / "templates").mkdir()
            (folder / "Chart.yaml").write_text(_CHART, encoding="utf-8")
            (folder / "templates/objects.yaml").write_bytes(objects)
            found["helm template"] = spent([str(peers["helm"]), "template", "mesh", "."], folder=folder)
    return found


def peers() -> dict[str, Path]:
    """Return the peers, found on this computer or built; says of each that cannot be had why, and leaves it out."""
    programs_of = {"kubectl": "kubernetes", "helm": "helm"}
    try:
        ready = programs.ensure(programs_of.values())
    except programs.ProgramsUnavailable as error:
        sys.stdout.write("".join(f"left out: {name}: {reason}\n" for name, reason in error.reasons.items()))
        ready = error.ready
    return {name: ready[of].bin / name for name, of in programs_of.items() if of in ready}


def growth(seconds: Mapping[int, float]) -> float:
    """Return the exponent of growth between the last two sizes: 1 is linear, 2 is quadratic."""
    (small, before), (large, after) = list(seconds.items())[-2:]
    return math.log(after / before) / math.log(large / small)


def main() -> int:
    """Print the table; 1 when the goal is missed."""
    beside = peers()
    results = {
        size: measured(size, {name: path for name, path in beside.items() if size <= LARGEST.get(name, size)})
        for size in SIZES
    }
    names = list(results[SIZES[0]])
    shown = table.Table(title="From cold: processor seconds / peak MiB")
    for title in ("services", "objects", *(f"slipway {name}" if " " not in name else name for name in names)):
        shown.add_column(title, justify="right")
    for services, found in results.items():
        objects = found["render"].output.count(b"\n---\n") + 1
        cells = [f"{found[n].cpu_s:.2f} / {found[n].peak_mib:.0f}" if n in found else "" for n in names]
        shown.add_row(str(services), str(objects), *cells)
    exponents = [growth({size: item[n].cpu_s for size, item in results.items() if n in item}) for n in names]
    shown.add_row("exponent", "", *(f"{item:.2f}" for item in exponents))
    console.Console(width=120).print(shown)
    goal = results[GOAL_SIZE]["check"]
    met = goal.cpu_s <= GOAL_S and goal.peak_mib <= GOAL_MIB
    sys.stdout.write(
        f"goal: {GOAL_SIZE} services compiled in {GOAL_S:g} s and {GOAL_MIB} MiB: {'met' if met else 'missed'}\n"
    )
    return 0 if met else 1
