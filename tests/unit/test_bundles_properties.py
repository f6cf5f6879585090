"""What holds for every declaration, not just for the written ones."""

import ast
import dataclasses
import ipaddress
import json
import os
import random
import re
import subprocess
import sys
from pathlib import Path

from bundle_example import example
from bundle_meshes import meshes
from hypothesis import given, settings
from hypothesis import strategies as st

from policies.bundles import bundle, compiler
from slipway.manifests import guard
from slipway.manifests.nsg import Access, Direction
from slipway.mesh import model

ROOT = Path(__file__).parents[2]
OWN = {"istio-ingress", "istio-egress"}
IN_ISTIO_SYSTEM = {
    ("AuthorizationPolicy", "istio-system", "istio-eastwestgateway"),
    ("Gateway", "istio-system", "slipway-istiod"),
    ("VirtualService", "istio-system", "slipway-istiod"),
}
SUBDOMAIN = re.compile(r"[a-z0-9]([a-z0-9.-]*[a-z0-9])?")


def _bytes(compiled) -> str:
    return json.dumps([item.to_dict() for item in compiled.manifests]) + repr(
        dataclasses.replace(compiled, manifests=())
    )


@settings(max_examples=40)
@given(mesh=meshes())
def test_twice_gives_the_same_bytes(mesh):
    assert _bytes(compiler.compile_bundle(mesh)) == _bytes(compiler.compile_bundle(mesh))


@settings(max_examples=40)
@given(mesh=meshes(), seed=st.integers())
def test_the_order_of_the_declaration_does_not_matter(mesh, seed):
    shuffled = random.Random(seed)  # noqa: S311 - hypothesis chooses the seed
    parts = {}
    for name in ("services", "externals", "machines", "ingress"):
        items = list(getattr(mesh, name))
        shuffled.shuffle(items)
        parts[name] = tuple(items)
    other = compiler.compile_bundle(dataclasses.replace(mesh, **parts))
    one = compiler.compile_bundle(mesh)
    assert json.dumps([item.to_dict() for item in other.manifests]) == json.dumps(
        [item.to_dict() for item in one.manifests]
    )
    assert other.guards == one.guards
    assert other.nsg == one.nsg


def test_the_hash_seed_does_not_matter():
    script = (
        "from bundle_example import example; from policies.bundles import compiler; import json;"
        "found = compiler.compile_bundle(example());"
        "print(json.dumps([item.to_dict() for item in found.manifests]), found.nsg, found.guards, found.mesh_config)"
    )
    path = os.pathsep.join([str(ROOT), str(ROOT / "tests/unit")])
    outputs = {
        subprocess.run(
            [sys.executable, "-c", script],
            env={**os.environ, "PYTHONHASHSEED": seed, "PYTHONPATH": path},
            capture_output=True,
            check=True,
            timeout=60,
        ).stdout
        for seed in ("1", "2")
    }
    assert len(outputs) == 1


@settings(max_examples=40)
@given(mesh=meshes())
def test_nothing_reaches_beyond_declared_namespaces_and_our_gateways(mesh):
    compiled = compiler.compile_bundle(mesh)
    for item in compiled.manifests:
        where = item.name if item.kind == "Namespace" else item.namespace
        assert where in {*mesh.namespaces, *OWN} or item.key in IN_ISTIO_SYSTEM
    assert set(compiled.namespace_labels) <= set(mesh.namespaces)


@settings(max_examples=40)
@given(mesh=meshes())
def test_every_object_says_who_made_it_and_where_it_was_declared(mesh):
    for item in compiler.compile_bundle(mesh).manifests:
        assert item.labels["app.kubernetes.io/managed-by"] == "slipway"
        file, _, path = item.annotations["slipway.dev/declared-at"].partition(" ")
        assert file.endswith(".yaml")
        assert path.split(".")[0] in {"services", "machines", "external", "ingress"}
        assert SUBDOMAIN.fullmatch(item.name)


@settings(max_examples=40)
@given(mesh=meshes())
def test_what_closes_comes_before_what_opens(mesh):
    compiled = compiler.compile_bundle(mesh)
    staged = [(stage, item) for stage, items in compiled.stages() for item in items]
    assert sorted(item.key for _, item in staged) == [item.key for item in compiled.manifests]
    opening = [stage for stage, item in staged if item.kind == "AuthorizationPolicy" and "rules" in item.body["spec"]]
    closing = [stage for stage, item in staged if item.name == "deny-all" or item.kind == "PeerAuthentication"]
    assert all(stage is bundle.Stage.ALLOW for stage in opening)
    assert all(stage is bundle.Stage.DENY for stage in closing)


@settings(max_examples=40)
@given(mesh=meshes())
def test_one_workload_has_at_most_one_scope_and_one_mode_of_its_own(mesh):
    compiled = compiler.compile_bundle(mesh)
    pods = [(s.namespace, dict(s.workload.labels)) for s in mesh.services if s.workload is not None]
    entries = [(item.namespace, item.body["spec"]["labels"]) for item in compiled.of("WorkloadEntry")]
    for namespace, labels in pods + entries:
        for kind, key in (("Sidecar", "workloadSelector"), ("PeerAuthentication", "selector")):
            selectors = [
                next(iter(item.body["spec"][key].values()))
                for item in compiled.of(kind)
                if item.namespace == namespace and key in item.body["spec"]
            ]
            assert sum(found.items() <= labels.items() for found in selectors) <= 1


