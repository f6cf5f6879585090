"""Which Service gets which address."""

from hypothesis import given
from hypothesis import strategies as st

from slipway.lab import instance as instances
from slipway.lab import load_balancer

POOL = instances.LOAD_BALANCER_ADDRESSES


def service(name, *, asked=None, current=None, created="2026-01-01T00:00:00Z", kind="LoadBalancer"):
    found = {"metadata": {"name": name, "namespace": "ns", "creationTimestamp": created}, "spec": {"type": kind}}
    if asked is not None:
        found["spec"]["loadBalancerIP"] = asked
    if current is not None:
        found["status"] = {"loadBalancer": {"ingress": [{"ip": current}]}}
    return found


def assign(*services: dict):
    return {name: address for (_, name), address in load_balancer.assign(services).items()}


def test_what_is_asked_for_is_given():
    assert assign(service("ingress", asked=instances.INGRESS_ADDRESS)) == {"ingress": instances.INGRESS_ADDRESS}


def test_the_annotation_of_aks_asks_like_the_field():
    wanted = service("ingress")
    wanted["metadata"]["annotations"] = {load_balancer.AZURE_ADDRESS: "10.60.1.133"}
    assert assign(wanted) == {"ingress": "10.60.1.133"}
    wanted["metadata"]["annotations"] = {load_balancer.AZURE_ADDRESS: "192.0.2.1"}
    assert assign(wanted) == {}


def test_the_gateways_addresses_are_never_given_away():
    given_away = assign(*(service(f"s{number}") for number in range(30)))
    assert set(given_away.values()) == set(POOL)
    assert len(given_away) == len(POOL)


def test_an_address_is_kept_and_the_oldest_wins():
    older = service("older", created="2026-01-01T00:00:00Z")
    newer = service("newer", current=POOL[0], created="2026-01-02T00:00:00Z")
    assert assign(newer, older) == {"newer": POOL[0], "older": POOL[1]}
    first = service("first", asked=POOL[3], created="2026-01-01T00:00:00Z")
    second = service("second", asked=POOL[3], created="2026-01-02T00:00:00Z")
    assert assign(second, first) == {"first": POOL[3]}


def test_what_is_not_ours_is_left_alone():
    foreign = service("foreign")
    foreign["spec"]["loadBalancerClass"] = "example.com/other"
    assert assign(foreign, service("inside", kind="ClusterIP"), service("outside", asked="192.0.2.1")) == {}


@given(st.permutations([service(f"s{number}", created=f"2026-01-0{number + 1}T00:00:00Z") for number in range(5)]))
def test_the_order_of_the_list_does_not_matter(services):
    assert assign(*services) == {f"s{number}": POOL[number] for number in range(5)}
