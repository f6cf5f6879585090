"""Everything that is emitted, judged by those who receive it: the API server, istiod's webhook, `istioctl analyze`.

Golden cases and generated declarations are sent to a running cluster as a strict dry run, so nothing is stored.
"""

import argparse
import concurrent.futures
import json
import re
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from benchmarks import declarations, labs
from policies.bundles import bundle as bundles
from policies.bundles import compiler, surroundings
from slipway.lab import instance as instances
from slipway.lab import programs
from slipway.manifests import canonical
from slipway.mesh import loader, model
from slipway.world import kubernetes

INSTANCE = "bench"
ROOT = Path(__file__).parents[1]
EXPLAINED = frozenset({"IST0129", "IST0134"})  # docs/proofs.md says why each is right as it is
# What it says of a running example, by code and a part of the sentence; the same page says why.
EXPLAINED_RUNNING = {
    "IST0101": re.compile(r'Referenced selector not found: "slipway\.dev/machine='),
    "IST0102": re.compile(r"The namespace is not enabled for Istio injection"),
    "IST0127": re.compile(r"with the following labels: (slipway\.dev/machine=.*)?$"),
    "IST0146": re.compile(r"Deployment istio-\w+gateway contains `image: auto`"),
}
ANYWHERE = "default"  # a namespace that every cluster has, for objects whose own does not exist there
_DISCOVERY_PORT = 15014  # Source: Istio docs, application-requirements, ports used by istiod
_REJECTS = re.compile(r"^pilot_total_xds_rejects(?:\{[^}]*\})? (\S+)$", re.MULTILINE)
_WORKERS = 4
_ANALYSE_TIMEOUT_S = 300


@dataclass(frozen=True, slots=True, kw_only=True)
class Compiled:
    """One declaration with everything that it becomes."""

    name: str
    mesh: model.Mesh
    bundle: bundles.Bundle


@dataclass(slots=True, kw_only=True)
class Verdict:
    """What the receivers say: ``objects`` were asked about, ``findings`` are counted by their code."""

    objects: int = 0
    refused: list[str] = field(default_factory=list)
    findings: Counter[str] = field(default_factory=Counter)
    unexplained: list[str] = field(default_factory=list)

    @property
    def is_clean(self) -> bool:
        """Whether everything is accepted and nothing is found that the documents do not explain."""
        return not self.refused and not self.unexplained


def golden() -> list[Compiled]:
    """Return every golden case, compiled."""
    pairs = [("stacks", ROOT / "stacks/mesh.yaml", ROOT / "stacks/lab.yaml")]
    for mesh in sorted((ROOT / "tests/cases/bundles").glob("*/mesh.yaml")):
        pairs.append((mesh.parent.name, mesh, mesh.parent / "environment.yaml"))  # noqa: PERF401 - clearer so
    return [compiled(name, mesh.read_bytes(), environment.read_bytes()) for name, mesh, environment in pairs]


def generated(seeds: Iterable[int]) -> list[Compiled]:
    """Return the generated declarations of some seeds, compiled."""
    made = [(seed, declarations.generated(seed)) for seed in seeds]
    return [compiled(f"generated {seed}", item.mesh, item.environment) for seed, item in made]


def compiled(name: str, mesh_text: bytes | str, environment_text: bytes | str) -> Compiled:
    """Return a declaration with what it becomes; raises DiagnosticsError when it is not in order."""
    sources = [loader.Source(file="mesh.yaml", text=mesh_text)]
    environment = loader.Source(file="lab.yaml", text=environment_text)
    mesh = loader.load(sources, environment, environment_name="lab")
    return Compiled(name=name, mesh=mesh, bundle=compiler.compile_bundle(mesh))


def examine(cluster: kubernetes.Cluster, found: Sequence[Compiled], verdict: Verdict) -> None:
    """Ask the API server and its webhooks about every object, each different one once."""
    there = {item["metadata"]["name"] for item in cluster.list(kubernetes.Kind(api_version="v1", kind="Namespace"))}
    asked: dict[str, tuple[str, dict[str, Any]]] = {}
    for item in found:
        for manifest in item.bundle.manifests:
            body = placed(manifest.to_dict(), there)
            asked.setdefault(json.dumps(body, sort_keys=True), (item.name, body))
    with concurrent.futures.ThreadPoolExecutor(_WORKERS) as pool:
        answers = pool.map(lambda pair: refusal(cluster, *pair), asked.values())
        verdict.refused += [answer for answer in answers if answer]
    verdict.objects += len(asked)


def placed(body: dict[str, Any], there: set[str]) -> dict[str, Any]:
    """Return an object in its own namespace if that is there, else in one that every cluster has."""
    namespace = body["metadata"].get("namespace")
    if namespace is None or namespace in there:
        return body
    return {**body, "metadata": {**body["metadata"], "namespace": ANYWHERE}}


