"""Traps of AuthorizationPolicy and PeerAuthentication: the cases P of the catalogue that need no Envoy to read."""

from typing import Any

import pytest
from reachability_example import ask, deployment, istio, mtls, outcome, policy, world

from slipway.reachability import Seen

GOOD = {"from": [{"source": {"principals": ["cluster.local/ns/shop/sa/good"]}}]}


def _to(**operation: Any) -> Any:
    return {"to": [{"operation": operation}]}


def test_no_policy_allows():
    answer = ask(world())
    assert answer.outcome.value == "allowed"
    assert answer.seen is Seen.ANSWER
    assert answer.transport.value == "mTLS"


def test_allow_by_principal():
    found = world(policy([GOOD]))
    assert outcome(found, "good") == "allowed"
    denied = ask(found, "bad")
    assert (denied.outcome.value, denied.seen) == ("denied", Seen.FORBIDDEN_403)
    assert ask(found, "bad", port=5432).seen is Seen.RESET


def test_plaintext_under_permissive_has_no_identity():
    found = world(policy([GOOD]))
    assert outcome(found, "bare") == "denied"
    assert outcome(world(policy([{"from": [{"source": {"notPrincipals": ["x"]}}]}])), "bare") == "allowed"
    not_bad = {"from": [{"source": {"principals": ["*"]}}]}
    assert outcome(world(policy([not_bad], action="DENY")), "bare") == "allowed"
    assert outcome(world(policy([not_bad], action="DENY")), "good") == "denied"


@pytest.mark.parametrize("field", [{"methods": ["GET"]}, {"paths": ["/"]}, {"hosts": ["*"]}])
def test_allow_with_http_fields_vanishes_on_tcp(field):
    found = world(policy([_to(**field)]))
    assert outcome(found, port=80) == "allowed"
    assert outcome(found, port=5432) == "denied"


def test_one_http_field_removes_the_whole_rule_on_tcp():
    rule = {"to": [{"operation": {"ports": ["5432"]}}, {"operation": {"paths": ["/x"]}}]}
    assert outcome(world(policy([rule])), port=5432) == "denied"
    split = [_to(ports=["5432"]), _to(paths=["/x"])]
    assert outcome(world(policy(split)), port=5432) == "allowed"


def test_deny_with_methods_denies_all_tcp():
    found = world(policy([_to(methods=["POST"])], action="DENY"))
    assert outcome(found, port=80, method="GET") == "allowed"
    assert outcome(found, port=80, method="POST") == "denied"
    assert outcome(found, port=5432) == "denied"


def test_order_deny_before_allow():
    found = world(policy([{}], name="open"), policy([GOOD], action="DENY", name="shut"))
    answer = ask(found, "good")
    assert answer.outcome.value == "denied"
    assert (answer.decided_by.object.name, answer.decided_by.rule) == ("shut", 0)
    assert outcome(found, "bad") == "allowed"


def test_empty_spec_denies_and_empty_rule_allows():
    assert outcome(world(policy(None))) == "denied"
    assert outcome(world(policy([{}]))) == "allowed"


def test_selector_that_matches_nothing_leaves_the_workload_open():
    assert outcome(world(policy(None, selector={"app": "calle"}))) == "allowed"


def test_root_namespace_is_the_whole_mesh():
    assert outcome(world(policy(None, namespace="istio-system"))) == "denied"
    assert outcome(world(policy(None, namespace="elsewhere"))) == "allowed"


def test_ports_are_those_of_the_workload():
    assert outcome(world(policy([_to(ports=["8080"])]))) == "allowed"
    assert outcome(world(policy([_to(ports=["80"])]))) == "denied"


@pytest.mark.parametrize(
    ("principal", "allowed"),
    [
        ("spiffe://cluster.local/ns/shop/sa/good", False),
        ("*", True),
        ("*/ns/shop/sa/good", True),
        ("cluster.local/ns/shop/*", True),
        ("cluster.local/*/sa/good", False),
        ("*good*", True),  # with a prefix before it, a suffix becomes a regular expression: goo, then any d
        ("td/ns/shop/sa/good", False),
    ],
)
def test_principals_as_istiod_compiles_them(principal, allowed):
    found = world(policy([{"from": [{"source": {"principals": [principal]}}]}]))
    assert outcome(found) == ("allowed" if allowed else "denied")


