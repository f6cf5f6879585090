"""Certificates for ingress hosts, signed by the lab's public authority and kept as Kubernetes Secrets."""

import base64

from slipway.lab import certificates
from slipway.lab import instance as instances
from slipway.world import kubernetes

SECRET = kubernetes.Kind(api_version="v1", kind="Secret")


def ensure(name: str, *, host: str, secret: str, namespace: str) -> None:
    """Make the TLS Secret ``secret`` with a new certificate for ``host``; its key lies nowhere else.

    Raises LabError when the lab was never up, KubernetesError when the cluster refuses.
    """
    instance = instances.named(name)
    pair = certificates.issue_public(instance, [host])
    _cluster(instance).apply(
        {
            "apiVersion": "v1",
            "kind": "Secret",
            "type": "kubernetes.io/tls",
            "metadata": {
                "name": secret,
                "namespace": namespace,
                "labels": {"app.kubernetes.io/managed-by": "slipway"},
            },
            "data": {
                "tls.crt": base64.b64encode(pair.certificate.encode()).decode(),
                "tls.key": base64.b64encode(pair.key.encode()).decode(),
            },
        }
    )


def exists(name: str, *, secret: str, namespace: str) -> bool:
    """Say whether the Secret is there."""
    return _cluster(instances.named(name)).get(SECRET, secret, namespace=namespace) is not None


def remove(name: str, *, secret: str, namespace: str) -> None:
    """Delete the Secret; one that is gone already is fine."""
    _cluster(instances.named(name)).delete(SECRET, secret, namespace=namespace)


def _cluster(instance: instances.Instance) -> kubernetes.Cluster:
    return kubernetes.Cluster(instance.kubeconfig)
