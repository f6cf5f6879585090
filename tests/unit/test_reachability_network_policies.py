"""NetworkPolicy: who isolates whom, and what differs between what enforces it."""

from typing import Any

import pytest
from reachability_example import ask, deployment, outcome, policy, world

from slipway import reachability
from slipway.cli import network_policies
from slipway.manifests.manifest import Manifest
from slipway.reachability import Engine, Seen

ENGINES = (Engine.KUBE_ROUTER, Engine.CILIUM, Engine.UNKNOWN)
DIFFERENT = list(zip(ENGINES, ("allowed", "denied", "unknown"), strict=True))
SEEN = list(zip(ENGINES, (Seen.REFUSED, Seen.TIMEOUT, Seen.UNKNOWN), strict=True))


def _network(namespace, spec, *, name="net") -> Any:
    return {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "NetworkPolicy",
        "metadata": {"name": name, "namespace": namespace},
        "spec": spec,
    }


def test_network_policy_of_the_destination_sees_the_port_of_the_pod():
    peers = [{"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "shop"}}}]
    spec = {"podSelector": {}, "ingress": [{"from": peers, "ports": [{"port": 8080}]}]}
    found = world(_network("back", spec))
    assert outcome(found, port=80) == "allowed"
    answer = ask(found, port=5432)
    assert (answer.outcome.value, answer.decided_by.hop.value) == ("denied", "network policy of the destination")
    assert outcome(world(_network("back", {"podSelector": {}, "policyTypes": ["Ingress"]}))) == "denied"


def test_what_a_pod_sends_to_itself_is_seen_by_no_network_policy():
    pod = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "alone", "namespace": "shop", "labels": {"app": "alone"}},
        "spec": {"containers": [{"name": "app", "ports": [{"containerPort": 8080}]}]},
        "status": {"podIP": "10.1.2.3"},
    }
    closed = _network("shop", {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]})
    found = world(pod, closed)
    for caller, wanted in (("alone", "allowed"), ("good", "denied")):
        question = reachability.Question(
            source=reachability.Workload(namespace="shop", name=caller),
            destination=reachability.WorkloadAddress(namespace="shop", name="alone"),
            port=8080,
        )
        assert reachability.decide(found, question).outcome.value == wanted


@pytest.mark.parametrize("allowing", [[{}], []])
def test_a_pod_among_several_may_mean_itself_or_not(allowing):
    closed = _network("shop", {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]})
    port = {"name": "app", "ports": [{"containerPort": 8080}]}
    several = deployment("several", "shop")
    several["spec"]["template"]["spec"]["containers"] = [port]
    question = reachability.Question(
        source=reachability.Workload(namespace="shop", name="several"),
        destination=reachability.WorkloadAddress(namespace="shop", name="several"),
        port=8080,
    )
    found = reachability.decide(world(several, closed, policy(allowing, namespace="shop")), question)
    assert found.outcome is reachability.Outcome.UNKNOWN


def test_network_policy_of_the_source():
    pods = [{"namespaceSelector": {}, "podSelector": {"matchLabels": {"app": "callee"}}}]
    spec = {"podSelector": {"matchLabels": {"app": "good"}}, "policyTypes": ["Egress"], "egress": [{"to": pods}]}
    assert outcome(world(_network("shop", spec))) == "allowed"
    spec["egress"] = [{"to": [{"podSelector": {}}]}]
    found = world(_network("shop", spec))
    assert ask(found).decided_by.hop is reachability.Hop.SOURCE_NETWORK_POLICY
    assert outcome(found, "bad") == "allowed"
    assert outcome(world(_network("shop", spec), engine=reachability.Engine.NONE)) == "allowed"


@pytest.mark.parametrize(("engine", "seen"), SEEN)
def test_what_a_refused_client_sees(engine, seen):
    found = world(_network("back", {"podSelector": {}, "policyTypes": ["Ingress"]}), engine=engine)
    answer = ask(found, "bare", port=5432)
    assert (answer.outcome, answer.seen) == (reachability.Outcome.DENIED, seen)
    assert ("--network-policies" in answer.reasons[0]) is (engine is Engine.UNKNOWN)


def test_blocks_of_addresses_that_nobody_knows_are_unknown():
    spec = {"podSelector": {}, "ingress": [{"from": [{"ipBlock": {"cidr": "10.1.0.0/16"}}]}]}
    engine = Engine.KUBE_ROUTER
    assert outcome(world(_network("back", spec), engine=engine)) == "unknown"
    assert outcome(world(_network("back", spec), engine=engine, pod_network="10.1.2.0/24")) == "allowed"
    assert outcome(world(_network("back", spec), engine=engine, pod_network="10.2.0.0/16")) == "denied"


@pytest.mark.parametrize(("engine", "wanted"), DIFFERENT)
def test_whether_blocks_name_pods(engine, wanted):
    anywhere = [{"ipBlock": {"cidr": "0.0.0.0/0"}}]
    into = _network("back", {"podSelector": {}, "ingress": [{"from": anywhere}]})
    assert outcome(world(into, engine=engine)) == wanted
    out = _network("shop", {"podSelector": {}, "policyTypes": ["Egress"], "egress": [{"to": anywhere}]})
    assert outcome(world(out, engine=engine, pod_network="10.1.2.0/24")) == wanted


