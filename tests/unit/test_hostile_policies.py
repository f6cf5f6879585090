"""Cases P, about what is emitted: forms of policies that read as one thing and do another are never written."""

import dataclasses
from typing import Any

import hostile
import pytest

from policies.bundles import surroundings
from slipway import reachability
from slipway.manifests import manifest

MESH = """mesh: shop
services:
  front:
    namespace: shop
    ports: {http: 8080}
    calls:
      - {service: back, port: http, http: ["GET /a/*", "POST /b", "GET /c/{*}/d"], headers: {x-tenant: [gold]}}
      - {service: back, port: tcp}
      - {service: base}
      - {external: pay}
  back: {namespace: shop, ports: {http: {port: 8080, service: 80}, tcp: 9000}}
  base: {namespace: data, runsOn: [vm], ports: {postgres: 5432}}
  old: {sidecar: none, from: 10.99.0.0/24, until: 2999-12-31, calls: [{service: base}]}
external: {pay: {host: pay.example.com}, plain: {host: plain.example.com, protocol: http}}
ingress:
  shop:
    host: shop.example.com
    routes: {/: front, /x: front}
    endUser: {issuer: "https://login.example.com/a/b", audiences: [shop], jwksUri: "https://login.example.com/keys"}
"""
MACHINE = f"{hostile.ENVIRONMENT}machines: {{vm: {{address: 10.60.2.11}}}}\n"
OBSERVED = MACHINE.replace("enforced", "observed").replace("locked", "observed")


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture(scope="module")
def made():
    return hostile.objects(MESH, MACHINE)


@pytest.fixture(scope="module")
def policies(made):
    return hostile.of(made, "AuthorizationPolicy")


def _named(items, namespace, name) -> dict[str, Any]:
    wanted = {"namespace": namespace, "name": name}
    (found,) = [item for item in items if wanted.items() <= item["metadata"].items()]
    return found["spec"]


def _keys(items) -> set[str]:
    return {part for path, _ in hostile.walk(items) for part in path.replace("[]", "").split(".")}


def _calls(mesh_part: str) -> str:
    ports = "ports: {http: 8080, tcp: 9000}"
    return f"mesh: m\nservices:\n  a: {{namespace: x, calls: [{mesh_part}]}}\n  b: {{namespace: x, {ports}}}\n"


@pytest.mark.parametrize("clause", ['http: ["GET /a"]', "headers: {x-tenant: [a]}", "grpc: [a.B/C]"])
def test_p1_requests_on_a_tcp_port_are_refused(folder, clause):
    hostile.check(folder, _calls(f"{{service: b, port: tcp, {clause}}}")).refuses("MESH0315", "`tcp`")


def test_p1_and_p2_a_tcp_port_stands_in_a_rule_without_anything_of_http(policies):
    rules = _named(policies, "shop", "back.pods")["rules"]
    by_ports = [{port for to in rule["to"] for port in to["operation"]["ports"]} for rule in rules]
    assert by_ports == [{"8080"}, {"9000"}]
    assert rules[1]["to"] == [{"operation": {"ports": ["9000"]}}]
    assert "when" not in rules[1]


def test_p4_and_p11_nothing_is_refused_by_a_rule_that_does_not_match(policies):
    assert {item["spec"].get("action", "ALLOW") for item in policies} == {"ALLOW"}


def test_p5_and_p7_an_allow_that_selects_nothing_leaves_its_workload_closed():
    assert _front_to_back("back") is reachability.Outcome.ALLOWED
    assert _front_to_back("bakc") is reachability.Outcome.DENIED


def _front_to_back(selected: str) -> reachability.Outcome:
    """Return the answer to a declared call while the callee's ALLOW selects pods with this label ``app``."""
    mesh = hostile.load(MESH, MACHINE)
    bundle = hostile.compiler.compile_bundle(mesh)
    manifests = [_selecting(item, selected) if item.name == "back.pods" else item for item in bundle.manifests]
    world = reachability.read_applied(manifests, surroundings.emit_surroundings(mesh, bundle))
    question = reachability.Question(
        source=reachability.Workload(namespace="shop", name="front"),
        destination=reachability.Host(name="back.shop.svc.cluster.local"),
        port=9000,
    )
    return reachability.decide(world, question).outcome


def _selecting(policy: manifest.Manifest, app: str) -> manifest.Manifest:
    if policy.kind != "AuthorizationPolicy":
        return policy
    spec = {**policy.body["spec"], "selector": {"matchLabels": {"app": app}}}
    return dataclasses.replace(policy, body={"spec": spec})


def test_p8_nothing_in_the_root_namespace_reaches_further_than_our_gateway(made):
    for item in made:
        if item["metadata"].get("namespace") == "istio-system":
            assert item["kind"] in {"AuthorizationPolicy", "Gateway", "VirtualService"}
            if item["kind"] == "AuthorizationPolicy":
                assert item["spec"]["selector"]["matchLabels"]["slipway.dev/gateway"] == "istio-eastwestgateway"


def test_p10_and_p16_sources_are_exact_principals_or_declared_networks(policies):
    sources = [(path, value) for path, value in hostile.walk(policies) if ".source." in path]
    assert {path.rpartition(".source.")[2] for path, _ in sources} == {"principals[]", "ipBlocks[]"}
    assert [value for path, value in sources if "ipBlocks" in path] == ["10.99.0.0/24"]


def test_p13_and_p14_and_p43_principals_have_no_scheme_and_no_pattern(policies):
    found = [value for path, value in hostile.walk(policies) if path.endswith("principals[]")]
    assert found
    assert all(value.startswith("cluster.local/ns/") and "*" not in value for value in found)


