"""A difference as it is told: by owner, in few lines, whole in JSON, safe in Markdown."""

import re
from typing import Any

import pytest

from policies.bundles import compiler, surroundings
from slipway import reachability
from slipway.manifests.manifest import Manifest
from slipway.manifests.surroundings import Surroundings
from slipway.mesh import loader
from slipway.reachability import report

MESH = """
mesh: shop
services:
  web: {namespace: shop, ports: {http: 8080}, calls: [{service: bills, http: ["%s"]}, {service: stock}]}
  batch: {namespace: shop, ports: {http: 8080}, calls: [{service: stock}]}
  bills: {namespace: back, owner: payments, ports: {http: 8080}, names: [bills.corp.local]}
  stock: {namespace: back, ports: {http: 8080}}
"""
ENVIRONMENT = "platform: lab\nrevision: '1-29-1'\nphase: {mtls: strict, egress: locked, authorization: enforced}\n"


def _around(text) -> Any:
    source = loader.Source(file="mesh.yaml", text=text)
    environment = loader.Source(file="lab.yaml", text=ENVIRONMENT)
    mesh = loader.load([source], environment, environment_name="lab")
    bundle = compiler.compile_bundle(mesh)
    around = surroundings.emit_surroundings(mesh, bundle)
    return reachability.read_applied(bundle.manifests, around), around.owners


@pytest.fixture(scope="module")
def changed() -> Any:
    before, _ = _around(MESH % "POST /old")
    after, owners = _around(MESH % "POST /new")
    return reachability.diff(before, after), owners


@pytest.fixture(scope="module")
def everything() -> Any:
    after, owners = _around(MESH % "POST /new")
    return reachability.diff(reachability.read_applied([], Surroundings()), after), owners


def test_both_names_of_a_service_are_one_call_with_its_reason(changed):
    lines = report.text(*changed).splitlines()
    assert lines[:2] == ["calls gained: 1, lost: 1, changed in kind: 0", "services of payments:"]
    called = "bills.back.svc.cluster.local:8080, bills.corp.local:8080"
    assert lines[2] == f"  gained: shop/web -> {called} POST /new"
    assert "denied (403) at destination sidecar: no rule" in lines[3]
    assert "rule 0 of AuthorizationPolicy back/bills.pods allows it [mesh.yaml services.bills]" in lines[4]
    assert lines[5] == f"  lost: shop/web -> {called} POST /old"
    assert len(lines) == 8


def test_without_an_owner_the_namespace_stands_there(everything):
    titles = [line for line in report.text(*everything).splitlines()[1:] if not line.startswith(" ")]
    assert titles == ["services in back:", "services of payments:"]


def test_a_new_stack_gains_everything_without_a_before(everything):
    told = report.text(*everything)
    assert told.splitlines()[0] == "calls gained: 3, lost: 0, changed in kind: 0"
    assert "before:" not in told
    assert "shop/batch, shop/web -> stock.back.svc.cluster.local:8080 *" in told


def test_many_lines_become_counts(everything):
    by_service = report.text(*everything, most_lines=5).splitlines()
    assert "  gained 2 calls to 1 service: shop/batch, shop/web -> stock.back.svc.cluster.local:8080" in by_service
    by_owner = report.text(*everything, most_lines=1).splitlines()
    assert by_owner[1:] == [
        *("services in back:", "  gained 2 calls to 1 service", "services of payments:"),
        "  gained 1 call to 1 service",
    ]


def test_long_lists_of_callers_are_cut():
    callers = "".join(
        f"  c{number}: {{namespace: shop, ports: {{http: 8080}}, calls: [{{service: stock}}]}}\n"
        for number in range(20)
    )
    after, owners = _around(MESH % "POST /new" + callers)
    before, _ = _around(MESH % "POST /new")
    told = report.text(reachability.diff(before, after), owners)
    assert "calls gained: 20" in told
    assert "shop/c0, shop/c1, shop/c10, shop/c11, shop/c12, shop/c13 and 14 more -> stock" in told


def _pair(mode) -> Any:
    """Return a caller and a called workload in one injected namespace, with mutual TLS as asked."""
    labels = {"istio-injection": "enabled"}
    found = [Manifest(api_version="v1", kind="Namespace", name="x", labels=labels)]
    for name in ("a", "b"):
        template = {"metadata": {"labels": {"app": name}}, "spec": {"containers": []}}
        spec = {"spec": {"template": template}}
        found.append(Manifest(api_version="apps/v1", kind="Deployment", name=name, namespace="x", body=spec))
    service = {"spec": {"selector": {"app": "b"}, "ports": [{"name": "http", "port": 80}]}}
    found.append(Manifest(api_version="v1", kind="Service", name="b", namespace="x", body=service))
    policy = {"spec": {"mtls": {"mode": mode}}}
    version = "security.istio.io/v1"
    found.append(Manifest(api_version=version, kind="PeerAuthentication", name="d", namespace="x", body=policy))
    return reachability.read(found, mesh_config={})


def test_another_transport_is_a_change_in_kind():
    found = reachability.diff(_pair("PERMISSIVE"), _pair("DISABLE"))
    lines = report.text(found, {}).splitlines()
    assert lines[0] == "calls gained: 0, lost: 0, changed in kind: 2"
    assert lines[2] == "  changed: x/a, x/b -> b.x.svc.cluster.local:80 *"
    assert "allowed (mTLS)" in lines[3]
    assert "allowed (plaintext)" in lines[4]


def test_no_difference_is_one_line(changed):
    world, owners = _around(MESH % "POST /old")
    nothing = reachability.diff(world, world)
    assert report.text(nothing, owners) == "no call is gained, lost or changed\n"
    assert report.markdown(nothing, owners, title="x") == "### x\n\nno call is gained, lost or changed\n"
    assert report.to_plain(nothing, owners) == {"gained": [], "lost": [], "changed": []}
    unknown = reachability.whole(reachability.World())
    assert report.text(unknown, owners) == "no call is allowed afterwards\n"
    assert report.to_plain(unknown, owners) == {"allowed": []}


def test_json_has_every_name_by_itself(changed):
    told = report.to_plain(*changed)
    assert {(item["host"], item["request"], item["owner"]) for item in told["gained"]} == {
        ("bills.back.svc.cluster.local", "POST /new", "payments"),
        ("bills.corp.local", "POST /new", "payments"),
    }
    assert told["lost"][0]["before"]["decidedBy"]["object"]["name"] == "bills.pods"


def test_markdown_is_a_table_per_owner_that_no_name_breaks(changed):
    found, owners = changed
    told = report.markdown(found, {**owners, "bills.back.svc.cluster.local": "a|b <i>*x*"}, title="Access in lab")
    assert told.startswith("### Access in lab\n\ncalls gained: 1, lost: 1")
    assert "#### services of a\\|b &lt;i&gt;\\*x\\*" in told
    rows = [line for line in told.splitlines() if line.startswith("|")]
    assert {len(re.findall(r"(?<!\\)\|", row)) for row in rows} == {7}
    assert "bills.back.svc.cluster.local:8080" in told
    assert "#### services of payments" in told


def test_markdown_of_many_calls_counts_them(everything):
    told = report.markdown(*everything, title="x", most_rows=1)
    assert "- services in back: gained 2 calls to 1 service\n" in told
    assert "| caller |" not in told
