"""Headless Services: names of single pods, names without pods, and proxies that go on to the address dialled."""

import pytest
from reachability_example import istio, world

from slipway import reachability

SERVICE = {
    "apiVersion": "v1",
    "kind": "Service",
    "metadata": {"name": "store", "namespace": "back"},
    "spec": {"clusterIP": "None", "selector": {"app": "store"}, "ports": [{"name": "tcp", "port": 5432}]},
}
TEMPLATE = {"metadata": {"labels": {"app": "store"}}, "spec": {"serviceAccountName": "store", "containers": []}}
PLANNED = {
    "apiVersion": "apps/v1",
    "kind": "StatefulSet",
    "metadata": {"name": "store", "namespace": "back"},
    "spec": {"serviceName": "store", "replicas": 2, "template": TEMPLATE},
}
DENIED = istio(
    "AuthorizationPolicy",
    "store",
    "back",
    {"selector": {"matchLabels": {"app": "store"}}, "rules": [{"to": [{"operation": {"ports": ["1"]}}]}]},
)


def running(number):
    name, address = f"store-{number}", f"10.61.0.{20 + number}"
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            "name": name,
            "namespace": "back",
            "labels": {"app": "store", "controller-revision-hash": "store-5c9"},
        },
        "spec": {
            "hostname": name,
            "subdomain": "store",
            "serviceAccountName": "store",
            "containers": [{"name": "istio-proxy", "image": "proxyv2"}],
        },
        "status": {"podIP": address, "podIPs": [{"ip": address}]},
    }


def asked(found, host, *, source=("shop", "good")):
    namespace, name = source
    question = reachability.Question(
        source=reachability.Workload(namespace=namespace, name=name),
        destination=reachability.Host(name=host),
        port=5432,
    )
    return reachability.decide(found, question)


@pytest.mark.parametrize(
    ("objects", "host", "named"),
    [
        ((PLANNED,), "store-3.store.back.svc.cluster.local", True),
        ((PLANNED,), "store-4.store.back", True),
        ((PLANNED,), "store.store.back.svc.cluster.local", False),
        ((PLANNED,), "other-0.store.back.svc.cluster.local", False),
        ((PLANNED,), "store-3.callee.back.svc.cluster.local", False),
        ((running(0), running(1)), "store-1.store.back.svc.cluster.local", True),
        ((running(0), running(1)), "store-2.store.back.svc.cluster.local", False),
        ((running(0), running(1)), "store.back.svc.cluster.local", True),
        ((), "store.back.svc.cluster.local", False),
    ],
)
def test_dns_names_each_pod_of_a_headless_service(objects, host, named):
    answer = asked(world(SERVICE, *objects), host)
    assert (answer.seen is not reachability.Seen.NO_NAME) == named
    assert (answer.outcome is reachability.Outcome.ALLOWED) == named


def test_policies_of_the_pod_decide_about_its_own_name():
    for host in ("store-1.store.back.svc.cluster.local", "store.back.svc.cluster.local"):
        answer = asked(world(SERVICE, running(0), running(1), DENIED), host)
        assert answer.outcome is reachability.Outcome.DENIED
        assert answer.decided_by.object.name == "store"


def test_a_pod_may_find_itself_behind_the_name_of_its_own_service():
    pods = (running(0), running(1))
    for objects, outcome in (((), "allowed"), ((DENIED,), "unknown")):
        answer = asked(world(SERVICE, *pods, *objects), "store.back.svc.cluster.local", source=("back", "store"))
        assert answer.outcome.value == outcome
    alone = asked(world(SERVICE, running(0), DENIED), "store.back.svc.cluster.local", source=("back", "store"))
    assert alone.outcome is reachability.Outcome.ALLOWED
