"""Worlds for questions of reachability: of an environment, a folder, a git revision, or the running cluster."""

import os
import tempfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from slipway import reachability
from slipway.cli import stacks
from slipway.manifests import kubernetes_reader
from slipway.manifests.manifest import Manifest
from slipway.mesh import model

if TYPE_CHECKING:
    from policies.bundles import bundle as bundles
    from slipway.world import kubernetes

LIVE = "live"
GIT = "git:"
_DECLARED_AT = "slipway.dev/declared-at"
_MESH_CONFIG_MAPS = ("istio",)
_GIT_TIMEOUT_S = 60.0
_ENDINGS = (".yaml", ".yml", ".json")


@dataclass(frozen=True, slots=True, kw_only=True)
class Where:
    """How sources are found: the environment that a git revision means, and how to reach a cluster."""

    environment: str = ""
    kubeconfig: str = ""
    context: str = ""


def load(text: str, *, where: Where) -> reachability.World:
    """Return the world that ``text`` names: ``live``, ``git:REVISION``, a folder, or an environment.

    Raises DiagnosticsError for mistakes in what is read, KubernetesError when the cluster cannot be asked,
    click.UsageError for a source that does not exist.
    """
    if text == LIVE:
        return _live(where)
    if text.startswith(GIT):
        return _revision(text.removeprefix(GIT), where)
    folder = Path(text)
    if folder.is_dir() and (os.sep in text or not (Path(stacks.FOLDER) / f"{text}.yaml").exists()):
        return _folder(folder)
    return compiled(stacks.load(text))


def compiled(mesh: model.Mesh) -> reachability.World:
    """Return the world that a declaration becomes: its bundle, the gateways, and the workloads that it expects."""
    from policies.bundles import compiler

    bundle = compiler.compile_bundle(mesh)
    manifests = [*bundle.manifests, *surroundings(mesh, bundle)]
    network = mesh.network
    return reachability.read(
        manifests,
        mesh_config=bundle.mesh_config,
        nsg=bundle.nsg,
        origins={item.key: item.annotations.get(_DECLARED_AT, "") for item in manifests},
        pod_network=network.pods,
        virtual_network=(network.pods, network.nodes, network.machines),
    )


def surroundings(mesh: model.Mesh, bundle: "bundles.Bundle") -> list[Manifest]:
    """Return what stands beside the objects of a bundle: gateways, expected workloads, labelled namespaces."""
    there = {item.key for item in bundle.manifests}
    namespaces = [
        Manifest(api_version="v1", kind="Namespace", name=name, labels=labels)
        for name, labels in bundle.namespace_labels.items()
    ]
    expected = [*_gateways(bundle.gateways), *_workloads(mesh), *namespaces]
    return [item for item in expected if item.key not in there]


def _workloads(mesh: model.Mesh) -> Iterable[Manifest]:
    """Return what the teams are expected to run: pods and Services of declared services in the cluster."""
    for service in mesh.services:
        workload = service.workload
        if workload is None:
            continue
        container = {
            "name": "app",
            "ports": [{"name": f"p{port.number}", "containerPort": port.number} for port in service.ports],
        }
        pod = {"serviceAccountName": workload.service_account, "containers": [container]}
        labels = dict(workload.labels)
        for name, version in pods_of(service):
            yield _deployment(name, service.namespace, {**labels, **version}, {}, pod)
        ports = [
            {
                "name": f"{port.protocol.app_protocol}-{port.number}",
                "port": port.service_port,
                "targetPort": port.number,
                "appProtocol": port.protocol.app_protocol,
            }
            for port in service.ports
        ]
        yield _service(workload.service, service.namespace, labels, ports)


def pods_of(service: model.Service) -> Iterable[tuple[str, dict[str, str]]]:
    """Return names and further labels of the Deployments that a service in the cluster is expected to have."""
    if not service.versions:
        return [(service.name, {})]
    return [(f"{service.name}-{item.replace('.', '-')}", {"version": item}) for item in service.versions]


def _gateways(gateways: Iterable[Any]) -> Iterable[Manifest]:
    """Return what the releases of gateways install."""
    for item in gateways:
        labels = {**item.labels, "sidecar.istio.io/inject": "true"}
        annotations = {"inject.istio.io/templates": "gateway"}
        pod = {"serviceAccountName": item.release, "containers": [{"name": "istio-proxy", "image": "auto"}]}
        yield _deployment(item.release, item.namespace, labels, annotations, pod)
        ports = [
            {"name": port.name, "port": port.port, "targetPort": port.target_port, "appProtocol": "tcp"}
            for port in item.ports
        ]
        selector = {key: value for key, value in item.labels.items() if key in {"app", "istio"}}
        yield _service(item.release, item.namespace, selector, ports)