def test_trust_domain_and_aliases():
    rule = policy([{"from": [{"source": {"principals": ["old/ns/shop/sa/good"]}}]}])
    assert outcome(world(rule, mesh_config={"trustDomain": "new"})) == "denied"
    assert outcome(world(rule, mesh_config={"trustDomain": "new", "trustDomainAliases": ["old"]})) == "allowed"
    assert outcome(world(policy([GOOD]), mesh_config={"trustDomain": "new"})) == "allowed"


@pytest.mark.parametrize(
    ("source", "allowed"),
    [
        ({"namespaces": ["shop"]}, True),
        ({"namespaces": ["sho*"]}, True),
        ({"namespaces": ["sho"]}, False),
        ({"notNamespaces": ["shop"]}, False),
        ({"serviceAccounts": ["shop/good"]}, True),
        ({"serviceAccounts": ["good"]}, False),
        ({"serviceAccounts": ["shop/goo"]}, False),
    ],
)
def test_namespaces_and_service_accounts(source, allowed):
    found = world(policy([{"from": [{"source": source}]}]))
    assert outcome(found) == ("allowed" if allowed else "denied")


def test_dry_run_is_not_enforced():
    dry = {"istio.io/dry-run": "true"}
    assert outcome(world(policy(None, annotations=dry))) == "allowed"
    assert outcome(world(policy(None, annotations={"istio.io/dry-run": "yes"}))) == "denied"
    assert outcome(world(policy([{}], action="DENY", annotations=dry))) == "allowed"
    both = world(policy(None, name="enforced"), policy([{}], name="rehearsed", annotations=dry))
    assert outcome(both) == "denied"


@pytest.mark.parametrize(
    ("pattern", "path", "allowed"),
    [
        ("/admin", "/admin", True),
        ("/admin", "/admin?x=1", True),
        ("/admin", "/admin#f", True),
        ("/admin", "//admin", False),
        ("/admin", "/ADMIN", False),
        ("/admin", "/x/../admin", True),
        ("/a/*", "/a/", True),
        ("/a/*", "/a", False),
        ("*.js", "/x/y.js", True),
        ("/a/{*}/b", "/a/x/b", True),
        ("/a/{*}/b", "/a/x/y/b", False),
        ("/a/{**}", "/a/x/y/b", True),
    ],
)
def test_paths(pattern, path, allowed):
    found = world(policy([_to(paths=[pattern])]))
    assert outcome(found, path=path) == ("allowed" if allowed else "denied")


def test_normalization():
    merge = {"pathNormalization": {"normalization": "MERGE_SLASHES"}}
    decode = {"pathNormalization": {"normalization": "DECODE_AND_MERGE_SLASHES"}}
    rule = policy([_to(paths=["/app/admin"])])
    assert outcome(world(rule, mesh_config=merge), path="//app//admin") == "allowed"
    assert outcome(world(rule, mesh_config=merge), path="/app%2Fadmin") == "denied"
    assert outcome(world(rule, mesh_config=decode), path="/app%2Fadmin") == "allowed"


def test_hosts_with_a_port_are_another_host():
    rule = policy([_to(hosts=["secret.com"])])
    assert outcome(world(rule), host="callee.back.svc.cluster.local", path="/") == "denied"
    named = policy([_to(hosts=["callee.back.svc.cluster.local"])])
    assert outcome(world(named)) == "allowed"
    assert outcome(world(policy([_to(hosts=["CALLEE.*"])]))) == "allowed"


@pytest.mark.parametrize(
    ("condition", "outcome_"),
    [
        ({"key": "request.headers[x-key]", "values": ["a"]}, "denied"),
        ({"key": "request.headers[x-key]", "notValues": ["a"]}, "allowed"),
        ({"key": "request.headers[user-agent]", "values": ["a"]}, "unknown"),
        ({"key": "destination.port", "values": ["8080"]}, "allowed"),
        ({"key": "source.namespace", "values": ["shop"]}, "allowed"),
        ({"key": "source.ip", "values": ["10.0.0.0/8"]}, "unknown"),
        ({"key": "request.auth.claims[iss]", "values": ["x"]}, "denied"),
        ({"key": "nonsense", "values": ["x"]}, "denied"),
    ],
)
def test_conditions(condition, outcome_):
    assert outcome(world(policy([{"when": [condition]}]))) == outcome_


