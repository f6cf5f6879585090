"""Each rule on what it stops and on what it lets pass, without the engine."""

import datetime

import pytest
from pulumi_policy import proxy

from policies.bundles import compiler
from policies.guardrails import pack
from policies.guardrails.rule import Resource
from slipway.mesh import loader

TODAY = datetime.date(2026, 11, 21)
POD = {"matchLabels": {"app": "a"}}


def _object(kind, spec, *, namespace="shop", annotations=None) -> Resource:
    metadata = {"name": "a", "namespace": namespace, "annotations": annotations or {}}
    return Resource(type=f"kubernetes:x/v1:{kind}", name="a", inputs={"metadata": metadata, "spec": spec})


def _release(**inputs) -> Resource:  # noqa: ANN003 - the inputs of a Release
    return Resource(type="kubernetes:helm.sh/v3:Release", name="a", inputs={"name": "a", **inputs})


def _nsg(**rule) -> Resource:  # noqa: ANN003 - one rule
    inputs = {"securityRules": [{"direction": "Inbound", "access": "Allow", **rule}]}
    return Resource(type="azure-native:network:NetworkSecurityGroup", name="a", inputs=inputs)


def _stopped(*resources: Resource) -> set[str]:
    found = {r.name for r in pack.RESOURCE_RULES for item in resources for _ in r.check(item, TODAY)}
    return found | {rule.name for rule in pack.STACK_RULES for _ in rule.check(resources)}


PERMISSIVE = {"selector": POD, "mtls": {"mode": "STRICT"}, "portLevelMtls": {"80": {"mode": "PERMISSIVE"}}}
GATEWAY_RELEASE = {"chart": "charts/gateway", "values": {"service": {"type": "LoadBalancer"}}}


def _ranged(*blocks: str) -> dict:
    service = {"type": "LoadBalancer", "loadBalancerSourceRanges": [*blocks]}
    return {"chart": "charts/gateway", "values": {"service": service}}


@pytest.mark.parametrize(
    ("rule", "resource"),
    [
        ("plaintext-ends", _object("PeerAuthentication", PERMISSIVE)),
        ("plaintext-ends", _object("PeerAuthentication", {"mtls": {"mode": "DISABLE"}})),
        (
            "plaintext-ends",
            _object("PeerAuthentication", PERMISSIVE, annotations={"slipway.dev/until": "2026-11-20"}),
        ),
        ("machines-have-identities", _object("WorkloadEntry", {"address": "10.0.0.1"})),
        (
            "principals-match-somebody",
            _object("AuthorizationPolicy", {"rules": [{"from": [{"source": {"principals": ["a*b"]}}]}]}),
        ),
        (
            "principals-match-somebody",
            _object("AuthorizationPolicy", {"rules": [{"from": [{"source": {"notPrincipals": ["a"]}}]}]}),
        ),
        (
            "paths-cannot-be-bypassed",
            _object("AuthorizationPolicy", {"action": "DENY", "rules": [{"to": [{"operation": {"paths": ["/a"]}}]}]}),
        ),
        (
            "paths-cannot-be-bypassed",
            _object("AuthorizationPolicy", {"rules": [{"to": [{"operation": {"notPaths": ["/a"]}}]}]}),
        ),
        ("nothing-for-the-whole-mesh", _object("Sidecar", {}, namespace="istio-system")),
        ("no-allow-all", _object("AuthorizationPolicy", {"rules": [{"to": []}, {}], "selector": POD})),
        ("only-declared-listeners", _object("Service", {"type": "NodePort"})),
        ("only-declared-listeners", _release(**GATEWAY_RELEASE)),
        ("only-declared-listeners", _release(**_ranged("10.0.0.0/8", "0.0.0.0/0"))),
        ("gateways-serve-declared-hosts", _object("Gateway", {"servers": [{"hosts": ["a.example.com"]}]})),
        (
            "gateways-serve-declared-hosts",
            _object("Gateway", {"servers": [{"hosts": ["./*.b"], "tls": {"mode": "AUTO_PASSTHROUGH"}}]}),
        ),
        ("no-raw-filters", _object("WasmPlugin", {})),
        ("no-rule-from-anywhere", _nsg(sourceAddressPrefix="Internet")),
        ("no-rule-from-anywhere", _nsg(sourceAddressPrefixes=["10.0.0.0/8", "0.0.0.0/0"])),
        ("charts-are-pinned", _release(chart="istiod", repositoryOpts={"repo": "https://charts.example.com"})),
        ("hosts-are-alive", _release(chart="charts/istiod", values={"hub": "registry.istio.io/release"})),
        ("no-secrets-in-plain-inputs", _release(values={"a": [{"b": "eyJhbGciOiJIUzI1.eyJzdWIiOiIxMjM0.x"}]})),
    ],
)
def test_stopped(rule, resource):
    assert _stopped(resource) == {rule}


