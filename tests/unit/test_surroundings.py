"""What stands around a bundle is kept as text between two updates and read back as it was."""

import dataclasses
import json

from bundle_example import example
from bundle_meshes import meshes
from hypothesis import HealthCheck, given, settings

from policies.bundles import compiler, surroundings
from slipway import reachability
from slipway.manifests.surroundings import Surroundings
from slipway.mesh import loader

OWNED = """
mesh: shop
owner: storefronts
services:
  web: {namespace: shop, ports: {http: 8080}, calls: [{service: bills}]}
  bills: {namespace: shop, owner: payments, ports: {http: 8080}, names: [bills.corp.local]}
ingress:
  shop: {host: shop.example.com, routes: {/: web, /bills: bills}, certificate: shop}
"""


def _around(mesh) -> Surroundings:
    return surroundings.emit_surroundings(mesh, compiler.compile_bundle(mesh))


@settings(max_examples=25, suppress_health_check=[HealthCheck.too_slow])
@given(meshes())
def test_text_and_back_is_the_same(mesh):
    around = _around(mesh)
    text = around.to_json()
    assert Surroundings.from_json(text) == around
    assert Surroundings.from_json(text).to_json() == text
    bundle = compiler.compile_bundle(mesh)
    kept = Surroundings.from_json(text)
    assert reachability.read_applied(bundle.manifests, kept) == reachability.read_applied(bundle.manifests, around)


def test_an_applied_object_wins_over_the_expected_one():
    mesh = example()
    bundle, around = compiler.compile_bundle(mesh), _around(mesh)
    expected = next(item for item in around.manifests if item.kind == "Service")
    document = expected.to_dict()
    document["spec"]["ports"] = [{"name": "http", "port": 4242}]
    applied = type(expected).from_dict(document)
    world = reachability.read_applied([*bundle.manifests, applied], around)
    host = f"{expected.name}.{expected.namespace}.svc.cluster.local"
    assert [port.number for item in world.services_by_host[host] for port in item.ports] == [4242]


def test_gateways_select_pods_of_their_own_namespace_only_as_istiod_is_told():
    mesh = example()
    bundle, around = compiler.compile_bundle(mesh), _around(mesh)
    own = next(item for item in bundle.manifests if item.kind == "Gateway" and item.namespace == "istio-ingress")
    elsewhere = dataclasses.replace(own, namespace="shop", name="elsewhere")
    for namespace, opened in (("istio-ingress", True), ("shop", False)):
        world = reachability.read_applied([*bundle.manifests, elsewhere], around)
        pods = next(item for item in world.workloads if item.name == "istio-ingressgateway")
        found = next(item for item in world.gateways if item.namespace == namespace)
        assert world.opens(found, pods) == opened


def test_owners_answer_for_every_name_of_their_service():
    environment = (
        "platform: lab\nrevision: '1-29-1'\nphase: {mtls: strict, egress: locked, authorization: enforced}\n"
    )
    mesh = loader.load(
        [loader.Source(file="mesh.yaml", text=OWNED)],
        loader.Source(file="lab.yaml", text=environment),
        environment_name="lab",
    )
    found = _around(mesh).owners
    assert found["bills.shop.svc.cluster.local"] == found["bills.corp.local"] == "payments"
    assert found["web.shop.svc.cluster.local"] == "storefronts"
    assert found["shop.example.com"] == "payments, storefronts"


def test_the_same_declaration_gives_the_same_line():
    text = _around(example()).to_json()
    assert "\n" not in text
    assert json.dumps(json.loads(text), sort_keys=True, separators=(",", ":")) == text