@settings(max_examples=40)
@given(mesh=meshes())
def test_the_sidecar_scope_narrows_nothing_while_calls_are_only_observed(mesh):
    scopes = compiler.compile_bundle(mesh).of("Sidecar")
    if mesh.phases.egress is not model.EgressMode.LOCKED:
        assert scopes == ()
        return
    modes = {mesh.phases.authorization_of(namespace=s.namespace, service=s.name) for s in mesh.services}
    hosts = {host for item in scopes for host in item.body["spec"]["egress"][0]["hosts"]}
    if modes != {model.AuthorizationMode.ENFORCED}:
        assert hosts == {"*/*"}
    assert all(item.body["spec"]["outboundTrafficPolicy"] == {"mode": "REGISTRY_ONLY"} for item in scopes)


@settings(max_examples=40)
@given(mesh=meshes())
def test_no_network_limit_before_the_way_out_is_locked(mesh):
    compiled = compiler.compile_bundle(mesh)
    locked = mesh.phases.egress is model.EgressMode.LOCKED
    with_pods = {item.namespace for item in mesh.services if item.workload is not None}
    limited = {item.namespace for item in compiled.of("NetworkPolicy")}
    assert limited & set(mesh.namespaces) == (with_pods if locked else set())
    assert compiled.mesh_config["outboundTrafficPolicy"]["mode"] == "ALLOW_ANY"
    closed = {item.namespace for item in compiled.of("Sidecar") if "workloadSelector" not in item.body["spec"]}
    assert closed == (set(mesh.namespaces) if locked else set())


@settings(max_examples=40)
@given(mesh=meshes())
def test_rules_of_a_machine_are_valid_and_agree_with_its_guard(mesh):
    compiled = compiler.compile_bundle(mesh)
    assert set(compiled.nsg) == set(compiled.guards) == {item.name for item in mesh.machines}
    for machine, rules in compiled.nsg.items():
        for direction in Direction:
            mine = [item for item in rules if item.direction is direction]
            priorities = [item.priority for item in mine]
            assert sorted(set(priorities)) == priorities
            assert all(100 <= item <= 4096 for item in priorities)
            assert len({item.name for item in mine}) == len(mine)
            assert all(item.access is Access.ALLOW for item in mine[:-1])
        policy = compiled.guards[machine]
        out = [item for item in rules if item.direction is Direction.OUTBOUND]
        assert all(any(reach.cidr in item.remote for item in out) for reach in policy.mesh)
        assert (out[-1].access is Access.DENY) == (policy.outbound is guard.Outbound.DECLARED)
        inbound = [item for item in rules if item.direction is Direction.INBOUND and item.access is Access.ALLOW]
        if policy.other_inbound is guard.Inbound.REFUSED:
            assert {int(item.ports[0]) for item in inbound} <= set(policy.captured_ports)
        for item in rules:
            assert all(remote == "*" or ipaddress.IPv4Network(remote) for remote in item.remote)


@settings(max_examples=40)
@given(mesh=meshes(enforced=True))
def test_a_scope_holds_exactly_the_declared_dependencies(mesh):
    compiled = compiler.compile_bundle(mesh)
    for service in mesh.services:
        wanted = {
            f"{callee.namespace}/{host}"
            for call in service.service_calls
            for callee in [mesh.service(call.service)]
            for host in (callee.host, *callee.names)
        }
        outside = {mesh.external(call.external).host for call in service.external_calls}
        if outside:
            wanted |= {f"istio-egress/{host}" for host in outside}
            wanted |= {"istio-egress/istio-egressgateway.istio-egress.svc.cluster.local"}
        if mesh.tracing is not None:
            wanted |= {"observability/zipkin.observability.svc.cluster.local"}
        scopes = [
            item.body["spec"]["egress"][0]["hosts"]
            for item in compiled.of("Sidecar")
            if item.namespace == service.namespace and item.name.startswith(f"{service.name}.")
        ]
        assert scopes
        assert all(set(hosts) == (wanted or {"~/*"}) for hosts in scopes)


def test_two_emitters_with_one_name_are_our_mistake(monkeypatch):
    monkeypatch.setattr(compiler, "BUNDLES", {**compiler.BUNDLES, "again": compiler.BUNDLES["mtls"]})
    try:
        compiler.compile_bundle(example())
    except ValueError as error:
        assert "PeerAuthentication" in str(error)  # noqa: PT017 - the sentence is what matters
    else:
        raise AssertionError("two objects with one name went through")


def test_emitters_do_not_know_each_other():
    folder = ROOT / "policies/bundles"
    texts = {item.stem: item.read_text(encoding="utf-8") for item in folder.glob("*.py")}
    emitters = {name for name, text in texts.items() if re.search(r"^def emit_", text, re.MULTILINE)} - {"gateways"}
    imported = {
        name: {
            alias.name
            for node in ast.walk(ast.parse(texts[name]))
            if isinstance(node, ast.ImportFrom) and node.module == "policies.bundles"
            for alias in node.names
        }
        for name in emitters
    }
    assert len(emitters) > 10
    assert {name: found & emitters for name, found in imported.items() if found & emitters} == {}
