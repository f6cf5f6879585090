"""The cluster that a command is about: by option, by the shell's KUBECONFIG, or the user's own."""

import os
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from slipway.world import kubernetes


def connect(*, kubeconfig: str, context: str) -> "kubernetes.Cluster":
    """Return the cluster; nothing is sent yet. Raises KubernetesError when the kubeconfig cannot be used."""
    from slipway.world import kubernetes

    path = kubeconfig or os.environ.get("KUBECONFIG") or str(Path.home() / ".kube" / "config")
    return kubernetes.connect(Path(path), context=context or None)
