"""Generated declarations are what a lab can carry, and the trial of one fails where the mesh does not hold."""

import pytest

from benchmarks import accepted
from benchmarks.applied import meshes, people, trial
from slipway.lab import instance as instances
from slipway.rollout import ground_fake, measuring, probes
from slipway.rollout.checks import check
from slipway.world import kubernetes, kubernetes_fake

CLOSED = {check.Group.SERVER.value, check.Group.METHOD.value, check.Group.PATH.value, trial.LOGGED}


def compiled(seed):
    made = meshes.generated(seed)
    return accepted.compiled(str(seed), made.mesh, made.environment)


def test_a_seed_gives_the_same_declaration_and_thirty_seeds_use_everything():
    assert meshes.generated(4) == meshes.generated(4)
    found = [compiled(seed).mesh for seed in range(1, 31)]
    assert {port.protocol.value for mesh in found for item in mesh.services for port in item.ports} == {
        "http",
        "tcp",
        "redis",
        "postgres",
    }
    assert {host.protocol.value for mesh in found for host in mesh.externals} == {"tls", "http", "tcp"}
    assert all(mesh.machines for mesh in found)
    for name in meshes.ON_MACHINES:
        assert any(mesh.callers(name) for mesh in found)
        assert any(mesh.service(name).service_calls for mesh in found)
        assert any(mesh.service(name).external_calls for mesh in found)


def trial_in(answer, monkeypatch):
    """Try a declaration where every request comes to the same."""
    monkeypatch.setattr(measuring, "PATIENCE_S", 0)
    monkeypatch.setattr(trial, "_FLUSHED_S", 0)
    mesh = compiled(5).mesh

    def printed(_namespace, _pod, _container, _argv, stdin) -> kubernetes.Execution:
        found = ground_fake.printed(stdin, lambda _: answer)
        return kubernetes.Execution(exit_status=0, stdout=found, stderr="")

    cluster = kubernetes_fake.FakeKubernetes(handler=printed)
    for item in mesh.services:
        if item.workload is not None:
            metadata = {"name": item.name, "namespace": item.namespace, "labels": dict(item.workload.labels)}
            container = {"name": "app"}
            cluster.apply(
                {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": {"containers": [container]}}
            )
            cluster.log_texts[(item.namespace, item.name, "istio-proxy")] = ""
    place = ground_fake.FakeGround(known=ground_fake.surroundings(), answer=lambda *_: answer)
    lines = trial.measure(mesh, cluster=cluster, place=place)
    return {item.heading for item in lines if item.difference}, {item.heading for item in lines}


@pytest.mark.parametrize("outcome", ["timeout", "reset"])
def test_a_mesh_that_carries_nothing_fails(outcome, monkeypatch):
    wrong, measured = trial_in(probes.Result(outcome=outcome), monkeypatch)
    assert measured >= {check.Group.DECLARED.value, check.Group.SERVER.value, trial.LOGGED}
    assert {check.Group.DECLARED.value, trial.LOGGED} <= wrong


def test_a_mesh_that_carries_everything_fails(monkeypatch):
    wrong, measured = trial_in(probes.Result(outcome="answer", code="200", body="hello"), monkeypatch)
    assert (CLOSED & measured) <= wrong
    assert {check.Group.CALLER.value, check.Group.BYPASS.value, check.Group.OUTSIDE_CALLER.value} <= wrong


def test_a_sidecar_that_nobody_declared_has_to_reach_every_outside_host():
    places = [place for names in instances.INTERNET_NAMES.items() for place in names]
    calls = {f"{pod} -> {place}": "answer 200" for pod in people.Beside.PODS for place in places}
    assert set(people.refused_outside(calls).values()) == {""}
    assert set(people.refused_outside(calls | {f"bare -> {places[0]}": "timeout"}).values()) == {""}
    refused = people.refused_outside(calls | {f"meshed -> {places[0]}": "closed"})
    assert {name: told for name, told in refused.items() if told} == {f"meshed -> {places[0]}": "closed"}
