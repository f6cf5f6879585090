"""Names and ways of machines, which ask no DNS of the cluster's, and to which no node leads."""

import pytest
from reachability_example import istio, world

from slipway import reachability

SERVICE = {
    "apiVersion": "v1",
    "kind": "Service",
    "metadata": {"name": "bills", "namespace": "back"},
    "spec": {"selector": {"app": "bills"}, "ports": [{"name": "http", "port": 80, "targetPort": 9090}]},
}
MACHINE = istio(
    "WorkloadEntry",
    "bills-vm",
    "back",
    {"address": "10.60.2.11", "serviceAccount": "bills", "labels": {"app": "bills"}},
)
OLD_NAME = istio(
    "ServiceEntry",
    "bills",
    "back",
    {
        "hosts": ["bills.corp.local"],
        "location": "MESH_INTERNAL",
        "resolution": "STATIC",
        "ports": [{"number": 80, "name": "http", "protocol": "HTTP"}],
        "workloadSelector": {"labels": {"app": "bills"}},
    },
)
NARROW = istio(
    "Sidecar",
    "bills",
    "back",
    {
        "workloadSelector": {"labels": {"app": "bills"}},
        "egress": [{"hosts": ["istio-system/*"]}],
        "outboundTrafficPolicy": {"mode": "REGISTRY_ONLY"},
    },
)


def moved(entry):
    ports = [{**port, "targetPort": 9090} for port in entry["spec"]["ports"]]
    return {**entry, "spec": {**entry["spec"], "ports": ports}}


def asked(found, namespace, name, host):
    source = reachability.Workload(namespace=namespace, name=name)
    question = reachability.Question(source=source, destination=reachability.Host(name=host), port=80)
    return reachability.decide(found, question)


@pytest.mark.parametrize(("name", "outcome"), [("good", "allowed"), ("bare", "denied")])
def test_only_a_proxy_finds_the_machine_behind_a_service(name, outcome):
    answer = asked(world(SERVICE, MACHINE), "shop", name, "bills.back.svc.cluster.local")
    assert answer.outcome.value == outcome
    assert name != "bare" or answer.seen is reachability.Seen.REFUSED


def test_a_machine_has_a_name_for_what_its_proxy_knows():
    for host, objects, outcome, seen in (
        ("callee.back.svc.cluster.local", (), "allowed", reachability.Seen.ANSWER),
        ("callee.back.svc.cluster.local", (NARROW,), "denied", reachability.Seen.NO_NAME),
    ):
        answer = asked(world(SERVICE, MACHINE, *objects), "back", "bills-vm", host)
        assert (answer.outcome.value, answer.seen) == (outcome, seen)


def test_what_a_machine_asks_of_itself_by_an_old_name_is_no_call():
    found = world(SERVICE, MACHINE, OLD_NAME, NARROW)
    answer = asked(found, "back", "bills-vm", "bills.corp.local")
    assert answer.outcome is reachability.Outcome.ALLOWED
    assert "calls itself" in answer.reasons[0]
    calls = {(source, where.host) for source, where, *_ in reachability.matrix(found).calls()}
    assert ("back/bills-vm", "bills.corp.local") not in calls
    assert ("shop/good", "bills.corp.local") in calls


def test_where_an_old_name_leads_nobody_knows_when_its_endpoints_listen_at_another_port():
    found = world(SERVICE, MACHINE, moved(OLD_NAME), NARROW)
    for namespace, name in (("back", "bills-vm"), ("shop", "bare")):
        answer = asked(found, namespace, name, "bills.corp.local")
        assert answer.outcome is reachability.Outcome.UNKNOWN
        assert "nobody leads from port 80" in " ".join(answer.reasons)
    assert asked(found, "shop", "good", "bills.corp.local").outcome is reachability.Outcome.ALLOWED