@pytest.mark.parametrize("engine", ENGINES)
def test_blocks_name_what_is_outside(engine):
    anywhere = [{"ipBlock": {"cidr": "10.9.0.0/24"}}]
    out = _network("shop", {"podSelector": {}, "policyTypes": ["Egress"], "egress": [{"to": anywhere}]})
    found = world(out, engine=engine)
    for address, wanted in (("10.9.0.1", "allowed"), ("10.9.1.1", "denied")):
        question = reachability.Question(
            source=reachability.Workload(namespace="shop", name="bare"),
            destination=reachability.External(address=address),
            port=443,
        )
        assert reachability.decide(found, question).outcome.value == wanted


@pytest.mark.parametrize(("engine", "wanted"), DIFFERENT)
@pytest.mark.parametrize("named", ["ingress", "egress"])
def test_one_policy_for_caller_and_called(engine, wanted, named):
    halves = {"ingress": [], "egress": [], named: [{}]}
    spec = {"podSelector": {}, "policyTypes": ["Ingress", "Egress"], **halves}
    found = world(_network("back", spec), deployment("beside", "back"), engine=engine)
    assert _within(found) == wanted


@pytest.mark.parametrize("engine", ENGINES)
def test_a_policy_for_each_direction(engine):
    into = _network("back", {"podSelector": {}, "policyTypes": ["Ingress"], "ingress": []}, name="into")
    out = _network("back", {"podSelector": {}, "policyTypes": ["Egress"], "egress": [{}]}, name="out")
    assert _within(world(into, out, deployment("beside", "back"), engine=engine)) == "denied"


def _within(found) -> str:
    question = reachability.Question(
        source=reachability.Workload(namespace="back", name="beside"),
        destination=reachability.Host(name="callee.back.svc.cluster.local"),
        port=80,
    )
    return reachability.decide(found, question).outcome.value


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize(("nodes", "wanted"), [("xx", "allowed"), ("x?", "unknown"), ("??", "unknown")])
def test_a_nodes_own_network_reaches_the_pods_of_that_node(engine, nodes, wanted):
    closed = _network("back", {"podSelector": {}, "policyTypes": ["Ingress"]})
    found = world(closed, *map(_pod, ("host", "pod"), nodes), engine=engine)
    assert _from_host(found) == wanted


def test_another_node_is_held_back():
    closed = _network("back", {"podSelector": {}, "policyTypes": ["Ingress"]})
    assert _from_host(world(closed, *map(_pod, ("host", "pod"), "xz"), engine=Engine.KUBE_ROUTER)) == "denied"


def _pod(name, node) -> Any:
    address = {"host": "10.0.0.1", "pod": "10.1.2.3"}[name]
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "namespace": "back", "labels": {"app": name}},
        "spec": {
            "hostNetwork": name == "host",
            "containers": [{"name": "app", "ports": [{"containerPort": 8080}]}],
            **({} if node == "?" else {"nodeName": node}),
        },
        "status": {"podIP": address, "podIPs": [{"ip": address}]},
    }


def _from_host(found) -> str:
    question = reachability.Question(
        source=reachability.Workload(namespace="back", name="host"),
        destination=reachability.WorkloadAddress(namespace="back", name="pod"),
        port=8080,
    )
    return reachability.decide(found, question).outcome.value


def _node(**labels: str) -> Manifest:
    status = {"status": {"nodeInfo": {"kubeletVersion": labels.pop("version", "v1.34.1")}}}
    return Manifest(api_version="v1", kind="Node", name="n", namespace="", labels=labels, body=status)


def _daemon(name: str, namespace: str = "kube-system") -> Manifest:
    return Manifest(api_version="apps/v1", kind="DaemonSet", name=name, namespace=namespace)


@pytest.mark.parametrize(
    ("found", "wanted"),
    [
        ([], Engine.UNKNOWN),
        ([_node()], Engine.UNKNOWN),
        ([_node(version="v1.34.1+k3s1")], Engine.KUBE_ROUTER),
        ([_node(version="v1.34.1+k3s1"), _node()], Engine.UNKNOWN),
        ([_node(version="v1.34.1+k3s1"), _daemon("calico-node")], Engine.UNKNOWN),
        ([_node(), _daemon("cilium")], Engine.CILIUM),
        ([_node(), _daemon("cilium", "elsewhere")], Engine.UNKNOWN),
        ([_node(version="v1.34.1+k3s1"), _daemon("cilium")], Engine.CILIUM),
        ([_node(), _daemon("cilium"), _daemon("azure-npm")], Engine.UNKNOWN),
        ([_node(), _daemon("kube-router")], Engine.KUBE_ROUTER),
        ([_node(**{network_policies.LABEL: "none"}), _daemon("cilium")], Engine.NONE),
        ([_node(**{network_policies.LABEL: "what"}), _daemon("cilium")], Engine.CILIUM),
    ],
)
def test_what_enforces_is_read_from_the_cluster(found, wanted):
    assert network_policies.enforced_by(found, stated="") is wanted
    assert network_policies.enforced_by(found, stated="none") is Engine.NONE