def test_custom_is_unknown_unless_something_else_denies():
    custom = policy([{}], action="CUSTOM", name="custom")
    assert outcome(world(custom)) == "unknown"
    assert outcome(world(custom, policy(None, name="none"))) == "denied"


def test_a_token_is_not_judged():
    rule = istio("RequestAuthentication", "jwt", "back", {"jwtRules": [{"issuer": "x"}]})
    assert outcome(world(rule)) == "allowed"
    assert outcome(world(rule), headers=(("authorization", "Bearer x"),)) == "unknown"
    wanted = policy([{"from": [{"source": {"requestPrincipals": ["*"]}}]}])
    assert outcome(world(rule, wanted)) == "denied"


def test_strict_refuses_plaintext_and_disable_takes_it():
    strict = ask(world(mtls("STRICT")), "bare")
    assert (strict.outcome.value, strict.seen, strict.decided_by.object.name) == ("denied", Seen.RESET, "mode")
    assert outcome(world(mtls("STRICT")), "good") == "allowed"
    disabled = ask(world(mtls("DISABLE")), "good")
    assert (disabled.outcome.value, disabled.transport.value) == ("allowed", "plaintext")
    assert outcome(world(mtls("DISABLE"), policy([GOOD])), "good") == "denied"


def test_ports_of_peer_authentication_are_those_of_the_workload():
    ports = {"selector": {"matchLabels": {"app": "callee"}}, "portLevelMtls": {8080: {"mode": "STRICT"}}}
    found = world(mtls("PERMISSIVE", **ports))
    assert outcome(found, "bare", port=80) == "denied"
    assert outcome(found, "bare", port=5432) == "allowed"
    wrong = {**ports, "portLevelMtls": {80: {"mode": "STRICT"}}}
    assert outcome(world(mtls("PERMISSIVE", **wrong)), "bare", port=80) == "allowed"


def test_namespace_disable_silences_clients_although_the_workload_is_strict():
    selected = {"selector": {"matchLabels": {"app": "callee"}}}
    found = world(mtls("DISABLE"), mtls("STRICT", name="own", **selected))
    answer = ask(found, "good")
    assert (answer.outcome.value, answer.seen) == ("denied", Seen.UNAVAILABLE_503)


def test_policies_of_unknown_age_leave_the_answer_open():
    found = world(mtls("STRICT", name="a"), mtls("DISABLE", name="b"))
    assert outcome(found, "bare") == "unknown"


def test_no_proxy_or_a_port_past_the_proxy_is_open():
    bare = world(policy(None), callee=deployment("callee", "back", inject=False))
    assert outcome(bare) == "allowed"
    excluded = {"traffic.sidecar.istio.io/excludeInboundPorts": "5432"}
    found = world(policy(None), callee=deployment("callee", "back", annotations=excluded))
    assert outcome(found, "bare", port=5432) == "allowed"
    assert outcome(found, "good", port=5432) == "denied"  # its proxy speaks mTLS to an application


def test_undeclared_protocol_is_unknown_where_it_matters():
    http = policy([_to(methods=["GET"])])
    assert outcome(world(), port=7000, method="GET") == "allowed"
    assert outcome(world(http), port=7000, method="GET") == "unknown"
    assert outcome(world(http), "bare", port=7000, method="GET") == "allowed"


def test_fields_that_are_not_modelled_are_never_passed_over():
    rule = {"from": [{"source": {"trustDomains": ["x"]}}]}
    assert outcome(world(policy([rule]))) == "unknown"
    filters = istio("EnvoyFilter", "patch", "back", {"workloadSelector": {"labels": {"app": "callee"}}})
    assert outcome(world({**filters, "apiVersion": "networking.istio.io/v1alpha3"})) == "unknown"
