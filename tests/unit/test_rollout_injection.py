"""Workloads outside the mesh are restarted once; those inside, and pods that nothing would make again, are left."""

import json
from collections.abc import Mapping
from typing import Any

import pytest
import rollout_example

from slipway.rollout import injection
from slipway.world import kubernetes
from slipway.world.kubernetes_fake import FakeKubernetes

DEPLOYMENT = kubernetes.Kind(api_version="apps/v1", kind="Deployment")
INSIDE = {"sidecar.istio.io/status": json.dumps({"revision": "1-29-1"})}


class Controlled(FakeKubernetes):
    """A cluster whose controller makes the pods anew, with a sidecar, when a Deployment's template changes."""

    def apply(self, body: Mapping[str, Any], *, manager: str = "slipway") -> kubernetes.Object:
        if body["kind"] == "Deployment":
            name, namespace = body["metadata"]["name"], body["metadata"]["namespace"]
            for pod in self.list(kubernetes.POD, namespace=namespace, labels=f"app={name}"):
                self.delete(kubernetes.POD, pod["metadata"]["name"], namespace=namespace)
            self.apply(pod_of(name, namespace, generation=2, annotations=INSIDE))
        return super().apply(body, manager=manager)


def pod_of(name, namespace, *, generation=1, annotations=None, owner="ReplicaSet"):
    owners = [{"kind": owner, "name": f"{name}-{generation}", "controller": True}] if owner else []
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            "name": f"{name}-{generation}-x",
            "namespace": namespace,
            "labels": {"app": name},
            "annotations": annotations or {},
            "ownerReferences": owners,
        },
    }


@pytest.fixture
def cluster():
    made = Controlled()
    for name in ("orders", "storefront"):
        owners = [{"kind": "Deployment", "name": name, "controller": True}]
        metadata = {"name": f"{name}-1", "namespace": "shop", "ownerReferences": owners}
        made.apply({"apiVersion": "apps/v1", "kind": "ReplicaSet", "metadata": metadata})
        made.apply(pod_of(name, "shop"))
    return made


def restarted(cluster):
    return list(injection.restart_outside_mesh(cluster, rollout_example.mesh()))


def test_what_runs_outside_is_restarted_once(cluster):
    assert restarted(cluster) == ["Deployment shop/orders", "Deployment shop/storefront"]
    assert restarted(cluster) == []


def test_what_runs_inside_is_left_alone(cluster):
    cluster.apply(pod_of("orders", "shop", annotations=INSIDE))
    assert restarted(cluster) == ["Deployment shop/storefront"]
    assert cluster.get(DEPLOYMENT, "orders", namespace="shop") is None


def test_a_sidecar_of_another_revision_is_outside(cluster):
    older = {"sidecar.istio.io/status": json.dumps({"revision": "1-28-3"})}
    cluster.apply(pod_of("orders", "shop", annotations=older))
    assert "Deployment shop/orders" in restarted(cluster)


def test_a_pod_that_nothing_would_make_again_is_not_ended(cluster):
    cluster.delete(kubernetes.POD, "orders-1-x", namespace="shop")
    cluster.apply(pod_of("orders", "shop", owner=None))
    assert restarted(cluster) == ["Deployment shop/storefront"]
    assert cluster.get(kubernetes.POD, "orders-1-x", namespace="shop") is not None
