"""Pods in an overlay: what machines reach instead of pods, and that nothing changes where pods are routed."""

import dataclasses

import pytest
from bundle_example import NETWORK, PHASES, call, example, http_port, service
from bundle_meshes import meshes
from hypothesis import HealthCheck, given, settings
from test_reachability_declared import _closed, _wrong

from policies.bundles import compiler, dependencies, overlay
from policies.bundles import surroundings as around
from slipway import reachability
from slipway.cli import worlds
from slipway.machines import arguments, sidecar
from slipway.manifests import surroundings
from slipway.manifests.nsg import Direction
from slipway.mesh import model

APART = dataclasses.replace(NETWORK, overlay=True, egress="10.60.1.102")
MACHINES_BALANCER, EGRESS_BALANCER = "10.60.1.101/32", "10.60.1.102/32"


def _apart(mesh) -> model.Mesh:
    return dataclasses.replace(mesh, network=APART)


def _calling(*, cluster=False, enforced=True) -> model.Mesh:
    """The example, whose billing machine also calls a pod and an outside host."""
    mesh = example()
    billing = service(
        "billing",
        "back-office",
        ports=[http_port(9090)],
        calls=[call("orders-db", "postgres"), call("orders", "http", ("GET", "/api/orders/*"))],
        externals=["payments"],
        machines=["billing-vm"],
        cluster=cluster,
        names=["billing.corp.local"],
    )
    others = tuple(item for item in mesh.services if item.name != "billing")
    observed = dataclasses.replace(PHASES, authorization=model.AuthorizationMode.OBSERVED)
    phases = PHASES if enforced else observed
    return _apart(dataclasses.replace(mesh, services=(billing, *others), phases=phases))


def _spec(bundle, kind, name) -> dict:
    return next(item.body["spec"] for item in bundle.manifests if (item.kind, item.name) == (kind, name))


def _ask(mesh, source, name, port, **asked) -> reachability.Answer:  # noqa: ANN003 - the rest of a question
    namespace, _, workload = source.partition("/")
    question = reachability.Question(
        source=reachability.Workload(namespace=namespace, name=workload),
        destination=reachability.Host(name=name),
        port=port,
        **asked,
    )
    return reachability.decide(worlds.compiled(mesh), question)


@settings(max_examples=60, suppress_health_check=[HealthCheck.too_slow])
@given(meshes(enforced=True))
def test_the_analyser_reads_the_declaration_out_of_two_networks(mesh):
    assert _wrong(_closed(_apart(mesh))) == []


def test_machines_reach_gateways_and_no_pod():
    reach = dependencies.mesh_reach(_calling(), _calling().machine("billing-vm"))
    assert {item.cidr: item.ports for item in reach} == {
        MACHINES_BALANCER: (9411, 15012, 15443),
        EGRESS_BALANCER: (8443,),
        "10.60.2.12/32": (5432,),
    }
    nothing_called = dependencies.mesh_reach(_calling(), _calling().machine("db-vm"))
    assert {item.cidr: item.ports for item in nothing_called} == {MACHINES_BALANCER: (9411, 15012)}


def test_while_servers_take_undeclared_calls_every_declared_service_has_a_door():
    mesh = _calling(enforced=False)
    bundle = compiler.compile_bundle(mesh)
    (server,) = _spec(bundle, "Gateway", "slipway-services")["servers"]
    assert [host.partition("/")[2].partition(".")[0] for host in server["hosts"]] == ["orders", "storefront"]
    found = {item.cidr: item.ports for item in dependencies.mesh_reach(mesh, mesh.machine("db-vm"))}
    assert found[MACHINES_BALANCER] == (9411, 15012, 15443)
    assert NETWORK.pods not in found


def test_pods_come_to_machines_from_the_nodes():
    bundle = compiler.compile_bundle(_calling())
    inbound = {rule.name: rule.remote for rule in bundle.nsg["db-vm"] if rule.direction is Direction.INBOUND}
    assert inbound["allow-in-5432"] == (NETWORK.nodes, "10.60.2.11/32")
    for rules in bundle.nsg.values():
        assert NETWORK.pods not in {block for rule in rules for block in rule.remote}