def refusal(cluster: kubernetes.Cluster, name: str, body: Mapping[str, Any]) -> str:
    """Return why an object is refused, or nothing."""
    try:
        cluster.examine(body)
    except kubernetes.KubernetesError as error:
        return f"{name}: {body['kind']} {body['metadata']['name']}: {error}"
    return ""


def analyse(istioctl: Path, item: Compiled, verdict: Verdict) -> None:
    """Let `istioctl analyze` look at a declaration's objects beside the workloads and gateways that it expects."""
    there = {found.key for found in item.bundle.manifests}
    around = surroundings.emit_surroundings(item.mesh, item.bundle).manifests
    manifests = [*item.bundle.manifests, *(found for found in around if found.key not in there)]
    for code, level, message in findings(istioctl, canonical.manifests_to_yaml(manifests), item.bundle.mesh_config):
        verdict.findings[code] += 1
        if code not in EXPLAINED:
            verdict.unexplained.append(f"{item.name}: {level} {code}: {message}")


def findings(istioctl: Path, text: str, mesh_config: Mapping[str, Any]) -> list[tuple[str, str, str]]:
    """Return code, level and sentence of what `istioctl analyze` finds in manifests."""
    with tempfile.TemporaryDirectory(prefix="slipway-analyse-") as folder:
        objects, config = Path(folder, "objects.yaml"), Path(folder, "mesh.json")
        objects.write_text(text, encoding="utf-8")
        config.write_text(json.dumps(mesh_config), encoding="utf-8")
        return _analysis(istioctl, "--use-kube=false", "--meshConfigFile", str(config), str(objects))


def running(istioctl: Path, kubeconfig: Path) -> list[tuple[str, str, str]]:
    """Return what `istioctl analyze` finds in a running cluster and the documents do not explain."""
    found = _analysis(istioctl, "--kubeconfig", str(kubeconfig))
    return [item for item in found if not (known := EXPLAINED_RUNNING.get(item[0])) or not known.search(item[2])]


def _analysis(istioctl: Path, *words: str) -> list[tuple[str, str, str]]:
    argv = [str(istioctl), "analyze", "--all-namespaces", "--output", "json", *words]
    done = subprocess.run(argv, capture_output=True, text=True, timeout=_ANALYSE_TIMEOUT_S, check=False)
    if not done.stdout.strip().startswith(("[", "null")):
        raise RuntimeError(f"istioctl analyze: exit status {done.returncode}: {done.stderr[-2000:]}")
    return [(found["code"], found["level"], found["message"]) for found in json.loads(done.stdout) or ()]


def rejects(cluster: kubernetes.Cluster) -> float:
    """Return how many configurations proxies have refused, over all istiods (`pilot_total_xds_rejects`)."""
    pods = cluster.list(kubernetes.Kind(api_version="v1", kind="Pod"), namespace="istio-system", labels="app=istiod")
    texts = [cluster.through("istio-system", pod["metadata"]["name"], _DISCOVERY_PORT, "/metrics") for pod in pods]
    if not texts or any("pilot_xds_pushes" not in text for text in texts):
        raise RuntimeError("no istiod that has pushed anything could be asked for its metrics")
    return sum(float(value) for text in texts for value in _REJECTS.findall(text))


def main(arguments: Sequence[str] = ()) -> int:
    """Judge all golden cases and `--count` generated declarations; 1 when anything is refused or unexplained."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks accepted")
    labs.options(parser, instance=INSTANCE)
    parser.add_argument("--count", type=int, default=500, help="generated declarations")
    options = parser.parse_args(arguments)
    with labs.example(options.instance, keep=options.keep) as instance:
        return _judged(instance, [*golden(), *generated(range(options.count))])


def _judged(instance: instances.Instance, found: Sequence[Compiled]) -> int:
    istioctl = programs.ensure(["istioctl"])["istioctl"].bin / "istioctl"
    cluster, verdict = kubernetes.Cluster(instance.kubeconfig), Verdict()
    examine(cluster, found, verdict)
    sys.stderr.write(f"{verdict.objects} different objects examined, {len(verdict.refused)} refused\n")
    verdict.unexplained += [f"running: {' '.join(item)}" for item in running(istioctl, instance.kubeconfig)]
    for item in found:
        analyse(istioctl, item, verdict)
    refused = rejects(cluster)
    for line in [*verdict.refused, *verdict.unexplained]:
        sys.stderr.write(f"{line}\n")
    told = ", ".join(f"{count} x {code}" for code, count in sorted(verdict.findings.items())) or "nothing"
    sys.stdout.write(
        f"{len(found)} declarations, {verdict.objects} different objects: {len(verdict.refused)} refused by the API "
        f"server or istiod's webhook; istioctl analyze finds {told}, {len(verdict.unexplained)} of it unexplained; "
        f"pilot_total_xds_rejects {refused:g}\n"
    )
    return 0 if verdict.is_clean and not refused else 1
