"""Scopes, routes, client TLS, network rules, gateways: where the first hop decides."""

from typing import Any

import pytest
from reachability_example import ask, istio, mtls, outcome, policy, world

from slipway import reachability
from slipway.manifests.nsg import Access, Direction, NsgRule, Protocol
from slipway.reachability import Seen, deciding
from slipway.reachability.callers import Callers
from slipway.reachability.outbound import Outbound

HOST = "callee.back.svc.cluster.local"
REGISTRY_ONLY = {"outboundTrafficPolicy": {"mode": "REGISTRY_ONLY"}}


def _sidecar(hosts, *, name="scope", **spec: Any) -> Any:
    return istio("Sidecar", name, "shop", {"egress": [{"hosts": hosts}], **spec})


def _rule(**spec: Any) -> Any:
    return istio("DestinationRule", "rule", "back", {"host": HOST, **spec})


def _routes(http, **spec: Any) -> Any:
    return istio("VirtualService", "routes", "back", {"hosts": [HOST], "http": http, **spec})


def _to(host=HOST, **destination: Any) -> Any:
    return {"route": [{"destination": {"host": host, **destination}}]}


def test_a_scope_that_leaves_the_callee_out_refuses_it():
    closed = world(_sidecar(["~/*"], outboundTrafficPolicy={"mode": "REGISTRY_ONLY"}))
    answer = ask(closed)
    assert (answer.outcome.value, answer.seen) == ("denied", Seen.RESET)
    assert answer.decided_by.hop is reachability.Hop.SOURCE_SIDECAR
    assert answer.decided_by.object.name == "scope"
    named = world(_sidecar([f"back/{HOST}"], outboundTrafficPolicy={"mode": "REGISTRY_ONLY"}))
    assert outcome(named) == "allowed"
    assert outcome(world(_sidecar(["*/*"]))) == "allowed"
    assert outcome(world(_sidecar(["./*"]), mesh_config=REGISTRY_ONLY)) == "denied"


def test_an_empty_outbound_policy_is_registry_only():
    assert outcome(world(_sidecar(["~/*"], outboundTrafficPolicy={}))) == "denied"


def test_out_of_scope_under_allow_any_is_plaintext():
    found = world(_sidecar(["~/*"]))
    answer = ask(found)
    assert (answer.outcome.value, answer.transport.value) == ("allowed", "plaintext")
    assert outcome(world(_sidecar(["~/*"]), mtls("STRICT"))) == "denied"


def test_a_selector_beats_the_namespace():
    own = {"workloadSelector": {"labels": {"app": "good"}}, "outboundTrafficPolicy": {"mode": "REGISTRY_ONLY"}}
    found = world(_sidecar(["~/*"], name="good", **own), _sidecar(["*/*"]))
    assert outcome(found, "good") == "denied"
    assert outcome(found, "bad") == "allowed"


def test_a_pod_without_a_proxy_goes_past_every_scope():
    assert outcome(world(_sidecar(["~/*"]), mesh_config=REGISTRY_ONLY), "bare") == "allowed"


@pytest.mark.parametrize(
    ("mode", "peer", "outcome_", "seen"),
    [
        ("DISABLE", "STRICT", "denied", Seen.UNAVAILABLE_503),
        ("DISABLE", "PERMISSIVE", "allowed", Seen.ANSWER),
        ("ISTIO_MUTUAL", "DISABLE", "denied", Seen.UNAVAILABLE_503),
        ("ISTIO_MUTUAL", "STRICT", "allowed", Seen.ANSWER),
        ("SIMPLE", "STRICT", "denied", Seen.UNAVAILABLE_503),
    ],
)
def test_client_tls_against_the_mode_of_the_workload(mode, peer, outcome_, seen):
    answer = ask(world(_rule(trafficPolicy={"tls": {"mode": mode}}), mtls(peer)))
    assert (answer.outcome.value, answer.seen) == (outcome_, seen)


