import pytest
import rollout_example

from slipway.rollout import ground_fake, senders, stand_ins
from slipway.world import kubernetes
from slipway.world.kubernetes_fake import FakeKubernetes

CHECKS = rollout_example.checks()
MESH = rollout_example.mesh()


def standing_in(cluster):
    return stand_ins.standing_in(
        cluster,
        senders.needed_pods(CHECKS),
        namespaces=MESH.namespaces,
        revision=MESH.revision,
        outbound="REGISTRY_ONLY",
        surroundings=ground_fake.surroundings(),
    )


def left(cluster):
    return [
        item["metadata"]["name"]
        for kind in (kubernetes.POD, kubernetes.SIDECAR)
        for item in cluster.list(kind, labels=stand_ins.LABEL)
    ]


def test_each_identity_has_a_pod_with_its_own_account_and_an_opened_scope_that_no_service_selects():
    cluster = FakeKubernetes()
    with standing_in(cluster):
        pods = {item["metadata"]["name"]: item for item in cluster.list(kubernetes.POD, labels=stand_ins.LABEL)}
        scopes = {item["metadata"]["name"]: item for item in cluster.list(kubernetes.SIDECAR)}
    accounts = {name: pod["spec"].get("serviceAccountName") for name, pod in pods.items()}
    assert accounts == {
        "slipway-probe-bare": None,
        "slipway-probe-storefront": "storefront",
        "slipway-probe-orders": "orders",
        "slipway-probe-billing-vm": "billing-vm",
        "slipway-probe-db-vm": "db-vm",
    }
    assert {pod["metadata"]["namespace"] for pod in pods.values()} == set(MESH.namespaces)
    for name, pod in pods.items():
        assert "app" not in pod["metadata"]["labels"]
        assert pod["spec"]["activeDeadlineSeconds"] > 0
        if name != "slipway-probe-bare":
            scope = scopes[name]["spec"]
            assert pod["metadata"]["labels"].items() >= scope["workloadSelector"]["labels"].items()
            assert scope["egress"] == [{"hosts": ["*/*"]}]
            assert scope["outboundTrafficPolicy"] == {"mode": "REGISTRY_ONLY"}


@pytest.mark.parametrize("error", [KeyboardInterrupt, kubernetes.KubernetesError("the API server is gone")])
def test_nothing_is_left_whatever_happens(error):
    cluster = FakeKubernetes()

    def interrupted() -> None:
        with standing_in(cluster):
            assert left(cluster)
            raise error

    with pytest.raises((KeyboardInterrupt, kubernetes.KubernetesError)):
        interrupted()
    assert left(cluster) == []


def test_leftovers_of_a_killed_run_go_first_and_others_stay():
    cluster = FakeKubernetes()
    for name, labels in (("old", {stand_ins.LABEL: "old"}), ("orders-1", {"app": "orders"})):
        metadata = {"name": name, "namespace": "shop", "labels": labels}
        cluster.apply({"apiVersion": "v1", "kind": "Pod", "metadata": metadata})
    with standing_in(cluster):
        assert cluster.deleted == [("Pod", "shop", "old")]
    assert [item["metadata"]["name"] for item in cluster.list(kubernetes.POD)] == ["orders-1"]


def test_a_pod_that_does_not_become_ready_is_told_and_removed(monkeypatch):
    cluster = FakeKubernetes(pods_become_ready=False)
    monkeypatch.setattr(stand_ins, "_READY_TIMEOUT_S", 0.0)
    with pytest.raises(kubernetes.NotMetError, match=r"slipway-probe-.* phase unknown"), standing_in(cluster):
        pass
    assert left(cluster) == []
