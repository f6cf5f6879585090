"""Cases E: ways out that would open more than was said, and names that somebody else owns."""

from typing import Any

import hostile
import pytest

from slipway import reachability
from slipway.manifests import guard
from slipway.manifests.nsg import Access, Direction
from slipway.mesh import model
from slipway.rollout import probes
from slipway.rollout.checks import check as checks
from slipway.rollout.checks import outside as outside_checks

MESH = """mesh: shop
services:
  front: {namespace: shop, ports: {http: 8080}, calls: [{external: pay}, {external: plain}, {external: frame}]}
  other: {namespace: back, ports: {http: 8080}}
  box: {namespace: data, runsOn: [vm], ports: {http: 8080}, calls: [{external: pay}]}
external:
  pay: {host: pay.example.com}
  plain: {host: plain.example.com, protocol: http, originateTls: true}
  frame: {host: frame.example.com, protocol: tcp, port: 9000, addresses: [203.0.113.7]}
  blobs: {host: "*.blobs.example.com", servedBy: blobs.example.com}
ingress: {shop: {host: shop.example.com, routes: {/: front}}}
"""
MACHINE = f"{hostile.ENVIRONMENT}machines: {{vm: {{address: 10.60.2.11}}}}\n"
ALL = MESH.replace("{external: frame}", "{external: frame}, {external: blobs}")


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture(scope="module")
def made():
    return hostile.objects(ALL, MACHINE)


def _external(entries: str) -> str:
    return f"{MESH.partition('external:')[0].split('  front')[0]}  a: {{namespace: shop}}\nexternal:\n{entries}"


def _egress(made, namespace) -> list[dict[str, Any]]:
    (policy,) = [i for i in hostile.of(made, "NetworkPolicy") if i["metadata"]["namespace"] == namespace]
    return policy["spec"]["egress"]


def _ask(source, host) -> reachability.Answer:
    question = reachability.Question(
        source=reachability.Workload(namespace=source[0], name=source[1]),
        destination=reachability.Host(name=host),
        port=443,
        sni=host,
    )
    return reachability.decide(hostile.world(ALL, MACHINE), question)


def test_e1_a_locked_way_out_is_closed_past_the_sidecar_too(made):
    for namespace in ("shop", "back"):
        assert all("cidr" not in str(peer) for rule in _egress(made, namespace) for peer in rule["to"])
    bundle = hostile.compiler.compile_bundle(hostile.load(ALL, MACHINE))
    assert bundle.guards["vm"].outbound is guard.Outbound.DECLARED
    out = [rule for rule in bundle.nsg["vm"] if rule.direction is Direction.OUTBOUND]
    assert (out[-1].access, out[-1].remote) == (Access.DENY, ("*",))
    assert all("0.0.0.0/0" not in rule.remote and "*" not in rule.remote for rule in out[:-1])


def test_e1_nothing_is_called_closed_before_it_is():
    made = hostile.objects(ALL, MACHINE.replace("locked", "observed"))
    assert hostile.of(made, "NetworkPolicy") == hostile.of(made, "Sidecar") == []


def test_e2_addresses_without_a_name_are_among_the_probes():
    mesh = hostile.load(ALL, MACHINE)
    outside = checks.Outside(
        addresses={item.host: f"203.0.113.{index + 1}" for index, item in enumerate(mesh.externals)},
        forbidden=probes.Address(host="forbidden.example.net", port=443),
        forbidden_address="203.0.113.99",
        other_port=8443,
        resolver="203.0.113.53",
        resolver_name="example.net",
    )
    for emit in (outside_checks.emit_outside, outside_checks.emit_bypass):
        bare = [item for item in emit(mesh, outside) if item.told.endswith("without a name")]
        assert "203.0.113.1" in {item.request.target.host for item in bare}
        assert {item.request.tls.sni for item in bare if item.request.target.port != 8443} == {""}


@pytest.mark.parametrize("keys", ["port: 9000", "addresses: [203.0.113.7]"])
def test_e4_tcp_without_port_and_addresses_would_open_everything(folder, keys):
    mesh = _external(f"  out: {{host: a.example.com, protocol: tcp, {keys}}}\n")
    hostile.check(folder, mesh).refuses("MESH0202", "only port and addresses tell hosts apart")


def test_e4_nothing_is_opened_by_port_alone(made):
    for entry in hostile.of(made, "ServiceEntry"):
        spec = entry["spec"]
        tcp = [port for port in spec["ports"] if port["protocol"] == "TCP"]
        assert not tcp or (spec.get("addresses") and spec["resolution"] == "STATIC")