def test_settings_of_a_port_replace_those_above():
    ports = [{"port": {"number": 80}, "tls": {"mode": "DISABLE"}}]
    found = world(_rule(trafficPolicy={"tls": {"mode": "ISTIO_MUTUAL"}, "portLevelSettings": ports}))
    assert ask(found, port=80).transport.value == "plaintext"
    assert ask(found, port=5432).transport.value == "mTLS"


@pytest.mark.parametrize(
    ("mode", "peer", "transport"), [("DISABLE", "PERMISSIVE", "plaintext"), ("ISTIO_MUTUAL", "PERMISSIVE", "mTLS")]
)
def test_a_port_without_tls_of_its_own_is_automatic_but_for_how_endpoints_are_marked(mode, peer, transport):
    ports = [{"port": {"number": 80}, "connectionPool": {"tcp": {"maxConnections": 9}}}]
    found = world(_rule(trafficPolicy={"tls": {"mode": mode}, "portLevelSettings": ports}), mtls(peer))
    assert ask(found, port=80).transport.value == transport


def test_a_rule_that_is_not_exported_does_not_count():
    hidden = _rule(trafficPolicy={"tls": {"mode": "DISABLE"}}, exportTo=["."])
    assert ask(world(hidden)).transport.value == "mTLS"


def test_routes_by_path_method_and_header():
    routes = _routes(
        [
            {"match": [{"uri": {"prefix": "/a"}, "method": {"exact": "GET"}}], **_to()},
            {"match": [{"headers": {"x-key": {"exact": "1"}}}], **_to()},
        ]
    )
    found = world(routes)
    assert outcome(found, path="/abc") == "allowed"
    answer = ask(found, path="/abc", method="POST")
    assert (answer.outcome.value, answer.seen) == ("denied", Seen.NOT_FOUND_404)
    assert outcome(found, path="/b", headers=(("x-key", "1"),)) == "allowed"


def test_redirects_direct_answers_and_missing_subsets():
    assert ask(world(_routes([{"redirect": {"uri": "/x"}}]))).seen is Seen.REDIRECT_301
    assert ask(world(_routes([{"directResponse": {"status": 503}}]))).seen is Seen.UNAVAILABLE_503
    assert ask(world(_routes([_to(subset="none")]))).seen is Seen.UNAVAILABLE_503
    assert outcome(world(_routes([{**_to(), "fault": {"abort": {"httpStatus": 500}}}]))) == "unknown"


def test_a_route_that_leads_nowhere_is_unknown():
    assert outcome(world(_routes([{}]))) == "unknown"
    assert outcome(world(_routes([{"route": []}]))) == "unknown"


def test_a_path_that_is_none_is_refused_whatever_policies_say():
    assert outcome(world(), path="/caf\u00e9") == "denied"
    assert outcome(world(), path="/caf%C3%A9") == "allowed"


def test_weights_lead_to_every_destination_with_weight():
    both = {
        "route": [
            {"destination": {"host": HOST}, "weight": 90},
            {"destination": {"host": "nowhere.example.com"}, "weight": 10},
        ]
    }
    assert outcome(world(_routes([both]))) == "unknown"
    both["route"][1]["weight"] = 0
    assert outcome(world(_routes([both]))) == "allowed"


def test_route_for_other_clients_is_passed_over():
    routes = _routes(
        [{"match": [{"sourceLabels": {"app": "bad"}}], **_to()}, {"match": [{"uri": {"exact": "/x"}}], **_to()}]
    )
    assert outcome(world(routes), "bad") == "allowed"
    assert ask(world(routes), "good").seen is Seen.NOT_FOUND_404


def _answering(name, host, **match: Any) -> Any:
    route = {"directResponse": {"status": 404}, **({"match": [match]} if match else {})}
    return istio("VirtualService", name, "back", {"hosts": [host], "http": [route]})


