"""The objects of a running cluster as manifests, without what only its API server writes into metadata."""

from collections.abc import Iterable

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
        named = {"apiVersion": api_version, "kind": kind}  # the items of a list do not repeat them
        kept = [body for body in bodies if "deletionTimestamp" not in body["metadata"]]
        found += [Manifest.from_dict({**body, **named}) for body in kept]
    return tuple(found)
