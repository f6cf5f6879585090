"""The ways in and out."""

import dataclasses

from bundle_example import MESH_SPAN, call, example, http_port, service, with_phases

from policies.bundles import bundle, compiler, gateways
from slipway.manifests.manifest import Manifest
from slipway.mesh import model


def _one(compiled, kind, namespace, name) -> Manifest:
    return next(item for item in compiled.manifests if item.key == (kind, namespace, name))


def test_an_open_way_out_has_no_objects_but_its_gateway():
    compiled = compiler.compile_bundle(with_phases(egress=model.EgressMode.OPEN))
    kinds = {item.kind for item in compiled.manifests if item.namespace == "istio-egress"}
    assert kinds == {"PeerAuthentication", "Telemetry"}
    assert "istio-egressgateway" in [item.release for item in compiled.gateways]


def test_an_outside_host_that_nobody_calls_is_not_registered():
    services = tuple(dataclasses.replace(item, external_calls=()) for item in example().services)
    compiled = compiler.compile_bundle(example(services=services))
    assert "istio-egress" not in {item.namespace for item in compiled.manifests}
    assert "istio-egressgateway" not in [item.release for item in compiled.gateways]


def test_only_callers_see_an_outside_host_and_only_they_may_use_its_name():
    compiled = compiler.compile_bundle(example())
    for kind in ("ServiceEntry", "VirtualService"):
        assert _one(compiled, kind, "istio-egress", "payments").body["spec"]["exportTo"] == ["istio-egress", "shop"]
    (rule,) = _one(compiled, "AuthorizationPolicy", "istio-egress", "payments.callers").body["spec"]["rules"]
    assert rule == {
        "from": [{"source": {"principals": ["cluster.local/ns/shop/sa/storefront"]}}],
        "to": [{"operation": {"ports": ["8443"]}}],
        "when": [{"key": "connection.sni", "values": ["payments.example.com"]}],
    }


def test_each_host_has_a_server_and_a_subset_of_its_own():
    hosts = tuple(
        model.ExternalHost(name=name, host=f"{name}.example.com", port=443, span=MESH_SPAN)
        for name in ("mail", "pay")
    )
    caller = service("web", "shop", ports=[http_port(8080)], externals=["mail", "pay"])
    compiled = compiler.compile_bundle(example(services=(caller,), externals=hosts, ingress=(), machines=()))
    servers = [item.body["spec"]["servers"] for item in compiled.of("Gateway") if item.namespace == "istio-egress"]
    assert [len(item) for item in servers] == [1, 1]
    (rule,) = compiled.of("DestinationRule")
    settings = [item["trafficPolicy"]["portLevelSettings"][0]["tls"] for item in rule.body["spec"]["subsets"]]
    assert settings == [{"mode": "ISTIO_MUTUAL", "sni": f"{name}.example.com"} for name in ("mail", "pay")]


def test_the_egress_gateways_pods_reach_no_address_of_the_mesh():
    policy = _one(compiler.compile_bundle(example()), "NetworkPolicy", "istio-egress", "slipway-egress")
    (block,) = (peer["ipBlock"] for rule in policy.body["spec"]["egress"] for peer in rule["to"] if "ipBlock" in peer)
    assert block["cidr"] == "0.0.0.0/0"
    assert set(block["except"]) == {
        "10.60.0.4/32",
        "10.60.1.0/24",
        "10.60.2.0/24",
        "10.61.0.0/16",
        "10.62.0.0/16",
        "168.63.129.16/32",
        "169.254.0.0/16",
    }


def test_a_namespace_without_outside_calls_does_not_reach_the_egress_gateway():
    loner = service("loner", "alone", ports=[http_port(8080)])
    compiled = compiler.compile_bundle(example(services=(*example().services, loner)))
    policy = _one(compiled, "NetworkPolicy", "alone", "slipway-egress")
    ports = {port["port"] for rule in policy.body["spec"]["egress"] for port in rule.get("ports", ())}
    assert ports == {53, 15012, 9411}


