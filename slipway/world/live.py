"""The objects of a running cluster as manifests, without what only its API server writes into metadata."""

from collections.abc import Iterable, Mapping
from typing import Any

from slipway.manifests.manifest import Manifest
from slipway.world import kubernetes

_NOT_FOUND = 404


def read(
    cluster: kubernetes.Kubernetes, kinds: Iterable[tuple[str, str]], *, namespace: str = ""
) -> tuple[Manifest, ...]:
    """Return the objects of ``kinds`` (pairs of apiVersion and kind), of every namespace when ``namespace`` is empty.

    A kind that the cluster does not know has no objects; what is being deleted is left out. Raises KubernetesError
    when the cluster cannot be asked, or does not let this user read.
    """
    found: list[Manifest] = []
    for api_version, kind in kinds:
        asked = kubernetes.Kind(api_version=api_version, kind=kind)
        try:
            bodies = cluster.list(asked, namespace=namespace)
        except kubernetes.KubernetesError as error:
            if error.status != _NOT_FOUND:
                raise
            continue
        found += [_manifest(asked, body) for body in bodies if "deletionTimestamp" not in body["metadata"]]
    return tuple(found)


def _manifest(kind: kubernetes.Kind, body: Mapping[str, Any]) -> Manifest:
    metadata = body["metadata"]
    return Manifest(
        api_version=kind.api_version,
        kind=kind.kind,
        name=metadata.get("name", ""),
        namespace=metadata.get("namespace", ""),
        labels=metadata.get("labels") or {},
        annotations=metadata.get("annotations") or {},
        body={key: value for key, value in body.items() if key not in {"apiVersion", "kind", "metadata"}},
    )
