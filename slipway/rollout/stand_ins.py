"""Pods of ours that send requests: with a caller's identity and an opened scope, or without any sidecar.

They carry the label ``slipway.dev/probe``, no Service selects them, they end by themselves after a while, and
whatever an earlier run has left behind is removed before new ones are made.
"""

import contextlib
import json
from collections.abc import Generator, Iterable, Iterator
from concurrent import futures
from typing import Any

from slipway.rollout import sources
from slipway.rollout.ground import Surroundings
from slipway.world import kubernetes

LABEL = "slipway.dev/probe"
CONTAINER = "probe"
PROXY_CONTAINER = "istio-proxy"
_VOLUME = "slipway-probe"
_LIFETIME_S = 900
_READY_TIMEOUT_S = 60.0
_GONE_TIMEOUT_S = 30.0
_AT_ONCE = 8
_MANAGER = "slipway-verify"


def pod_name(source: sources.Source) -> str:
    """Return the name of the pod that stands in for a source."""
    whose = "bare" if source.identity is None else source.identity.name
    return f"slipway-probe-{whose}"


@contextlib.contextmanager
def standing_in(
    cluster: kubernetes.Kubernetes,
    wanted: Iterable[sources.Source],
    *,
    namespaces: Iterable[str],
    revision: str,
    outbound: str,
    surroundings: Surroundings,
) -> Generator[None]:
    """Have a ready pod for each source while the block runs, whatever happens in it.

    ``namespaces`` are searched for leftovers; ``outbound`` is what sidecars of declared workloads do with unknown
    destinations. Raises KubernetesError when a pod cannot be had.
    """
    where = tuple(namespaces)
    chosen = {(_namespace(source), pod_name(source)): source for source in wanted}
    remove(cluster, where)
    try:
        bodies = [
            body
            for source in chosen.values()
            for body in _objects(source, revision=revision, outbound=outbound, surroundings=surroundings)
        ]
        with futures.ThreadPoolExecutor(_AT_ONCE) as pool:
            for kind in (kubernetes.SIDECAR, kubernetes.POD):  # a proxy that starts finds its scope there
                applied = [pool.submit(cluster.apply, body, manager=_MANAGER) for body in bodies if _is(body, kind)]
                [item.result() for item in applied]
            ready = [pool.submit(_wait_ready, cluster, *key) for key in chosen]
            [item.result() for item in ready]
        yield
    finally:
        remove(cluster, where, wait=False)


def remove(cluster: kubernetes.Kubernetes, namespaces: Iterable[str], *, wait: bool = True) -> None:
    """Delete every pod and scope of ours; waits until the pods are gone when asked, at most half a minute."""
    for namespace in namespaces:
        for kind in (kubernetes.POD, kubernetes.SIDECAR):
            found = [item["metadata"]["name"] for item in cluster.list(kind, namespace=namespace, labels=LABEL)]
            for name in found:
                cluster.delete(kind, name, namespace=namespace, grace_s=0)
        if wait:
            kubernetes.wait_until(
                f"probing pods of an earlier run in {namespace} are gone",
                lambda namespace=namespace: ", ".join(
                    item["metadata"]["name"]
                    for item in cluster.list(kubernetes.POD, namespace=namespace, labels=LABEL)
                ),
                timeout_s=_GONE_TIMEOUT_S,
            )


def _wait_ready(cluster: kubernetes.Kubernetes, namespace: str, name: str) -> None:
    kubernetes.wait_until(
        f"the probing pod {namespace}/{name} is ready",
        lambda: kubernetes.pod_missing(cluster.get(kubernetes.POD, name, namespace=namespace)),
        timeout_s=_READY_TIMEOUT_S,
    )


def _is(body: dict[str, Any], kind: kubernetes.Kind) -> bool:
    return (body["apiVersion"], body["kind"]) == (kind.api_version, kind.kind)


def _namespace(source: sources.Source) -> str:
    return source.namespace if source.identity is None else source.identity.namespace


def _objects(
    source: sources.Source, *, revision: str, outbound: str, surroundings: Surroundings
) -> Iterator[dict[str, Any]]:
    name, namespace = pod_name(source), _namespace(source)
    labels = {LABEL: name}
    if source.identity is None:
        metadata = {"name": name, "namespace": namespace, "labels": {**labels, "sidecar.istio.io/inject": "false"}}
        yield _pod(metadata, account="", surroundings=surroundings)
        return
    yield {
        "apiVersion": kubernetes.SIDECAR.api_version,
        "kind": kubernetes.SIDECAR.kind,
        "metadata": {"name": name, "namespace": namespace, "labels": labels},
        "spec": {
            "workloadSelector": {"labels": labels},
            "egress": [{"hosts": ["*/*"]}],
            "outboundTrafficPolicy": {"mode": outbound},
        },
    }
    injected = {**labels, "sidecar.istio.io/inject": "true", "istio.io/rev": revision}
    # The sidecar's container sees the prober's file, so that it can be run as the sidecar's own user, and leaves its
    # certificate beside it, in memory, its key readable by that user alone.
    # Source: istio/istio 1.29.1 pkg/kube/inject/inject.go, annotations; security/pkg/nodeagent, OutputKeyCertToDir.
    mounts = [{"name": _VOLUME, "mountPath": sources.SHARED_FOLDER}]
    settings = {"proxyMetadata": {"OUTPUT_CERTS": sources.SHARED_FOLDER}}
    annotations = {
        "sidecar.istio.io/userVolumeMount": json.dumps(mounts),
        "proxy.istio.io/config": json.dumps(settings),
    }
    metadata = {"name": name, "namespace": namespace, "labels": injected, "annotations": annotations}
    yield _pod(metadata, account=source.identity.service_account, surroundings=surroundings)


def _pod(metadata: dict[str, Any], *, account: str, surroundings: Surroundings) -> dict[str, Any]:
    container = {
        "name": CONTAINER,
        "image": surroundings.image,
        "imagePullPolicy": "IfNotPresent",
        "command": [surroundings.program, "idle", f"{sources.SHARED_FOLDER}/probe"],
        "volumeMounts": [{"name": _VOLUME, "mountPath": sources.SHARED_FOLDER}],
        "resources": {"requests": {"cpu": "10m", "memory": "16Mi"}, "limits": {"memory": "128Mi"}},
        "securityContext": {
            "runAsNonRoot": True,
            "runAsUser": 1000,
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
        },
    }
    spec = {
        "containers": [container],
        "volumes": [{"name": _VOLUME, "emptyDir": {"medium": "Memory"}}],
        "restartPolicy": "Never",
        "activeDeadlineSeconds": _LIFETIME_S,
        "terminationGracePeriodSeconds": 0,
        **({"serviceAccountName": account} if account else {"automountServiceAccountToken": False}),
    }
    return {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec}
