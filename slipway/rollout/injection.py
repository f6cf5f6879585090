"""Let workloads join the mesh: restart those that run without the sidecar of the declared revision."""

import datetime
import json
from collections.abc import Iterator, Mapping
from typing import Any

from slipway.mesh import model
from slipway.world import kubernetes

JOIN_TIMEOUT_S = 180.0
RESTARTED_ANNOTATION = "slipway.dev/restarted-at"
_STATUS_ANNOTATION = "sidecar.istio.io/status"  # Source: istio/istio 1.29.1 pkg/kube/inject/inject.go
_MANAGER = "slipway-sidecar"
_REPLICA_SET = kubernetes.Kind(api_version="apps/v1", kind="ReplicaSet")
_RESTARTABLE = ("Deployment", "StatefulSet", "DaemonSet")


def restart_outside_mesh(cluster: kubernetes.Kubernetes, mesh: model.Mesh) -> Iterator[str]:
    """Restart every declared workload whose pods lack the sidecar, and yield ``Kind namespace/name`` of each.

    A workload gets an annotation with the time on its pod template, as `kubectl rollout restart` does; a second run
    finds every sidecar there and does nothing. Raises NotMetError when the new pods are not ready in time,
    KubernetesError when the cluster refuses.
    """
    waiting: list[model.Service] = []
    for service in mesh.services:
        if service.workload is None:
            continue
        outside = [pod for pod in _pods(cluster, service) if not has_sidecar(pod, revision=mesh.revision)]
        owners = sorted({owner for pod in outside if (owner := _owner(cluster, pod)) is not None})
        for kind, name in owners:
            _restart(cluster, kind=kind, namespace=service.namespace, name=name)
            yield f"{kind} {service.namespace}/{name}"
        if owners:
            waiting.append(service)
    for service in waiting:
        told = f"pods of {service.namespace}/{service.name} with the sidecar of {mesh.revision}"
        kubernetes.wait_until(
            told,
            lambda service=service: _missing(cluster, service, revision=mesh.revision),
            timeout_s=JOIN_TIMEOUT_S,
        )


def has_sidecar(pod: Mapping[str, Any], *, revision: str) -> bool:
    """Return whether ``pod`` was injected by istiod of ``revision``."""
    status = pod["metadata"].get("annotations", {}).get(_STATUS_ANNOTATION)
    return status is not None and json.loads(status).get("revision") == revision


def _pods(cluster: kubernetes.Kubernetes, service: model.Service) -> list[kubernetes.Object]:
    workload = service.workload
    labels = ",".join(f"{key}={value}" for key, value in workload.labels) if workload is not None else ""
    found = cluster.list(kubernetes.POD, namespace=service.namespace, labels=labels)
    return [pod for pod in found if "deletionTimestamp" not in pod["metadata"]]


def _owner(cluster: kubernetes.Kubernetes, pod: kubernetes.Object) -> tuple[str, str] | None:
    """Return kind and name of what made ``pod``; ``None`` for a pod that nothing would make again."""
    reference = _controller(pod)
    if reference is not None and reference["kind"] == "ReplicaSet":
        found = cluster.get(_REPLICA_SET, reference["name"], namespace=pod["metadata"]["namespace"])
        reference = None if found is None else _controller(found)
    if reference is None or reference["kind"] not in _RESTARTABLE:
        return None
    return (reference["kind"], reference["name"])


def _controller(body: kubernetes.Object) -> dict[str, Any] | None:
    references = body["metadata"].get("ownerReferences", [])
    return next((item for item in references if item.get("controller")), None)


def _restart(cluster: kubernetes.Kubernetes, *, kind: str, namespace: str, name: str) -> None:
    now = datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
    cluster.apply(
        {
            "apiVersion": "apps/v1",
            "kind": kind,
            "metadata": {"name": name, "namespace": namespace},
            "spec": {"template": {"metadata": {"annotations": {RESTARTED_ANNOTATION: now}}}},
        },
        manager=_MANAGER,
    )


def _missing(cluster: kubernetes.Kubernetes, service: model.Service, *, revision: str) -> str:
    pods = _pods(cluster, service)
    if not pods:
        return "no pod"
    outside = [pod["metadata"]["name"] for pod in pods if not has_sidecar(pod, revision=revision)]
    if outside:
        return f"still without: {', '.join(sorted(outside))}"
    lacking = [f"{pod['metadata']['name']}: {told}" for pod in pods if (told := kubernetes.pod_missing(pod))]
    return "; ".join(lacking)