@pytest.mark.parametrize(
    "resource",
    [
        _object("PeerAuthentication", {"mtls": {"mode": "PERMISSIVE"}}),
        _object("PeerAuthentication", PERMISSIVE, annotations={"slipway.dev/until": "2026-11-21"}),
        _object("WorkloadEntry", {"serviceAccount": "a"}),
        _object("AuthorizationPolicy", {"selector": POD}, namespace="istio-system"),
        _object("Sidecar", {}, namespace="istio-system", annotations={"slipway.dev/scope": "mesh"}),
        _object("AuthorizationPolicy", {"action": "DENY", "rules": [{"to": [{"operation": {"notPaths": ["/a"]}}]}]}),
        _object(
            "AuthorizationPolicy",
            {"selector": POD, "rules": [{}]},
            annotations={"slipway.dev/position": "observed"},
        ),
        _object("AuthorizationPolicy", {"rules": [{"from": [{"source": {"principals": ["*", "a/*"]}}]}]}),
        _object("Service", {"type": "LoadBalancer"}, namespace="istio-ingress"),
        _object("Gateway", {"servers": [{"hosts": ["./a.example.com"]}]}),
        _nsg(sourceAddressPrefix="10.0.0.0/8"),
        _release(chart="oci://charts.example.com/istiod", version="1.29.1"),
        Resource(
            type="kubernetes:core/v1:Secret", name="a", inputs={"stringData": {"a": "-----BEGIN PRIVATE KEY-----"}}
        ),
    ],
)
def test_let_pass(resource):
    assert _stopped(resource) == set()


def _mesh_mode(mode: str) -> Resource:
    return _release(chart="charts/istiod", values={"meshConfig": {"outboundTrafficPolicy": {"mode": mode}}})


def _lock(namespace: str) -> Resource:
    metadata = {"name": "slipway-egress", "namespace": namespace}
    return Resource(
        type="kubernetes:networking.k8s.io/v1:NetworkPolicy", name=namespace, inputs={"metadata": metadata}
    )


def _scope(mode: str = "", *, namespace: str = "shop", selecting: bool = False) -> Resource:
    policy = {"outboundTrafficPolicy": {"mode": mode}} if mode else {}
    selector = {"workloadSelector": {"labels": {"app": "a"}}} if selecting else {}
    return _object("Sidecar", {**policy, **selector}, namespace=namespace)


MACHINE = _object("WorkloadEntry", {"serviceAccount": "a"}, namespace="data")
KNOWN_ONLY, ANYWHERE = "REGISTRY_ONLY", "ALLOW_ANY"


@pytest.mark.parametrize(
    "resources",
    [
        [_mesh_mode(ANYWHERE), _scope(ANYWHERE), MACHINE],
        [_lock("shop"), _mesh_mode(KNOWN_ONLY)],
        [_lock("shop"), _mesh_mode(KNOWN_ONLY), _scope(), MACHINE],
        [_lock("shop"), _mesh_mode(ANYWHERE), _scope(KNOWN_ONLY), _scope(KNOWN_ONLY, selecting=True)],
        [_lock("shop"), MACHINE, _scope(KNOWN_ONLY), _scope(KNOWN_ONLY, namespace="data")],
        [_lock("shop"), _lock("istio-egress"), _lock("istio-ingress"), _scope(KNOWN_ONLY)],
        [_lock("shop"), _scope(KNOWN_ONLY), _scope(ANYWHERE, namespace="theirs")],
    ],
    ids=["open", "mesh", "mesh, silent scope", "scopes", "machine", "gateways", "undeclared"],
)
def test_what_is_locked_knows_its_hosts_by_the_mesh_or_by_scopes_of_its_own(resources):
    assert _stopped(*resources) == set()