def test_who_names_a_host_and_has_no_routes_makes_way():
    assert outcome(world(_answering("a", HOST, port=81), _answering("b", HOST))) == "denied"
    assert outcome(world(_answering("a", HOST, port=81))) == "allowed"


def test_of_those_that_cover_a_host_one_is_taken_whether_it_has_routes_or_not():
    wild = "*.back.svc.cluster.local"
    assert outcome(world(_answering("a", wild, port=81), _answering("b", wild))) == "unknown"
    assert outcome(world(_answering("a", wild), _answering("b", wild))) == "denied"
    assert outcome(world(_answering("a", wild, port=81), _answering("b", wild, port=81))) == "allowed"
    assert outcome(world(_answering("a", wild, port=81), _answering("b", "*.svc.cluster.local"))) == "allowed"


def test_without_any_route_for_a_client_the_service_is_as_without_routes():
    routes = _routes([{"match": [{"sourceLabels": {"app": "bad"}}], "redirect": {"uri": "/moved"}}])
    assert ask(world(routes), "bad").seen is Seen.REDIRECT_301
    assert ask(world(routes), "good").outcome.value == "allowed"


def _machine() -> Any:
    entry = {"address": "10.9.0.1", "labels": {"app": "callee"}, "serviceAccount": "vm", "ports": {"http": 8081}}
    return istio("WorkloadEntry", "vm", "back", entry)


def _nsg(access, priority, ports=("*",)) -> NsgRule:
    return NsgRule(
        name=f"r{priority}",
        priority=priority,
        direction=Direction.INBOUND,
        access=access,
        protocol=Protocol.TCP,
        remote=("10.1.0.0/16",),
        ports=ports,
    )


def test_a_machine_stands_behind_its_security_group():
    rules = (_nsg(Access.ALLOW, 100, ("8081",)), _nsg(Access.DENY, 200))
    spec = {"selector": {"matchLabels": {"app": "callee"}}, "mtls": {"mode": "STRICT"}}
    found = world(
        _machine(),
        istio("PeerAuthentication", "own", "back", spec),
        nsg={"vm": rules},
        pod_network="10.1.0.0/16",
    )
    machine = reachability.WorkloadAddress(namespace="back", name="vm")
    source = reachability.Workload(namespace="shop", name="bare")

    def asked(port) -> Any:
        return reachability.decide(found, reachability.Question(source=source, destination=machine, port=port))

    assert asked(22).decided_by.hop is reachability.Hop.DESTINATION_NSG
    assert asked(22).seen is Seen.TIMEOUT
    assert asked(8081).decided_by.object.name == "own"


def test_an_answer_that_depends_on_the_endpoint_is_unknown():
    found = world(_machine(), policy(None, selector={"app": "callee"}), policy([{}], name="open"))
    assert outcome(found) == "allowed"
    shut = istio("PeerAuthentication", "own", "back", {"selector": {"matchLabels": {"app": "callee"}}})
    assert outcome(world(_machine(), shut)) == "allowed"
    denied = policy([{"to": [{"operation": {"ports": ["8081"]}}]}], action="DENY")
    assert outcome(world(_machine(), denied)) == "unknown"


def test_names_that_nobody_has():
    with pytest.raises(reachability.UnknownNameError, match="shop/nobody"):
        ask(world(), "nobody")
    assert ask(world(), host="nothing.back.svc.cluster.local").seen is Seen.NO_NAME


def test_a_name_outside_is_open_or_closed_by_the_outbound_policy():
    assert outcome(world(), host="example.com", port=443, sni="example.com") == "allowed"
    closed = world(mesh_config=REGISTRY_ONLY)
    assert outcome(closed, host="example.com", port=443, sni="example.com") == "denied"
    entry = {
        "hosts": ["example.com"],
        "ports": [{"number": 443, "name": "tls", "protocol": "TLS"}],
        "resolution": "DNS",
    }
    known = world(istio("ServiceEntry", "out", "shop", entry), mesh_config=REGISTRY_ONLY)
    assert outcome(known, host="example.com", port=443, sni="example.com") == "allowed"
    assert outcome(known, host="other.com", port=443, sni="other.com") == "denied"