def test_only_what_machines_call_passes_by_the_east_west_gateway():
    (server,) = _spec(compiler.compile_bundle(_calling()), "Gateway", "slipway-services")["servers"]
    assert server["hosts"] == ["shop/orders.shop.svc.cluster.local"]
    assert server["tls"] == {"mode": "AUTO_PASSTHROUGH"}
    assert not [
        item for item in compiler.compile_bundle(_apart(example())).manifests if item.name == "slipway-services"
    ]


def test_machines_and_pods_go_to_the_egress_gateway_by_ways_of_their_own():
    bundle = compiler.compile_bundle(_calling())
    first, second = _spec(bundle, "VirtualService", "payments")["tls"]
    assert [item["sourceLabels"] for item in first["match"]] == [{"slipway.dev/machine": "billing-vm"}]
    assert first["route"][0]["destination"]["host"] == overlay.EGRESS_HOST
    assert "sourceLabels" not in second["match"][0]
    entry = _spec(bundle, "ServiceEntry", "istio-egressgateway.machines")
    assert entry["endpoints"] == [
        {"address": "10.60.1.102", "network": "machines", "serviceAccount": "istio-egressgateway"}
    ]
    assert entry["exportTo"] == ["back-office"]


def test_load_balancers_for_machines_take_machines_only():
    bundle = compiler.compile_bundle(_calling())
    gateways = {item.release: item for item in bundle.gateways}
    assert bundle.apart is not None
    assert bundle.apart.source_ranges == (NETWORK.machines,)
    assert gateways["istio-egressgateway"].load_balancer_ip == "10.60.1.102"
    ports = [port.port for port in gateways["istio-eastwestgateway"].ports]
    assert ports == [15012, 15443, 9411]
    assert compiler.compile_bundle(_apart(example())).gateways[1].service_type == "ClusterIP"


def test_an_overlay_without_machines_is_one_network():
    changes = {"machines": (), "services": tuple(item for item in example().services if item.workload is not None)}
    plain = tuple(dataclasses.replace(item, service_calls=()) for item in changes["services"])
    mesh = dataclasses.replace(example(), **{**changes, "services": plain})
    one, other = compiler.compile_bundle(mesh), compiler.compile_bundle(_apart(mesh))
    assert other.apart is None
    assert [item for item in one.manifests if item.kind != "NetworkPolicy"] == [
        item for item in other.manifests if item.kind != "NetworkPolicy"
    ]
    assert (one.control_plane, one.gateways) == (other.control_plane, other.gateways)


@pytest.mark.parametrize(("mesh", "expected"), [(example(), False), (_calling(), True)], ids=["one", "two"])
def test_a_machine_knows_its_network(mesh, expected):
    bundle = compiler.compile_bundle(mesh)
    made = arguments.of(
        mesh,
        machine="db-vm",
        guard_policy=bundle.guards["db-vm"],
        token=None,
        package=arguments.SidecarPackage(url="file:///a.deb", sha256="0"),
        team_cloud_config="",
    )
    assert ("ISTIO_META_NETWORK='machines'\n" in sidecar.cluster_environment(made)) is expected
    entry = next(item for item in bundle.of("WorkloadEntry") if item.name == "db-vm")
    assert (entry.body["spec"].get("network") == "machines") is expected


def test_answers_name_the_door():
    found = _ask(_calling(), "back-office/billing-vm", "orders.shop.svc.cluster.local", 8080, path="/api/orders/1")
    assert found.outcome is reachability.Outcome.ALLOWED
    assert "by Service istio-system/istio-eastwestgateway, which passes it on" in found.reasons
    refused = _ask(
        _calling(), "back-office/billing-vm", "orders.shop.svc.cluster.local", 8080, method="POST", path="/api/orders"
    )
    assert refused.outcome is reachability.Outcome.DENIED
    assert refused.decided_by.hop is reachability.Hop.DESTINATION_SIDECAR


