import pytest
import rollout_example

from slipway.rollout import ground_fake, probes, senders, sources, stand_ins
from slipway.rollout.checks.check import Group
from slipway.world import kubernetes
from slipway.world.kubernetes_fake import FakeKubernetes

CHECKS = rollout_example.checks()
MESH = rollout_example.mesh()
SEEN = probes.Result(outcome="answer", code="200")


def cluster_with_apps(handler):
    cluster = FakeKubernetes(handler=handler)
    for service in ("orders", "storefront"):
        metadata = {"name": f"{service}-1", "namespace": "shop", "labels": {"app": service}}
        containers = [{"name": "istio-proxy"}, {"name": "app"}]
        cluster.apply({"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": {"containers": containers}})
    return cluster


@pytest.fixture
def asked():
    return []


@pytest.fixture
def measured(asked):
    def handler(namespace, pod, container, argv, stdin) -> kubernetes.Execution:
        asked.append((pod, container, tuple(argv)))
        return kubernetes.Execution(exit_status=0, stdout=ground_fake.printed(stdin, lambda _: SEEN), stderr="")

    def answer(where, user, request) -> probes.Result:
        asked.append((where, user, request["kind"]))
        return SEEN

    place = ground_fake.FakeGround(known=ground_fake.surroundings(), answer=answer)
    return senders.Senders(cluster_with_apps(handler), place, MESH).measure(CHECKS)


def test_every_check_is_sent_from_where_it_belongs(measured, asked):
    assert {result.outcome for result in measured.values()} == {"answer"}
    assert set(measured) == {check.name for check in CHECKS}
    places = {entry[:2] for entry in asked}
    assert places == {
        ("orders-1", "app"),
        ("storefront-1", "app"),
        ("slipway-probe-orders", stand_ins.CONTAINER),
        ("slipway-probe-storefront", stand_ins.CONTAINER),
        ("slipway-probe-orders", stand_ins.PROXY_CONTAINER),
        ("slipway-probe-storefront", stand_ins.PROXY_CONTAINER),
        ("slipway-probe-billing-vm", stand_ins.PROXY_CONTAINER),
        ("slipway-probe-db-vm", stand_ins.PROXY_CONTAINER),
        ("slipway-probe-billing-vm", stand_ins.CONTAINER),
        ("slipway-probe-db-vm", stand_ins.CONTAINER),
        ("slipway-probe-bare", stand_ins.CONTAINER),
        ("billing-vm", "billing"),
        ("billing-vm", "istio-proxy"),
        ("db-vm", "postgres"),
        ("db-vm", "istio-proxy"),
        ("db-vm", "nobody"),
        ("node", ""),
        ("outside", ""),
    }


def test_a_source_that_fails_makes_its_own_lines_unsent_with_the_reason():
    def handler(namespace, pod, container, argv, stdin) -> kubernetes.Execution:
        return kubernetes.Execution(exit_status=2, stdout="", stderr="no such file")

    place = ground_fake.FakeGround(known=ground_fake.surroundings(), answer=lambda *_: SEEN)
    found = senders.Senders(cluster_with_apps(handler), place, MESH).measure(CHECKS)
    for check in CHECKS:
        from_pod = check.source.manner is sources.Manner.OPENED
        assert found[check.name].outcome == ("unsent" if from_pod else found[check.name].outcome)
    told = next(found[check.name] for check in CHECKS if check.group is Group.SERVER)
    assert "no such file" in told.detail


def test_a_workload_without_a_ready_pod_is_named():
    place = ground_fake.FakeGround(known=ground_fake.surroundings())
    found = senders.Senders(FakeKubernetes(), place, MESH).measure(CHECKS)
    declared = next(found[check.name] for check in CHECKS if check.group is Group.DECLARED and "orders" in check.told)
    assert declared.outcome in {"unsent", "timeout"}
    assert any("no ready pod with app=orders in shop" in result.detail for result in found.values())
