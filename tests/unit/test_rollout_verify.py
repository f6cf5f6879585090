import pytest
import rollout_example

from slipway.rollout import ground, ground_fake, measuring, outage, probes, samples, verify
from slipway.rollout.checks.check import Group
from slipway.world import kubernetes
from slipway.world.kubernetes_fake import FakeKubernetes

MESH = rollout_example.mesh()
FORBIDDEN = probes.Result(outcome="answer", code="403", body="RBAC: access denied")
OUTPUTS = {
    (machine, program): text
    for machine in ("billing-vm", "db-vm")
    for program, text in {"stat": "100", "date": "2026-11-21T12:00:00.000Z", "psql": "public.orders|a\n"}.items()
}


@pytest.fixture(autouse=True)
def no_waiting(monkeypatch):
    monkeypatch.setattr(measuring, "PATIENCE_S", 0.0)
    monkeypatch.setattr("slipway.rollout.access_log._FLUSHED_WITHIN_S", 0.0)
    monkeypatch.setattr(outage, "_PAUSE_S", 0.0)


@pytest.fixture
def cluster():
    def handler(namespace, pod, container, argv, stdin) -> kubernetes.Execution:
        text = ground_fake.printed(stdin, lambda _: FORBIDDEN)
        return kubernetes.Execution(exit_status=0, stdout=text, stderr="")

    found = FakeKubernetes(handler=handler)
    for service in ("orders", "storefront"):
        metadata = {"name": f"{service}-1", "namespace": "shop", "labels": {"app": service}}
        spec = {"containers": [{"name": "istio-proxy"}, {"name": "app"}]}
        found.apply({"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec})
    return found


def verification(cluster, place, **options: object):
    return verify.Verification(
        MESH,
        known=samples.Samples(),
        cluster=cluster,
        place=place,
        options=verify.Options(**options),
        progress=lambda _: None,
    )


def pods_of_ours(cluster):
    return cluster.list(kubernetes.POD, labels="slipway.dev/probe")


def test_a_run_tells_every_group_in_order_and_leaves_nothing(cluster):
    place = ground_fake.FakeGround(known=ground_fake.surroundings(), outputs=OUTPUTS)
    report = verification(cluster, place).run()
    groups = [item.group for item in report.findings]
    assert groups == sorted(groups, key=list(Group).index)
    assert set(groups) == set(Group) - {Group.TRACE}
    by_group = {group: {item.passed for item in report.findings if item.group is group} for group in Group}
    assert by_group[Group.METHOD] == {True}
    assert by_group[Group.DECLARED] == {False}
    assert by_group[Group.ROWS] == {True}
    assert not report.passed
    assert pods_of_ours(cluster) == []
    assert sorted(place.rebooted) == ["billing-vm", "db-vm"]


def test_machines_get_their_sidecars_back_whatever_happens(cluster):
    def answer(where, user, request) -> probes.Result:
        raise ground.GroundError("the machine does not answer") if where == "node" else KeyboardInterrupt

    place = ground_fake.FakeGround(known=ground_fake.surroundings(), outputs=OUTPUTS, answer=answer)
    with pytest.raises(KeyboardInterrupt):
        verification(cluster, place, groups=frozenset({Group.OUTAGE})).run()
    for machine in ("billing-vm", "db-vm"):
        words = [argv[0] if argv[0] == "sh" else argv[1] for name, _, argv in place.commands if name == machine]
        assert words == ["sh", "kill", "stop", "sh"]
    assert pods_of_ours(cluster) == []


def test_only_the_named_lines_are_sent_and_no_machine_is_touched(cluster):
    place = ground_fake.FakeGround(known=ground_fake.surroundings(), outputs=OUTPUTS)
    report = verification(cluster, place, only=("wrong method",)).run()
    assert {item.group for item in report.findings} == {Group.METHOD}
    assert place.rebooted == []
    assert pods_of_ours(cluster) == []
    assert all(argv[0] == "sh" for _, _, argv in place.commands)


def test_nothing_sent_during_boot_proves_nothing(cluster):
    place = ground_fake.FakeGround(known=ground_fake.surroundings(), outputs=OUTPUTS)
    report = verification(cluster, place, groups=frozenset({Group.BOOT})).run()
    outward = [item for item in report.findings if item.subject.startswith("billing-vm -> payments")]
    assert [item.difference for item in outward] == ["nothing was sent during boot"]