@pytest.mark.parametrize("path", ["/a*b", "*foo*", "/a/*/b", "*/a"])
def test_p14_a_star_in_the_middle_would_be_a_literal_one(folder, path):
    hostile.check(folder, _calls(f'{{service: b, port: http, http: ["GET {path}"]}}')).refuses("MESH0314")


def test_p17_principals_follow_the_trust_domain():
    policies = hostile.of(hostile.objects(MESH, f"{MACHINE}trustDomain: corp.example\n"), "AuthorizationPolicy")
    found = [value for path, value in hostile.walk(policies) if path.endswith("principals[]")]
    assert {value.partition("/")[0] for value in found} == {"corp.example"}


@pytest.mark.parametrize(
    "path",
    ["//admin", "/x/../admin", "/./admin", "/%2Fapp", "/app%5cadmin", "/app#foo", "/app?x=1", "/a\\\\b", "/a//b/*"],
)
def test_p19_to_p23_paths_that_envoy_would_never_hand_over_are_refused(folder, path):
    hostile.check(folder, _calls(f'{{service: b, port: http, http: ["GET {path}"]}}')).refuses("MESH0314")


def test_p19_paths_are_only_ever_allowed(policies):
    assert not {"notPaths", "notMethods", "notHosts", "notPorts", "notValues"} & _keys(policies)


def test_p25_and_p26_hosts_are_matched_with_any_port_and_decide_only_what_is_allowed(policies):
    for item in policies:
        for rule in item["spec"].get("rules", []):
            for to in rule.get("to", []):
                hosts = to["operation"].get("hosts", [])
                plain = {host.removesuffix(":*") for host in hosts}
                assert set(hosts) == plain | {f"{host}:*" for host in plain}


@pytest.mark.parametrize("name", ["Authorization", "cookie", "host", "X-Forwarded-For", "x tenant", ""])
def test_p28_headers_that_others_write_decide_nothing(folder, name):
    mesh = _calls(f'{{service: b, port: http, headers: {{"{name}": [a]}}}}')
    hostile.check(folder, mesh).refuses("MESH0326")


@pytest.mark.parametrize("path", ["/a/*/{*}", "/{**}/a", "/a/{*}b", "/a/{x}", "/a/{*}/../b"])
def test_p29_templates_that_istio_would_refuse(folder, path):
    hostile.check(folder, _calls(f'{{service: b, port: http, http: ["GET {path}"]}}')).refuses("MESH0314")


def test_p31_an_issuer_with_slashes_is_matched_by_its_claim(policies):
    assert "requestPrincipals" not in _keys(policies)
    when = [item for path, item in hostile.walk(policies) if path.endswith("when[].key")]
    assert "request.auth.claims[iss]" in when


@pytest.mark.parametrize(
    "uri",
    [
        *("http://login.example.com/keys", "https://169.254.169.254/keys", "https://localhost/keys"),
        *("https://metadata.google.internal/keys", "https://istiod.istio-system.svc/keys", "https://x.local/keys"),
        *("https://user:secret@login.example.com/keys", "https://[::1]/keys", "https://127.0.0.1/keys"),
    ],
)
def test_p32_keys_are_not_fetched_from_inside(folder, uri):
    said = hostile.check(folder, MESH.replace("https://login.example.com/keys", uri), MACHINE)
    assert said.code == 2, said.text
    assert "endUser.jwksUri" in said.text


def test_p34_tokens_are_asked_for_at_the_way_in_only(made):
    assert {item["metadata"]["namespace"] for item in hostile.of(made, "RequestAuthentication")} == {"istio-ingress"}


def test_p35_no_decision_is_handed_to_others(made):
    assert "CUSTOM" not in {value for _, value in hostile.walk(made)}


def test_p37_rules_are_rehearsed_as_a_whole_set():
    made = hostile.of(hostile.objects(MESH, OBSERVED), "AuthorizationPolicy")
    rehearsed = {item["metadata"]["name"]: "istio.io/dry-run" in item["metadata"]["annotations"] for item in made}
    assert rehearsed == {**dict.fromkeys(rehearsed, True), "istio-eastwestgateway": False}


def test_p38_a_rehearsal_is_spelt_as_istio_reads_it():
    made = hostile.objects(MESH, OBSERVED)
    found = [item["metadata"]["annotations"].get("istio.io/dry-run", "true") for item in made]
    assert set(found) == {"true"}


def test_p40_policies_select_by_labels_only(policies):
    assert not {"targetRef", "targetRefs"} & _keys(policies)


def test_p41_ports_are_those_of_the_workload(made, policies):
    (rule,) = [rule for rule in _named(policies, "shop", "back.pods")["rules"] if "when" in rule]
    assert {port for to in rule["to"] for port in to["operation"]["ports"]} == {"8080"}
    (mode,) = [i["spec"] for i in hostile.of(made, "PeerAuthentication") if "portLevelMtls" in i["spec"]]
    assert mode == {
        "selector": {"matchLabels": {"slipway.dev/machine": "vm"}},
        "mtls": {"mode": "STRICT"},
        "portLevelMtls": {"5432": {"mode": "PERMISSIVE"}},
    }
    assert "DISABLE" not in {value for _, value in hostile.walk(made)}


def test_p44_no_filter_of_envoy_is_written_or_declared(folder, made):
    assert not {"EnvoyFilter", "WasmPlugin"} & {item["kind"] for item in made}
    hostile.check(folder, f"{MESH}envoyFilter: {{}}\n", MACHINE).refuses("MESH0201", "`envoyFilter`")