@pytest.mark.parametrize("keys", ["", ", protocol: http, servedBy: b.example.com"])
def test_e5_a_wildcard_needs_one_host_that_answers_for_it(folder, keys):
    mesh = _external(f'  out: {{host: "*.a.example.com"{keys}}}\n')
    hostile.check(folder, mesh).refuses("MESH0330", "servedBy", "*.a.example.com")


def test_e5_an_allowed_sni_leads_to_that_host_only(made):
    (route,) = [i for i in hostile.of(made, "VirtualService") if "*.blobs.example.com" in i["spec"]["hosts"]]
    targets = {value for path, value in hostile.walk(route["spec"]) if path.endswith("destination.host")}
    assert targets == {"istio-egressgateway.istio-egress.svc.cluster.local", "blobs.example.com"}
    entries = {i["spec"]["hosts"][0]: i["spec"] for i in hostile.of(made, "ServiceEntry")}
    assert entries["blobs.example.com"]["resolution"] == "DNS"


@pytest.mark.parametrize(
    ("certificates", "servers"),
    [
        (("both", "both"), [["./a.example.com", "./b.example.com"]]),
        (("one", "two"), [["./a.example.com"], ["./b.example.com"]]),
    ],
)
def test_e7_hosts_share_a_server_as_they_share_a_certificate(certificates, servers):
    hosts = [
        f"{name}: {{host: {name}.example.com, certificate: {certificate}, routes: {{/: front}}}}"
        for name, certificate in zip("ab", certificates, strict=True)
    ]
    made = hostile.objects(f"{MESH.partition('ingress:')[0]}ingress: {{{', '.join(hosts)}}}\n", MACHINE)
    gateways = [item for item in hostile.of(made, "Gateway") if item["metadata"]["namespace"] == "istio-ingress"]
    found = [server for item in gateways for server in item["spec"]["servers"]]
    assert [server["hosts"] for server in found if "mode" in server["tls"]] == servers


def test_e7_one_certificate_with_different_demands_on_clients_is_refused(folder):
    second = "b: {host: b.example.com, certificate: both, tls: mutual, clientAuthority: ca, routes: {/: front}}"
    mesh = MESH.replace("routes: {/: front}}}", f"certificate: both, routes: {{/: front}}}}, {second}}}")
    hostile.check(folder, mesh, MACHINE).refuses("MESH0325", "have one certificate")


def test_e8_datagrams_go_to_dns_only(made):
    for policy in hostile.of(made, "NetworkPolicy"):
        for rule in policy["spec"]["egress"]:
            datagrams = {port["port"] for port in rule.get("ports", []) if port["protocol"] == "UDP"}
            assert datagrams <= {53}
    outbound = hostile.compiler.compile_bundle(hostile.load(ALL, MACHINE)).nsg["vm"]
    assert {rule.ports for rule in outbound if rule.protocol.value.lower() == "udp"} == {("53",)}


def test_e10_no_route_knows_more_names_than_its_registration(made):
    registered = {host for item in hostile.of(made, "ServiceEntry") for host in item["spec"]["hosts"]}
    for route in hostile.of(made, "VirtualService"):
        if route["metadata"]["namespace"] == "istio-egress":
            assert set(route["spec"]["hosts"]) <= registered


def test_e11_tcp_hosts_on_one_port_are_told_apart_by_addresses(folder):
    one = "  one: {host: one.example.com, protocol: tcp, port: 9000, addresses: [203.0.113.7, 203.0.113.8]}\n"
    two = "  two: {host: two.example.com, protocol: tcp, port: %s, addresses: [203.0.113.9, 203.0.113.%s]}\n"
    hostile.check(folder, _external(one + two % (9000, 7))).refuses("MESH0330", "203.0.113.7", "`one`", "`two`")
    assert hostile.check(folder, _external(one + two % (9001, 7))).code == 0
    assert hostile.check(folder, _external(one + two % (9000, 10))).code == 0


@pytest.mark.parametrize(
    "address", ["10.61.0.9", "10.60.2.11", "169.254.169.254", "168.63.129.16", "127.0.0.1", "0.0.0.1"]
)
def test_e11_an_outside_address_lies_outside(folder, address):
    mesh = MESH.replace("203.0.113.7", address)
    hostile.check(folder, mesh, MACHINE).refuses("MESH0330", address)


def test_e13_one_host_is_declared_once(folder):
    mesh = _external("  one: {host: a.example.com}\n  two: {host: a.example.com, protocol: http, port: 8080}\n")
    hostile.check(folder, mesh).refuses("MESH0219", "a.example.com")


def test_e14_the_gateway_never_resolves_a_host_to_itself(made):
    for entry in hostile.of(made, "ServiceEntry"):
        if entry["metadata"]["namespace"] == "istio-egress" and not entry["spec"]["hosts"][0].startswith("*."):
            assert entry["spec"]["resolution"] in {"DNS", "STATIC"}


