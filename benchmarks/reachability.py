"""All pairs, one question and one difference on meshes of growing size, beside network-config-analyzer.

Processor seconds, since others may use the computer. The peer is the program `nca` (PyPI: network-config-analyzer),
found on PATH or named by SLIPWAY_NCA; it gets the same manifests and is asked for its connectivity map.
"""

import copy
import dataclasses
import math
import os
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from rich import console, table

from benchmarks.spending import Spent, spent
from slipway import reachability
from slipway.manifests import canonical
from slipway.manifests.manifest import Manifest

SIZES = (50, 100, 200, 400)
LARGE = (1000, 5000)
_CALLERS = (1, 7, 13)
_PER_NAMESPACE = 10
# Installed programs have their bytecode compiled; a checkout has it after the first run, unless a shell forbids that.
_ENVIRONMENT = {key: value for key, value in os.environ.items() if key != "PYTHONDONTWRITEBYTECODE"}
_SLIPWAY = str(Path(sys.executable).with_name("slipway"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Commands:
    """One size: three commands and the peer, None where it was not asked."""

    matrix: Spent
    question: Spent
    difference: Spent
    peer: Spent | None

    @property
    def ratio(self) -> float | None:
        """How many times as long the peer takes for all pairs."""
        return None if self.peer is None else self.peer.cpu_s / self.matrix.cpu_s


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """One size: processor seconds of reading, all pairs, one question, one difference; what was found."""

    services: int
    read_s: float
    matrix_s: float
    question_s: float
    difference_s: float
    calls: int


def manifests(services: int) -> list[Manifest]:
    """Return services with a workload, an identity and an ALLOW for three callers each, ten to a namespace."""
    found: list[Manifest] = []
    for number in range(0, services, _PER_NAMESPACE):
        labels = {"istio-injection": "enabled"}
        found.append(
            Manifest(api_version="v1", kind="Namespace", name=f"ns{number // _PER_NAMESPACE}", labels=labels)
        )
    for number in range(services):
        found += _service(number, services)
    return found


def _service(number: int, services: int) -> list[Manifest]:
    name, namespace = f"s{number}", f"ns{number // _PER_NAMESPACE}"
    labels = {"app": name}
    container = {"name": "app", "image": "app", "ports": [{"containerPort": 8080}]}
    pod = {"serviceAccountName": name, "containers": [container]}
    template = {"metadata": {"labels": labels}, "spec": pod}
    callers = [(number + step) % services for step in _CALLERS]
    principals = [f"cluster.local/ns/ns{item // _PER_NAMESPACE}/sa/s{item}" for item in callers]
    rule = {
        "from": [{"source": {"principals": principals}}],
        "to": [{"operation": {"methods": ["GET"], "paths": ["/api/*"], "ports": ["8080"]}}],
    }
    specs = (
        ("v1", "ServiceAccount", {}),
        ("apps/v1", "Deployment", {"spec": {"selector": {"matchLabels": labels}, "template": template}}),
        ("v1", "Service", {"spec": {"selector": labels, "ports": [{"name": "http", "port": 8080}]}}),
        (
            "security.istio.io/v1beta1",
            "AuthorizationPolicy",
            {"spec": {"selector": {"matchLabels": labels}, "action": "ALLOW", "rules": [rule]}},
        ),
    )
    return [
        Manifest(api_version=version, kind=kind, name=name, namespace=namespace, body=body)
        for version, kind, body in specs
    ]


def _changed(items: Sequence[Manifest]) -> list[Manifest]:
    """Return the set with one path of one policy changed."""
    found = list(items)
    place = next(index for index, item in enumerate(found) if item.kind == "AuthorizationPolicy")
    body = copy.deepcopy(dict(found[place].body))
    body["spec"]["rules"][0]["to"][0]["operation"]["paths"] = ["/other/*"]
    found[place] = dataclasses.replace(found[place], body=body)
    return found


def _timed(run: Callable[[], object]) -> float:
    started = time.process_time()
    run()
    return time.process_time() - started


def figures(services: int) -> Figures:
    """Return what the library takes for a mesh of this size; raises AssertionError for a wrong result."""
    items = manifests(services)
    worlds: list[reachability.World] = []
    read_s = _timed(lambda: worlds.append(reachability.read(items, mesh_config={})))
    world, after = worlds[0], reachability.read(_changed(items), mesh_config={})
    matrices: list[reachability.Matrix] = []
    matrix_s = _timed(lambda: matrices.append(reachability.matrix(world)))
    question = reachability.Question(
        source=reachability.Workload(namespace="ns0", name="s1"),
        destination=reachability.Host(name="s0.ns0.svc.cluster.local"),
        port=8080,
        path="/api/x",
    )
    question_s = _timed(lambda: reachability.decide(world, question))
    differences: list[reachability.Difference] = []
    difference_s = _timed(lambda: differences.append(reachability.diff(world, after)))
    calls = sum(1 for _ in matrices[0].calls())
    changes = (*differences[0].gained, *differences[0].lost)
    if calls != services * len(_CALLERS) or sum(len(item.sources) for item in changes) != 2 * len(_CALLERS):
        raise AssertionError(f"{services} services: {calls} calls, {len(changes)} changes")
    return Figures(
        services=services,
        read_s=read_s,
        matrix_s=matrix_s,
        question_s=question_s,
        difference_s=difference_s,
        calls=calls,
    )


def _written(items: Iterable[Manifest], folder: Path) -> str:
    """Write manifests as one file per namespace, as teams keep them; return the folder as a source."""
    files: dict[str, list[Manifest]] = {}
    for item in items:
        files.setdefault(item.namespace or item.name, []).append(item)
    folder.mkdir()
    for name, found in files.items():
        (folder / f"{name}.yaml").write_text(canonical.manifests_to_yaml(found))
    return f"{folder}/"


def _beside(services: int, peer: str | None) -> Commands:
    """Return what the commands and the peer take, each from cold on the same folder."""
    items = manifests(services)
    with tempfile.TemporaryDirectory(prefix="slipway-bench-") as found:
        before, after = _written(items, Path(found, "before")), _written(_changed(items), Path(found, "after"))
        words = ["--from", "ns0/s1", "--to", "ns0/s0", "--path", "/api/x"]
        return Commands(
            matrix=spent([_SLIPWAY, "matrix", before], environment=_ENVIRONMENT),
            question=spent([_SLIPWAY, "can-i", before, *words], environment=_ENVIRONMENT),
            difference=spent([_SLIPWAY, "diff", before, after], environment=_ENVIRONMENT, exit_statuses=[1]),
            peer=None
            if peer is None
            else spent([peer, "--connectivity", "--resource_list", before], environment=_ENVIRONMENT),
        )


def _exponent(first: tuple[int, float], last: tuple[int, float]) -> float:
    """Return the power of the size with which seconds grow between two measurements."""
    return math.log(last[1] / first[1]) / math.log(last[0] / first[0])


def main() -> None:
    """Print both tables, each followed by what is wanted and what was found."""
    peer = os.environ.get("SLIPWAY_NCA") or shutil.which("nca")
    shown = console.Console(width=110)
    spent([_SLIPWAY, "--version"], environment=_ENVIRONMENT)  # the modules' bytecode, which installing leaves behind
    _print_commands(shown, peer)
    _print_library(shown)


def _print_commands(shown: console.Console, peer: str | None) -> None:
    columns = (
        "services",
        "slipway matrix",
        "peak MiB",
        "slipway can-i",
        "slipway diff",
        "nca --connectivity",
        "ratio",
    )
    beside = table.Table(title="Commands from cold on the same YAML, processor seconds")
    for title in columns:
        beside.add_column(title, justify="right")
    found: dict[int, Commands] = {}
    for services in (*SIZES, *LARGE):
        item = found[services] = _beside(services, peer if services in SIZES else None)
        told = ("", "") if item.peer is None else (f"{item.peer.cpu_s:.2f}", f"{item.ratio:.0f}x")
        seconds = (f"{each.cpu_s:.2f}" for each in (item.matrix, item.question, item.difference))
        matrix_s, *others = seconds
        beside.add_row(str(services), matrix_s, f"{item.matrix.peak_mib:.0f}", *others, *told)
    shown.print(beside)
    small, large = SIZES[-1], LARGE[0]
    goals = table.Table("what", "wanted", "found")
    ratio = found[small].ratio
    goals.add_row(
        f"matrix of {small} services beside nca", "100x", "not installed" if ratio is None else f"{ratio:.0f}x"
    )
    goals.add_row(f"matrix of {large} services", "2 s", f"{found[large].matrix.cpu_s:.2f} s")
    goals.add_row(f"matrix of {LARGE[-1]} services", "30 s", f"{found[LARGE[-1]].matrix.cpu_s:.2f} s")
    goals.add_row(f"memory of {LARGE[-1]} services", "300 MiB", f"{found[LARGE[-1]].matrix.peak_mib:.0f} MiB")
    goals.add_row(f"can-i at {large} services", "0.5 s", f"{found[large].question.cpu_s:.2f} s")
    goals.add_row(f"diff of two sets of {large} services", "1 s", f"{found[large].difference.cpu_s:.2f} s")
    shown.print(goals)


def _print_library(shown: console.Console) -> None:
    alone = table.Table(title="The library alone, processor seconds")
    for title in ("services", "read", "all pairs", "one question", "one difference", "calls"):
        alone.add_column(title, justify="right")
    found = [figures(services) for services in (*SIZES, *LARGE)]
    for item in found:
        seconds = (item.read_s, item.matrix_s, item.question_s, item.difference_s)
        alone.add_row(str(item.services), *(f"{value:.3f}" for value in seconds), str(item.calls))
    shown.print(alone)
    first, last = (next(item for item in found if item.services == size) for size in (SIZES[-1], LARGE[-1]))
    exponent = _exponent((first.services, first.matrix_s), (last.services, last.matrix_s))
    shown.print(f"growth of all pairs from {first.services} to {last.services} services: exponent {exponent:.2f}")


if __name__ == "__main__":
    main()
