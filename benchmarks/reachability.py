"""All pairs, one question and one difference on meshes of growing size, beside network-config-analyzer.

Processor seconds, since others may use the computer. The peer is the program `nca` (PyPI: network-config-analyzer),
found on PATH or named by SLIPWAY_NCA; it gets the same manifests and is asked for its connectivity map.
"""

import copy
import dataclasses
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from rich import console, table

from slipway import reachability
from slipway.manifests import canonical
from slipway.manifests.manifest import Manifest

SIZES = (50, 100, 200, 400)
LARGE = (1000, 5000)
_CALLERS = (1, 7, 13)
_PER_NAMESPACE = 10
_PEER_TIMEOUT_S = 900
_SLIPWAY = str(Path(sys.executable).with_name("slipway"))


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


def _command_s(argv: Sequence[str], *, exit_statuses: tuple[int, ...]) -> float:
    """Return the processor seconds of a program; raises RuntimeError when it ends otherwise."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    done = subprocess.run(argv, capture_output=True, timeout=_PEER_TIMEOUT_S, check=False)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    if done.returncode not in exit_statuses:
        raise RuntimeError(f"{argv[0]}: exit status {done.returncode}: {done.stderr.decode(errors='replace')[-500:]}")
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def _beside(services: int, peer: str | None) -> tuple[float, float, float | None]:
    """Return the seconds of `slipway matrix`, `slipway can-i` and the peer, each from cold on the same folder."""
    with tempfile.TemporaryDirectory(prefix="slipway-bench-") as folder:
        Path(folder, "mesh.yaml").write_text(canonical.manifests_to_yaml(manifests(services)))
        matrix_s = _command_s([_SLIPWAY, "matrix", f"{folder}/"], exit_statuses=(0,))
        words = ["--from", "ns0/s1", "--to", "ns0/s0", "--path", "/api/x"]
        question_s = _command_s([_SLIPWAY, "can-i", f"{folder}/", *words], exit_statuses=(0,))
        peer_s = (
            None
            if peer is None
            else _command_s([peer, "--connectivity", "--resource_list", folder], exit_statuses=(0,))
        )
    return matrix_s, question_s, peer_s


def main() -> None:
    """Print both tables."""
    peer = os.environ.get("SLIPWAY_NCA") or shutil.which("nca")
    shown = console.Console()
    beside = table.Table(title="Commands from cold on the same YAML, processor seconds")
    for title in ("services", "slipway matrix", "slipway can-i", "nca --connectivity", "ratio"):
        beside.add_column(title, justify="right")
    for services in SIZES:
        matrix_s, question_s, peer_s = _beside(services, peer)
        told = ("not installed", "") if peer_s is None else (f"{peer_s:.2f}", f"{peer_s / matrix_s:.0f}x")
        beside.add_row(str(services), f"{matrix_s:.2f}", f"{question_s:.2f}", *told)
    shown.print(beside)
    alone = table.Table(title="The library alone, processor seconds")
    for title in ("services", "read", "all pairs", "one question", "one difference", "calls", "peak MiB"):
        alone.add_column(title, justify="right")
    for services in (*SIZES, *LARGE):
        item = figures(services)
        peak_mib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
        seconds = (item.read_s, item.matrix_s, item.question_s, item.difference_s)
        alone.add_row(str(services), *(f"{value:.3f}" for value in seconds), str(item.calls), str(peak_mib))
    shown.print(alone)