@pytest.mark.parametrize(
    ("resources", "told"),
    [
        ([_lock("shop")], "`shop`"),
        ([_lock("shop"), _mesh_mode(ANYWHERE)], "`shop`"),
        ([_lock("shop"), _scope(KNOWN_ONLY, selecting=True)], "`shop`"),
        ([_lock("shop"), _lock("back"), _scope(KNOWN_ONLY)], "`back`"),
        ([_lock("shop"), _scope(KNOWN_ONLY), MACHINE], "`data`"),
        ([_lock("shop"), _scope(KNOWN_ONLY), _scope(selecting=True)], "anywhere"),
        ([_lock("shop"), _mesh_mode(ANYWHERE), _scope(KNOWN_ONLY), _scope(selecting=True)], "anywhere"),
        ([_lock("shop"), _mesh_mode(KNOWN_ONLY), _scope(ANYWHERE, selecting=True)], "anywhere"),
    ],
    ids=["nothing", "open mesh", "one workload", "another", "machine", "silent scope", "open mesh's", "open scope"],
)
def test_a_locked_namespace_whose_sidecars_send_anywhere_is_stopped(resources, told):
    rule = next(item for item in pack.STACK_RULES if item.name == "locked-means-registry-only")
    assert [told in sentence for sentence in rule.check(resources)] == [True]
    assert _stopped(*resources) == {"locked-means-registry-only"}


def _system(network) -> Resource:
    labels = {"topology.istio.io/network": network} if network else {}
    metadata = {"name": "istio-system", "labels": labels}
    return Resource(type="kubernetes:core/v1:Namespace", name="istio-system", inputs={"metadata": metadata})


def _machine(**spec) -> Resource:  # noqa: ANN003 - a specification
    return _object("WorkloadEntry", {"serviceAccount": "a", **spec})


@pytest.mark.parametrize(
    ("network", "machine", "stopped"),
    [
        ("", _machine(), set()),
        ("pods", _machine(network="machines"), set()),
        ("pods", _machine(), {"machines-have-a-network"}),
        ("pods", _machine(network="pods"), {"machines-have-a-network"}),
    ],
    ids=["one network", "two", "none stated", "that of pods"],
)
def test_a_machine_that_counts_as_a_pod_is_stopped(network, machine, stopped):
    assert _stopped(_system(network), machine) == stopped


def test_doors_that_name_whom_they_are_for_pass():
    server = {"hosts": ["shop/orders.shop.svc.cluster.local"], "tls": {"mode": "AUTO_PASSTHROUGH"}}
    assert _stopped(_object("Gateway", {"servers": [server]}), _release(**_ranged("10.0.0.0/8"))) == set()


def test_what_the_compiler_makes_of_exceptions_with_an_end_passes():
    mesh = loader.Source(
        file="mesh.yaml",
        text="mesh: shop\nservices: {a: {namespace: shop, ports: {http: 8080}}, b: {namespace: shop},"
        " old: {sidecar: none, from: 10.9.0.0/24, until: 2027-01-31, calls: [{service: a}]}}\n",
    )
    text = (
        'platform: lab\nrevision: "1-29-1"\nphase: {egress: locked, '
        "authorization: {default: enforced, observed: [b]}, "
        "mtls: {default: strict, permissive: [{name: b, owner: web, until: 2027-01-31}]}}\n"
    )
    environment = loader.Source(file="lab.yaml", text=text)
    compiled = compiler.compile_bundle(loader.load([mesh], environment, environment_name="lab", today=TODAY))
    resources = [
        Resource(type=f"kubernetes:{i.api_version}:{i.kind}", name=i.name, inputs=i.to_dict())
        for i in compiled.manifests
    ]
    assert _stopped(*resources) == set()


def test_values_lose_the_librarys_proxies_and_what_is_not_known_yet_stays_marked():
    wrapped = proxy.unknown_checking_proxy({"a": [{"b": proxy.UNKNOWN_STRING_VALUE}, "c"]})
    assert pack.plain(wrapped) == {"a": [{"b": pack.UNKNOWN}, "c"]}
