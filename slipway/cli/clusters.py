"""The cluster that a command is about: by option, by the shell's KUBECONFIG, or the user's own."""

import os
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from slipway.manifests.manifest import Manifest
    from slipway.world import kubernetes

_FORBIDDEN = 403


def connect(*, kubeconfig: str, context: str) -> "kubernetes.Cluster":
    """Return the cluster; nothing is sent yet. Raises KubernetesError when the kubeconfig cannot be used."""
    from slipway.world import kubernetes

    path = kubeconfig or os.environ.get("KUBECONFIG") or str(Path.home() / ".kube" / "config")
    return kubernetes.connect(Path(path), context=context or None)


def mesh_configs(cluster: "kubernetes.Kubernetes") -> tuple[tuple["Manifest", ...], str]:
    """Return the ConfigMaps beside istiod, or why this user may not read them. Raises KubernetesError."""
    from slipway.inventory import istiod

    return readable(cluster, [istiod.CONFIG_MAP], namespace=istiod.NAMESPACE)


def readable(
    cluster: "kubernetes.Kubernetes", kinds: Iterable[tuple[str, str]], *, namespace: str = ""
) -> tuple[tuple["Manifest", ...], str]:
    """Return the objects of ``kinds``, or none and why this user may not read them. Raises KubernetesError."""
    from slipway.world import kubernetes, live

    try:
        return live.read(cluster, kinds, namespace=namespace), ""
    except kubernetes.KubernetesError as error:
        if error.status != _FORBIDDEN:
            raise
        return (), str(error)
