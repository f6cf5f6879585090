"""Traffic of one service: what is stated reaches every name of it, and nothing else does."""

from pathlib import Path

import pytest

from policies.bundles import bundle, compiler
from slipway.manifests import manifest
from slipway.mesh import durations, loader
from slipway.mesh.shape import Rejected

ENVIRONMENT = """
platform: lab
revision: "1-29-1"
machines: {back-vm: {address: 10.60.2.11}}
phase: {mtls: strict, egress: locked, authorization: AUTHORIZATION}
"""
MESH = """
mesh: shop
services:
  front: {namespace: shop, ports: {http: 8080}, calls: [{service: back, port: http}]}
  back:
    namespace: back
    runsOn: [back-vm, cluster]
    names: [back.corp.local]
    ports: {http: {port: 8080, service: 80}, tcp: 9000}
    STATED
"""


def _bundle(stated="timeout: 1s", *, authorization="enforced", more="") -> bundle.Bundle:
    mesh = loader.Source(file="mesh.yaml", text=MESH.replace("STATED", stated))
    environment = ENVIRONMENT.replace("AUTHORIZATION", authorization) + more
    source = loader.Source(file="lab.yaml", text=environment)
    return compiler.compile_bundle(loader.load([mesh], source, environment_name="lab"))


def _of(compiled, kind) -> dict[str, manifest.Manifest]:
    return {
        i.body["spec"].get("host") or i.body["spec"]["hosts"][0]: i
        for i in compiled.of(kind)
        if i.namespace == "back"
    }


def test_nothing_stated_nothing_emitted():
    compiled = _bundle("owner: team")
    assert _of(compiled, "DestinationRule") == {}
    assert _of(compiled, "VirtualService") == {}


def test_every_name_is_routed_by_the_port_that_its_callers_use():
    found = _of(_bundle(), "VirtualService")
    ports = {host: [r["match"][0]["port"] for r in item.body["spec"]["http"]] for host, item in found.items()}
    assert ports == {"back.back.svc.cluster.local": [80], "back.corp.local": [8080]}
    assert all("tcp" not in item.body["spec"] for item in found.values())


def test_visible_to_callers_only():
    found = _of(_bundle("balance: random"), "DestinationRule")
    assert {tuple(item.body["spec"]["exportTo"]) for item in found.values()} == {("back", "shop")}


def test_undeclared_ports_keep_working_until_calls_are_enforced():
    routes = [
        _of(_bundle(authorization=mode), "VirtualService")["back.corp.local"].body["spec"]["http"]
        for mode in ("observed", "enforced")
    ]
    assert [[("match" in route) for route in found] for found in routes] == [[True, False], [True]]


def test_weights_split_http_and_tcp_between_places_that_share_no_endpoint():
    compiled = _bundle("owner: team", more="weights: {back: {back-vm: 100, cluster: 0}}\n")
    rule = _of(compiled, "DestinationRule")["back.corp.local"].body["spec"]
    subsets = {item["name"]: item["labels"] for item in rule["subsets"]}
    machine = next(item.body["spec"]["labels"] for item in compiled.of("WorkloadEntry"))
    assert subsets["back-vm"].items() <= machine.items()
    assert not subsets["cluster"].items() <= machine.items()
    routes = _of(compiled, "VirtualService")["back.corp.local"].body["spec"]
    assert [[d["destination"]["subset"] for d in routes[kind][0]["route"]] for kind in ("http", "tcp")] == [
        ["back-vm"],
        ["back-vm"],
    ]


@pytest.mark.parametrize(
    ("written", "meant"),
    [("1ms", "0.001s"), ("500ms", "0.5s"), ("1.5s", "1.5s"), ("60m", "3600s"), ("24h", "86400s")],
)
def test_durations_have_one_spelling(written, meant):
    assert durations.parse(written) == meant
    assert durations.parse(meant) == meant


@pytest.mark.parametrize(
    "written", ["", "5", "0s", "-1s", "1d", "0.5ms", "25h", "1e3s", "1 s", "\N{ARABIC-INDIC DIGIT ONE}s"]
)
def test_other_durations_are_refused(written):
    with pytest.raises(Rejected):
        durations.parse(written)


def test_the_file_of_a_team_gives_namespace_and_owner():
    front = loader.Source(
        file="mesh/front.yaml", text="mesh: shop\nowner: web\nnamespace: shop\nservices: {front: {}}"
    )
    back = loader.Source(
        file="mesh/back.yaml",
        text="owner: data\nnamespace: back\nservices: {back: {owner: billing}, old: {namespace: other}}",
    )
    environment = loader.Source(file="lab.yaml", text=ENVIRONMENT.replace("AUTHORIZATION", "off").replace(
        "machines: {back-vm: {address: 10.60.2.11}}\n", ""))  # fmt: skip
    mesh = loader.load([front, back], environment, environment_name="lab")
    found = {item.name: (item.namespace, item.owner) for item in mesh.services}
    assert found == {"front": ("shop", "web"), "back": ("back", "billing"), "old": ("other", "data")}
    assert Path(mesh.service("front").span.file).name == "front.yaml"
