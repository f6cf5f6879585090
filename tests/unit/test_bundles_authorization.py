"""The compiled policies, read by a small evaluator of Istio's rules, decide as the declaration says."""

import dataclasses
import itertools
from collections.abc import Iterator
from typing import Any

from bundle_example import call, example, http_port, service, with_phases
from bundle_meshes import METHODS, PATHS, meshes
from hypothesis import given, settings
from hypothesis import strategies as st

from policies.bundles import compiler
from slipway.manifests.manifest import Manifest
from slipway.mesh import model

REQUESTS = tuple(itertools.product(("GET", "POST", "DELETE"), ("/a", "/a/x", "/b", "/api", "/api/x", "/apis", "/")))
INGRESS = "cluster.local/ns/istio-ingress/sa/istio-ingressgateway"
HTTP_FIELDS = {"methods", "paths", "hosts", "notMethods", "notPaths", "notHosts"}


def _matches(pattern, text) -> bool:
    if pattern == "*":
        return text != ""
    return text.startswith(pattern[:-1]) if pattern.endswith("*") else text == pattern


def _rule_allows(rule, principal, port, request) -> bool:
    """One rule as Envoy reads it; a rule with fields of HTTP is dropped where there is no HTTP."""
    sources = [item["source"]["principals"] for item in rule.get("from", ())]
    if sources and not any(principal in item for item in sources):
        return False
    operations = [item["operation"] for item in rule.get("to", ())]
    for operation in operations:
        if request is None and HTTP_FIELDS & set(operation):
            continue
        method, path = request or ("", "")
        if (
            str(port) in operation["ports"]
            and ("methods" not in operation or any(_matches(item, method) for item in operation["methods"]))
            and ("paths" not in operation or any(_matches(item, path) for item in operation["paths"]))
        ):
            return True
    return not operations


def _decide(policies, labels, principal, port, request) -> bool:
    mine = [
        item.body["spec"]
        for item in policies
        if "istio.io/dry-run" not in item.annotations
        and item.body["spec"].get("selector", {"matchLabels": {}})["matchLabels"].items() <= labels.items()
    ]
    return not mine or any(
        _rule_allows(rule, principal, port, request) for spec in mine for rule in spec.get("rules", ())
    )


def _labels(found) -> Iterator[dict[str, str]]:
    """The labels of everything that runs a service."""
    if found.workload is not None:
        yield dict(found.workload.labels)
    for name in found.machines:
        yield {"app": found.name, "slipway.dev/machine": name}


def _declared(caller, callee, port, request) -> bool:
    """The declaration, read directly."""
    for item in caller.service_calls:
        if (item.service, item.port) == (callee.name, port.name):
            if request is None or not item.http:
                return True
            if any(match.method in {"*", request[0]} and _matches(match.path, request[1]) for match in item.http):
                return True
    return False


def _routed(mesh, callee, port, request) -> bool:
    return any(
        route.prefix == "/" or request[1] == route.prefix or request[1].startswith(f"{route.prefix}/")
        for host in mesh.ingress
        for route in host.routes
        if (route.service, route.port) == (callee.name, port.name)
    )


def _policies(compiled, namespace) -> list[Manifest]:
    return [item for item in compiled.of("AuthorizationPolicy") if item.namespace == namespace]


def _permitted(mesh) -> set[Any]:
    """Every (identity, namespace, labels, port, request) that the compiled policies allow."""
    compiled = compiler.compile_bundle(mesh)
    found = set()
    identities = sorted({item for s in mesh.services for item in mesh.principals(s.name)} | {INGRESS, ""})
    for callee in mesh.services:
        policies = _policies(compiled, callee.namespace)
        for labels, port in itertools.product(list(_labels(callee)), callee.ports):
            requests = REQUESTS if port.protocol.is_http else (None,)
            for identity, request in itertools.product(identities, requests):
                if _decide(policies, labels, identity, port.number, request):
                    found.add((identity, callee.name, tuple(sorted(labels.items())), port.name, request))
    return found


@settings(max_examples=30)
@given(mesh=meshes(enforced=True))
def test_enforced_policies_decide_as_the_declaration_says(mesh):
    permitted = _permitted(mesh)
    for callee in mesh.services:
        for labels, port in itertools.product(_labels(callee), callee.ports):
            for request in REQUESTS if port.protocol.is_http else (None,):
                key = (callee.name, tuple(sorted(labels.items())), port.name, request)
                for caller in mesh.services:
                    expected = _declared(caller, callee, port, request)
                    assert all(((item, *key) in permitted) == expected for item in mesh.principals(caller.name))
                assert ("", *key) not in permitted
                routed = port.protocol.is_http and _routed(mesh, callee, port, request)
                assert ((INGRESS, *key) in permitted) == routed