def _without(mesh, *, kind, name, namespace="istio-system") -> reachability.World:
    """The world of a mesh without one object of the bundle."""
    bundle = compiler.compile_bundle(mesh)
    kept = [item for item in bundle.manifests if (item.kind, item.namespace, item.name) != (kind, namespace, name)]
    assert len(kept) == len(bundle.manifests) - 1
    return reachability.read_applied(kept, around.emit_surroundings(mesh, bundle))


def test_without_its_door_a_service_is_out_of_reach():
    world = _without(_calling(), kind="Gateway", name="slipway-services")
    question = reachability.Question(
        source=reachability.Workload(namespace="back-office", name="billing-vm"),
        destination=reachability.Host(name="orders.shop.svc.cluster.local"),
        port=8080,
        path="/api/orders/1",
    )
    found = reachability.decide(world, question)
    assert found.outcome is reachability.Outcome.DENIED
    assert found.decided_by.hop is reachability.Hop.EAST_WEST_GATEWAY
    assert found.seen is reachability.Seen.UNAVAILABLE_503


def test_endpoints_without_mutual_tls_are_left_out():
    """The tracing service's pods have no sidecar: machines have no way to them but by their own door."""
    mesh = dataclasses.replace(_calling(), phases=dataclasses.replace(PHASES, egress=model.EgressMode.OPEN))
    bundle = compiler.compile_bundle(mesh)
    orders = {"containers": [{"name": "app"}], "serviceAccountName": "orders"}
    labels = {"app": "orders", "sidecar.istio.io/inject": "false"}
    manifests = [
        dataclasses.replace(item, body={"spec": {"template": {"metadata": {"labels": labels}, "spec": orders}}})
        if (item.kind, item.name) == ("Deployment", "orders")
        else item
        for item in around.emit_surroundings(mesh, bundle).manifests
    ]
    stood = dataclasses.replace(around.emit_surroundings(mesh, bundle), manifests=tuple(manifests))
    question = reachability.Question(
        source=reachability.Workload(namespace="back-office", name="billing-vm"),
        destination=reachability.Host(name="orders.shop.svc.cluster.local"),
        port=8080,
    )
    found = reachability.decide(reachability.read_applied(bundle.manifests, stood), question)
    assert found.outcome is reachability.Outcome.DENIED
    assert "none takes mutual TLS" in found.reasons[0]


def test_a_pod_by_its_own_address_is_out_of_reach_of_machines():
    question = reachability.Question(
        source=reachability.Workload(namespace="back-office", name="billing-vm"),
        destination=reachability.WorkloadAddress(namespace="shop", name="orders"),
        port=8080,
    )
    mesh = dataclasses.replace(
        _calling(enforced=False), phases=dataclasses.replace(PHASES, egress=model.EgressMode.OPEN)
    )
    routed = dataclasses.replace(mesh, network=NETWORK)
    assert reachability.decide(worlds.compiled(mesh), question).outcome is reachability.Outcome.DENIED
    assert "no way to the addresses of pods" in reachability.decide(worlds.compiled(mesh), question).reasons[0]
    assert reachability.decide(worlds.compiled(routed), question).reasons != (
        "machines have no way to the addresses of pods",
    )


def test_surroundings_of_one_network_stay_as_they_were():
    text = around.emit_surroundings(example(), compiler.compile_bundle(example())).to_json()
    assert "podsSeenAs" not in text
    mesh = _calling()
    apart = around.emit_surroundings(mesh, compiler.compile_bundle(mesh))
    assert surroundings.Surroundings.from_json(apart.to_json()) == apart
    assert apart.pods_seen_as == NETWORK.nodes


def test_a_machine_of_a_service_in_both_places_has_both_ways():
    mesh = _calling(cluster=True)
    payments = _spec(compiler.compile_bundle(mesh), "VirtualService", "payments")["tls"]
    assert len(payments) == 2
    assert _ask(mesh, "back-office/billing-vm", "payments.example.com", 443).outcome is reachability.Outcome.ALLOWED
    assert _ask(mesh, "back-office/billing", "payments.example.com", 443).outcome is reachability.Outcome.ALLOWED