def test_exported_to_nobody():
    entry = {
        "hosts": ["example.com"],
        "exportTo": ["."],
        "ports": [{"number": 443, "name": "tls", "protocol": "TLS"}],
        "resolution": "DNS",
    }
    found = world(istio("ServiceEntry", "out", "back", entry), mesh_config=REGISTRY_ONLY)
    assert outcome(found, host="example.com", port=443, sni="example.com") == "denied"


LATER = {"laterField": 1}


@pytest.mark.parametrize(
    ("odd", "request_"),
    [
        (istio("AuthorizationPolicy", "policy", "back", {"rules": [{}], **LATER}), {}),
        (istio("AuthorizationPolicy", "policy", "back", LATER), {}),
        (istio("PeerAuthentication", "mode", "back", {"mtls": {"mode": "PERMISSIVE"}, **LATER}), {"source": "bare"}),
        (_routes([{"directResponse": {"status": 403}}], **LATER), {}),
        (_routes([], tcp=[], **LATER), {"port": 5432}),
    ],
    ids=["policy", "policy without rules", "mode", "routes", "connection routes"],
)
def test_a_field_that_nobody_reads_makes_unknown_what_it_touches(odd, request_):
    assert outcome(world(odd), **request_) == "unknown"
    known = {key: value for key, value in odd["spec"].items() if key not in LATER}
    assert outcome(world({**odd, "spec": known}), **request_) != "unknown"


def test_a_machine_with_a_field_that_nobody_reads_is_unknown():
    entry = {"address": "10.9.0.4", "labels": {"app": "callee"}, "serviceAccount": "callee"}
    plain = world(istio("WorkloadEntry", "machine", "back", entry))
    odd = world(istio("WorkloadEntry", "machine", "back", {**entry, **LATER}))
    assert (outcome(plain), outcome(odd)) == ("allowed", "unknown")


def test_a_service_that_nobody_resolves_leads_to_what_was_dialled():
    entry = {
        "hosts": ["far.example"],
        "addresses": ["10.99.0.4"],
        "resolution": "NONE",
        "ports": [{"number": 80, "name": "http", "protocol": "HTTP"}],
    }
    way_out = {"to": [{"ipBlock": {"cidr": "10.99.0.0/16"}}]}
    network = {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "NetworkPolicy",
        "metadata": {"name": "out", "namespace": "shop"},
        "spec": {"podSelector": {}, "policyTypes": ["Egress"], "egress": [way_out]},
    }
    found = world(istio("ServiceEntry", "far", "back", entry), network)
    assert outcome(found, host="far.example") == "allowed"
    elsewhere = world(istio("ServiceEntry", "far", "back", {**entry, "addresses": ["10.98.0.4"]}), network)
    assert outcome(elsewhere, host="far.example") == "denied"


def test_what_is_no_http_shares_no_way_with_http():
    found = world(policy([{"to": [{"operation": {"methods": ["GET"]}}]}]))
    callers = Callers([deciding.caller_at(found, found.index_of["shop", "good"])])
    host = reachability.Host(name=HOST)
    source = reachability.Workload(namespace="shop", name="good")
    bytes_, get = (
        reachability.Question(source=source, destination=host, port=80, application=application)
        for application in (reachability.Application.TCP, reachability.Application.HTTP)
    )
    dialled = deciding.dial(found, get, namespace="shop")
    requests = [deciding.request_of(item, dialled) for item in (bytes_, get)]
    splits = Outbound(found, callers).send_each(dialled, requests, 1)
    assert [answer.outcome.value for ((_, answer),) in splits] == ["denied", "allowed"]