def _deployment(
    name: str, namespace: str, labels: Mapping[str, str], annotations: Mapping[str, str], pod: Mapping[str, Any]
) -> Manifest:
    template = {"metadata": {"labels": dict(labels), "annotations": dict(annotations)}, "spec": dict(pod)}
    body = {"spec": {"template": template}}
    return Manifest(api_version="apps/v1", kind="Deployment", name=name, namespace=namespace, body=body)


def _service(name: str, namespace: str, selector: Mapping[str, str], ports: list[dict[str, Any]]) -> Manifest:
    body = {"spec": {"selector": dict(selector), "ports": ports}}
    return Manifest(api_version="v1", kind="Service", name=name, namespace=namespace, body=body)


def _folder(folder: Path) -> reachability.World:
    manifests: list[Manifest] = []
    origins: dict[tuple[str, str, str], str] = {}
    for path in sorted(path for path in folder.rglob("*") if path.suffix in _ENDINGS and path.is_file()):
        found = kubernetes_reader.read_manifests(path.read_bytes(), file=str(path))
        manifests += found
        origins.update((item.key, str(path)) for item in found)
    if not manifests:
        raise click.UsageError(f"the folder {folder} holds no Kubernetes manifests ({', '.join(_ENDINGS)})")
    return reachability.read(manifests, mesh_config=_mesh_config(manifests), origins=origins)


def _mesh_config(manifests: Iterable[Manifest]) -> Mapping[str, Any]:
    """Return istiod's mesh configuration from its ConfigMap, empty when that is not there."""
    from slipway.manifests import plain, yaml_reader

    for item in manifests:
        named = item.name in _MESH_CONFIG_MAPS or item.name.startswith("istio-")
        text = (item.body.get("data") or {}).get("mesh") if item.kind == "ConfigMap" and named else None
        if isinstance(text, str):
            found = plain.to_plain(yaml_reader.read(text, file=f"ConfigMap {item.namespace}/{item.name}"))
            return found if isinstance(found, Mapping) else {}
    return {}


def _revision(revision: str, where: Where) -> reachability.World:
    from slipway.world import process

    revision, _, named = revision.partition(":")
    environment = named or where.environment
    if not environment or not revision or revision.startswith("-"):
        raise click.UsageError("a git revision is written git:REVISION:ENVIRONMENT, for example git:HEAD~1:lab")

    def git(*words: str) -> str:
        return process.run(["git", *words], timeout_s=_GIT_TIMEOUT_S).stdout

    with tempfile.TemporaryDirectory(prefix="slipway-") as folder:
        for name in git("ls-tree", "-r", "--name-only", revision, f"{stacks.FOLDER}/").splitlines():
            if not name.endswith(".yaml"):
                continue
            path = Path(folder) / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(git("show", f"{revision}:{name}"))
        if not (Path(folder) / stacks.FOLDER).exists():
            raise click.UsageError(f"revision {revision} has no folder {stacks.FOLDER}")
        return compiled(stacks.load(environment, folder=Path(folder) / stacks.FOLDER))


_LIVE_KINDS = (
    *(("v1", kind) for kind in ("Namespace", "Pod", "Service", "ConfigMap")),
    ("discovery.k8s.io/v1", "EndpointSlice"),
    ("networking.k8s.io/v1", "NetworkPolicy"),
    *(
        ("networking.istio.io/v1", kind)
        for kind in ("Sidecar", "ServiceEntry", "WorkloadEntry", "DestinationRule", "VirtualService", "Gateway")
    ),
    ("networking.istio.io/v1alpha3", "EnvoyFilter"),
    *(
        ("security.istio.io/v1", kind)
        for kind in ("PeerAuthentication", "AuthorizationPolicy", "RequestAuthentication")
    ),
    ("extensions.istio.io/v1alpha1", "WasmPlugin"),
)


def _manifest(kind: "kubernetes.Kind", body: Mapping[str, Any]) -> Manifest:
    """Return an object as the API server sends it, without what only the server writes into its metadata."""
    metadata = body.get("metadata") or {}
    return Manifest(
        api_version=kind.api_version,
        kind=kind.kind,
        name=metadata.get("name", ""),
        namespace=metadata.get("namespace", ""),
        labels=metadata.get("labels") or {},
        annotations=metadata.get("annotations") or {},
        body={key: value for key, value in body.items() if key not in {"apiVersion", "kind", "metadata"}},
    )


def _live(where: Where) -> reachability.World:
    from slipway.world import kubernetes

    path = where.kubeconfig or os.environ.get("KUBECONFIG") or str(Path.home() / ".kube" / "config")
    cluster = kubernetes.connect(Path(path), context=where.context or None)
    manifests: list[Manifest] = []
    for api_version, kind in _LIVE_KINDS:
        asked = kubernetes.Kind(api_version=api_version, kind=kind)
        namespace = "istio-system" if kind == "ConfigMap" else ""
        manifests += [_manifest(asked, body) for body in cluster.list(asked, namespace=namespace)]
    return reachability.read(manifests, mesh_config=_mesh_config(manifests))