@settings(max_examples=30)
@given(mesh=meshes(enforced=True), data=st.data())
def test_removing_a_call_never_permits_more(mesh, data):
    calling = [item for item in mesh.services if item.service_calls]
    if not calling:
        return
    caller = data.draw(st.sampled_from(calling))
    removed = data.draw(st.sampled_from(caller.service_calls))
    fewer = dataclasses.replace(caller, service_calls=tuple(c for c in caller.service_calls if c is not removed))
    services = tuple(fewer if item is caller else item for item in mesh.services)
    assert _permitted(dataclasses.replace(mesh, services=services)) < _permitted(mesh)


@settings(max_examples=30)
@given(mesh=meshes())
def test_a_service_that_is_not_enforced_refuses_nothing(mesh):
    compiled = compiler.compile_bundle(mesh)
    for callee in mesh.services:
        mode = mesh.phases.authorization_of(namespace=callee.namespace, service=callee.name)
        if mode is model.AuthorizationMode.ENFORCED:
            continue
        policies = _policies(compiled, callee.namespace)
        assert all(_decide(policies, labels, "", 1, None) for labels in _labels(callee))


@settings(max_examples=30)
@given(mesh=meshes())
def test_rules_for_ports_without_http_hold_nothing_of_http(mesh):
    compiled = compiler.compile_bundle(mesh)
    for found in mesh.services:
        tcp = {str(port.number) for port in found.ports if not port.protocol.is_http}
        for item in _policies(compiled, found.namespace):
            if not item.name.startswith(f"{found.name}."):
                continue
            for rule in item.body["spec"].get("rules", ()):
                for to in rule.get("to", ()):
                    assert not (tcp & set(to["operation"]["ports"]) and HTTP_FIELDS & set(to["operation"]))


@settings(max_examples=30)
@given(mesh=meshes(enforced=True))
def test_every_workload_has_exactly_one_allow_and_every_namespace_a_deny_all(mesh):
    compiled = compiler.compile_bundle(mesh)
    for namespace in mesh.namespaces:
        policies = _policies(compiled, namespace)
        assert sum(item.body["spec"] == {} for item in policies) == 1
        for found in (item for item in mesh.services if item.namespace == namespace):
            for labels in _labels(found):
                selected = [
                    item
                    for item in policies
                    if "selector" in item.body["spec"]
                    and item.body["spec"]["selector"]["matchLabels"].items() <= labels.items()
                ]
                assert len(selected) == 1


def test_callers_with_the_same_rights_share_a_rule():
    callers = [
        service(f"c{n}", "shop", ports=[http_port(8080)], calls=[call("api", "http", ("GET", "/a"))]) for n in "ab"
    ]
    mesh = example(
        services=(service("api", "shop", ports=[http_port(8080)]), *callers), ingress=(), machines=(), externals=()
    )
    (policy,) = (item for item in compiler.compile_bundle(mesh).of("AuthorizationPolicy") if item.name == "api.pods")
    (rule,) = policy.body["spec"]["rules"]
    assert rule["from"] == [
        {"source": {"principals": ["cluster.local/ns/shop/sa/ca", "cluster.local/ns/shop/sa/cb"]}}
    ]


def test_observed_is_the_whole_set_rehearsed():
    compiled = compiler.compile_bundle(with_phases(authorization=model.AuthorizationMode.OBSERVED))
    enforced = compiler.compile_bundle(example())
    names = {item.key for item in compiled.of("AuthorizationPolicy")}
    assert names == {item.key for item in enforced.of("AuthorizationPolicy")}
    rehearsed = {
        item.namespace for item in compiled.of("AuthorizationPolicy") if "istio.io/dry-run" in item.annotations
    }
    assert rehearsed == {"back-office", "data", "shop", "istio-ingress"}


def test_off_leaves_only_what_belongs_to_the_way_out_and_to_the_control_plane():
    compiled = compiler.compile_bundle(with_phases(authorization=model.AuthorizationMode.OFF))
    assert {item.namespace for item in compiled.of("AuthorizationPolicy")} == {"istio-egress", "istio-system"}


def test_the_generators_cover_what_the_evaluator_knows():
    assert set(METHODS) == {"*", "GET", "POST"}
    assert all(path == "*" or path.startswith("/") for path in PATHS)