def test_a_prefix_takes_itself_and_what_is_below_in_routing_as_in_authorization():
    host = example().ingress[0]
    routes = (
        model.IngressRoute(prefix="/api", service="orders", port="http"),
        model.IngressRoute(prefix="/", service="storefront", port="http"),
    )
    compiled = compiler.compile_bundle(example(ingress=(dataclasses.replace(host, routes=routes),)))
    first, second = _one(compiled, "VirtualService", "istio-ingress", "shop").body["spec"]["http"]
    assert first["match"] == [{"uri": {"exact": "/api"}}, {"uri": {"prefix": "/api/"}}]
    assert "match" not in second
    rules = _one(compiled, "AuthorizationPolicy", "shop", "orders.pods").body["spec"]["rules"]
    ingress = gateways.INGRESS.principal("cluster.local")
    (mine,) = (rule for rule in rules if rule["from"] == [{"source": {"principals": [ingress]}}])
    assert [to["operation"]["paths"] for to in mine["to"]] == [["/api"], ["/api/*"]]


def test_without_redirect_there_is_no_plain_port_at_the_gateway():
    host = dataclasses.replace(example().ingress[0], redirect_http=False)
    compiled = compiler.compile_bundle(example(ingress=(host,)))
    (server,) = _one(compiled, "Gateway", "istio-ingress", "shop").body["spec"]["servers"]
    assert server["port"]["number"] == 443
    (rule,) = _one(compiled, "AuthorizationPolicy", "istio-ingress", "shop.host").body["spec"]["rules"]
    assert rule["to"][0]["operation"]["ports"] == ["443"]
    (deployment,) = (item for item in compiled.gateways if item.release == "istio-ingressgateway")
    assert [item.port for item in deployment.ports] == [443]


def test_without_machines_nothing_is_put_into_istios_namespace():
    services = tuple(
        dataclasses.replace(item, machines=(), workload=model.Workload(
            labels=(("app", item.name),), service_account=item.name, service=item.name
        ))
        for item in example().services
    )  # fmt: skip
    compiled = compiler.compile_bundle(example(services=services, machines=()))
    assert "istio-system" not in {item.namespace for item in compiled.manifests}
    assert [item.release for item in compiled.gateways] == ["istio-ingressgateway", "istio-egressgateway"]


def test_selection_by_kind_and_stage():
    compiled = compiler.compile_bundle(example())
    assert {item.kind for item in compiled.of("Sidecar")} == {"Sidecar"}
    empty = _one(compiled, "AuthorizationPolicy", "shop", "deny-all")
    assert bundle.stage_of(empty) is bundle.Stage.DENY


def test_a_name_of_today_is_seen_by_its_callers_only():
    compiled = compiler.compile_bundle(example())
    entry = _one(compiled, "ServiceEntry", "back-office", "billing").body["spec"]
    assert entry["exportTo"] == ["shop"]
    assert entry["addresses"] == ["10.60.2.11"]
    nobody = service("quiet", "shop", ports=[http_port(8080)], names=["quiet.corp.local"])
    other = service("busy", "shop", ports=[http_port(8080)], calls=[call("quiet", "http")])
    alone = compiler.compile_bundle(example(services=(nobody,), ingress=(), machines=(), externals=()))
    called = compiler.compile_bundle(example(services=(nobody, other), ingress=(), machines=(), externals=()))
    assert alone.of("ServiceEntry") == ()
    assert "addresses" not in called.of("ServiceEntry")[0].body["spec"]


def test_on_azure_load_balancers_are_internal_and_stand_in_their_own_subnet():
    mesh = example(platform=model.PlatformKind.AZURE)
    compiled = compiler.compile_bundle(mesh)
    addresses = {"istio-eastwestgateway": mesh.network.control_plane, "istio-ingressgateway": mesh.network.ingress}
    for item in compiled.gateways:
        if item.release in addresses:
            assert item.service_annotations == {
                "service.beta.kubernetes.io/azure-load-balancer-internal": "true",
                "service.beta.kubernetes.io/azure-load-balancer-internal-subnet": "load-balancers",
                "service.beta.kubernetes.io/azure-load-balancer-ipv4": addresses[item.release],
            }
    assert addresses.keys() <= {item.release for item in compiled.gateways}
    assert {item.load_balancer_ip for item in compiled.gateways} == {""}


def test_only_the_lab_goes_without_istios_own_filters():
    lab = compiler.compile_bundle(example()).control_plane
    azure = compiler.compile_bundle(example(platform=model.PlatformKind.AZURE)).control_plane
    always = {
        "ISTIO_MULTIROOT_MESH": "true",
        "PILOT_ENABLE_WORKLOAD_ENTRY_AUTOREGISTRATION": "false",
        "PILOT_SCOPE_GATEWAY_TO_NAMESPACE": "true",
    }
    assert azure.environment == always
    assert azure.values == {}
    assert lab.environment.items() > always.items()
    assert lab.values == {"telemetry": {"enabled": False}}