@pytest.mark.parametrize(
    ("source", "host"), [(("shop", "front"), "pay.example.com"), (("data", "vm"), "pay.example.com")]
)
def test_e16_rules_of_the_way_out_are_found_from_every_callers_namespace(made, source, host):
    rules = [i for i in hostile.of(made, "DestinationRule") if i["metadata"]["namespace"] == "istio-egress"]
    assert all(set(item["spec"]["exportTo"]) <= {".", "istio-egress", "shop", "data"} for item in rules)
    answer = _ask(source, host)
    assert answer.outcome is reachability.Outcome.ALLOWED


def test_e16_who_did_not_declare_it_does_not_reach_it():
    assert _ask(("back", "other"), "pay.example.com").outcome is reachability.Outcome.DENIED


def test_e17_the_gateways_pods_are_limited_themselves(made):
    outside = [rule for rule in _egress(made, "istio-egress") if "ipBlock" in rule["to"][0]]
    assert {port["port"] for rule in outside for port in rule["ports"]} == {443, 9000}
    (block,) = [rule["to"][0]["ipBlock"] for rule in outside]
    assert {"10.60.1.0/24", "10.60.2.0/24", "10.61.0.0/16", "10.62.0.0/16", "169.254.0.0/16"} <= set(block["except"])


@pytest.mark.parametrize("host", ["orders.team-a.svc.cluster.local", "orders.team-a.svc", "x.cluster.local"])
def test_e19_names_of_the_cluster_are_not_outside(folder, host):
    hostile.check(folder, _external(f"  out: {{host: {host}}}\n")).refuses("MESH0309", "Kubernetes gives to Services")


def test_e19_a_name_has_one_owner(folder):
    mesh = MESH.replace("other: {", "other: {names: [pay.example.com], ")
    hostile.check(folder, mesh, MACHINE).refuses("MESH0219", "pay.example.com")


def test_e20_nothing_squats_a_name_that_a_service_may_get_later(folder):
    mesh = MESH.replace("other: {", "other: {names: [orders.shop.svc.cluster.local], ")
    hostile.check(folder, mesh, MACHINE).refuses("MESH0309", "orders.shop.svc.cluster.local")


def test_e22_only_its_own_namespace_attaches_to_a_gateway(made):
    hosts = {
        host for item in hostile.of(made, "Gateway") for server in item["spec"]["servers"] for host in server["hosts"]
    }
    assert all(host.startswith("./") and host != "./*" for host in hosts)


def test_e23_nothing_passes_through_by_itself(made):
    assert "AUTO_PASSTHROUGH" not in {value for _, value in hostile.walk(made)}


def test_e25_the_scope_holds_every_declared_call_and_nothing_else(made):
    scopes = {i["metadata"]["name"]: i["spec"]["egress"][0]["hosts"] for i in hostile.of(made, "Sidecar")}
    outside = ["frame.example.com", "istio-egressgateway.istio-egress.svc.cluster.local", "pay.example.com"]
    wanted = sorted(f"istio-egress/{host}" for host in ("*.blobs.example.com", "plain.example.com", *outside))
    assert scopes["front.pods"] == wanted
    assert scopes["box.vm"] == sorted(f"istio-egress/{host}" for host in outside[1:])
    assert scopes["other.pods"] == ["~/*"]


def test_e26_every_port_says_its_protocol_and_server_first_is_never_guessed(folder, made):
    for service in hostile.of(made, "Service"):
        assert all(port["appProtocol"] for port in service["spec"]["ports"])
    assert {item.app_protocol for item in (model.Protocol.MYSQL, model.Protocol.MONGO)} == {"tcp"}
    plain = "  old: {sidecar: none, from: 10.99.0.0/24, until: 2999-12-31, calls: [{service: store}]}\n"
    mesh = f"mesh: m\nservices:\n  store: {{namespace: data, ports: {{mysql: 3306}}}}\n{plain}"
    hostile.check(folder, mesh).refuses("MESH0228", "the server speaks first")


def test_e28_machines_and_gateways_reach_istiod_on_one_port_only(made):
    text = {value for path, value in hostile.walk(made) if path.endswith((".port", ".number", ".ports[]"))}
    assert not {15010, 8080, 15014, "15010", "15014"} & {value for value in text if value != 8080}
    for policy in hostile.of(made, "NetworkPolicy"):
        to_istiod = [rule for rule in policy["spec"]["egress"] if "istiod" in str(rule["to"])]
        assert [port["port"] for rule in to_istiod for port in rule["ports"]] == [15012]
