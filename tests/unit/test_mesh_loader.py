"""The loader: the example resolved, order of input, hostile input, and its numbers."""

import dataclasses
import datetime
import random
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from slipway.diagnostics import DiagnosticsError, Span, render
from slipway.mesh import loader, model
from slipway.world import process

ROOT = Path(__file__).parents[2]
MESH = (ROOT / "stacks/mesh.yaml").read_bytes()
LAB = (ROOT / "stacks/lab.yaml").read_bytes()
ENVIRONMENT = "platform: lab\nrevision: 1-29-1\nphase: {mtls: strict, egress: locked, authorization: enforced}\n"


def _load(mesh: bytes | str = MESH, environment: bytes | str = LAB) -> model.Mesh:
    sources = [loader.Source(file="mesh.yaml", text=mesh)]
    return loader.load(sources, loader.Source(file="lab.yaml", text=environment), environment_name="lab")


def _small(services: str, *, rest: str = "", environment: str = ENVIRONMENT) -> model.Mesh:
    return _load(f"mesh: shop\nservices: {{{services}}}\n{rest}", environment)


def _without_places(value: Any) -> Any:
    if isinstance(value, Span):
        return None
    if isinstance(value, tuple):
        return tuple(_without_places(item) for item in value)
    if dataclasses.is_dataclass(value):
        return {
            field.name: _without_places(getattr(value, field.name))
            for field in dataclasses.fields(value)
            if field.compare
        }
    return value


def test_the_example():
    mesh = _load()
    assert mesh.namespaces == ("back-office", "data", "shop")
    assert [item.name for item in mesh.services] == ["billing", "orders", "orders-db", "storefront"]
    calls = [(caller.name, call.port, call.http) for caller, call in mesh.callers("orders-db")]
    assert calls == [("billing", "postgres", ()), ("orders", "postgres", ())]
    assert mesh.principals("billing") == ("cluster.local/ns/back-office/sa/billing-vm",)
    assert mesh.principals("orders") == ("cluster.local/ns/shop/sa/orders",)
    assert mesh.service("orders").host == "orders.shop.svc.cluster.local"
    assert mesh.external("payments").host == "payments.example.com"
    assert mesh.machine("db-vm").database == model.Database(name="shop", users=("billing", "orders"))
    assert mesh.network.vault == "10.60.0.4"
    assert mesh.phases.mtls_of(namespace="shop") is model.MtlsMode.STRICT
    assert mesh.tracing is not None
    assert (mesh.tracing.service, mesh.tracing.namespace, mesh.tracing.port) == ("zipkin", "observability", 9411)


def test_places_are_those_of_the_text():
    text = MESH.decode()
    for service in _load().services:
        assert text[service.span.start : service.span.end] == service.name
        assert text.splitlines()[service.span.line - 1][service.span.column - 1 :].startswith(service.name + ":")


def test_loading_twice_is_equal():
    assert _load() == _load()


def test_the_seed_of_hashes_does_not_matter():
    program = """
from pathlib import Path
from slipway.mesh import loader
from slipway.world import files
sources = files.read_sources(Path("stacks"), "lab")
print(loader.load(sources.mesh, sources.environment, environment_name="lab"))
"""
    runs = [
        process.run([sys.executable, "-c", program], timeout_s=60, cwd=ROOT, env={"PYTHONHASHSEED": seed})
        for seed in ("0", "1", "2")
    ]
    assert len({run.stdout for run in runs}) == 1
    assert runs[0].stdout.startswith("Mesh(")


@pytest.mark.parametrize("seed", range(5))
def test_order_of_keys_does_not_matter(seed):
    shuffle = random.Random(seed)  # noqa: S311 - order, not secrets

    def shuffled(value: Any) -> Any:
        if isinstance(value, dict):
            entries = [(key, shuffled(item)) for key, item in value.items()]
            return dict(shuffle.sample(entries, len(entries)))
        if isinstance(value, list):
            return shuffle.sample([shuffled(item) for item in value], len(value))
        return value

    mesh, lab = (yaml.dump(shuffled(yaml.safe_load(text)), sort_keys=False) for text in (MESH, LAB))
    assert _without_places(_load(mesh, lab)) == _without_places(_load())


def test_files_merge_by_name():
    one = "mesh: shop\nservices:\n  a: {namespace: shop, calls: [{service: b}]}\n"
    two = "services:\n  b: {namespace: shop, ports: {http: 80}}\ntracing: {zipkin: {}}\n"
    sources = [loader.Source(file=name, text=text) for name, text in (("one.yaml", one), ("two.yaml", two))]
    mesh = loader.load(sources, loader.Source(file="lab.yaml", text=ENVIRONMENT), environment_name="lab")
    assert [(item.name, item.span.file) for item in mesh.services] == [("a", "one.yaml"), ("b", "two.yaml")]
    assert mesh.tracing is not None


def test_ports_short_long_and_named():
    ports = "{http: 8080, grpc: {port: 9090, service: 90}, admin: {protocol: http, port: 8081}}"
    found = _small(f"a: {{namespace: shop, ports: {ports}}}").service("a").ports
    assert [(item.name, item.protocol.value, item.number, item.service_port) for item in found] == [
        ("admin", "http", 8081, 8081),
        ("grpc", "grpc", 9090, 90),
        ("http", "http", 8080, 8080),
    ]


def test_a_call_means_the_only_port_that_fits():
    ports = "{http: 8080, postgres: 5432}"
    calls = '[{service: b, http: ["GET /x"]}, {service: b, port: postgres}]'
    mesh = _small(f"a: {{namespace: shop, calls: {calls}}}, b: {{namespace: shop, ports: {ports}}}")
    assert [(call.port, call.http) for call in mesh.service("a").service_calls] == [
        ("http", (model.HttpMatch(method="GET", path="/x"),)),
        ("postgres", ()),
    ]


def test_calls_of_one_port_are_merged():
    calls = '[{service: b, http: ["GET /x"]}, {service: b, http: ["* /y", "GET /x"]}]'
    services = "a: {{namespace: shop, calls: {}}}, b: {{namespace: shop, ports: {{http: 80}}}}"
    (call,) = _small(services.format(calls)).service("a").service_calls
    assert [(item.method, item.path) for item in call.http] == [("GET", "/x"), ("*", "/y")]
    (call,) = _small(services.format(calls[:-1] + ", {service: b}]")).service("a").service_calls
    assert call.http == ()


def test_cycles_are_fine():
    port = "ports: {http: 80}"
    mesh = _small(
        f"a: {{namespace: x, {port}, calls: [{{service: b}}]}}, b: {{namespace: z, {port}, calls: [{{service: a}}]}}"
    )
    assert len(mesh.callers("a")) == len(mesh.callers("b")) == 1


def test_a_service_on_machine_and_cluster():
    environment = ENVIRONMENT + "machines: {vm: {address: 10.60.2.50}}\n"
    workload = "{labels: {component: billing}, serviceAccount: robot, service: bill}"
    mesh = _small(f"a: {{namespace: x, runsOn: [vm, cluster], workload: {workload}}}", environment=environment)
    service = mesh.service("a")
    assert service.workload == model.Workload(
        labels=(("component", "billing"),), service_account="robot", service="bill"
    )
    assert service.machines == ("vm",)
    assert mesh.principals("a") == ("cluster.local/ns/x/sa/robot", "cluster.local/ns/x/sa/vm")
    assert service.host == "bill.x.svc.cluster.local"


def test_phases_with_exceptions():
    positions = (
        "{mtls: {default: strict, permissive: [x, b]}, egress: open, authorization: {default: observed, off: [a]}}"
    )
    environment = f"platform: lab\nrevision: r\nphase: {positions}\n"
    phases = _small("a: {namespace: x}, b: {namespace: z}", environment=environment).phases
    assert phases.mtls_exceptions == (("b", model.MtlsMode.PERMISSIVE), ("x", model.MtlsMode.PERMISSIVE))
    assert phases.authorization_of(namespace="x", service="a") is model.AuthorizationMode.OFF
    assert phases.authorization_of(namespace="x") is model.AuthorizationMode.OBSERVED
    assert phases.egress is model.EgressMode.OPEN


def test_hosts_of_the_environment_replace_those_of_the_mesh():
    routes = "{/: a, /b: {service: a, port: http}}"
    externals = "external: {pay: {host: a.example.com, port: 8443}, mail: {}}\n"
    rest = f"{externals}ingress: {{front: {{routes: {routes}}}}}\n"
    environment = ENVIRONMENT + "hosts: {pay: B.example.com., mail: mail.example.com, front: www.example.com}\n"
    mesh = _small("a: {namespace: x, ports: {http: 80}}", rest=rest, environment=environment)
    assert [(item.host, item.port) for item in mesh.externals] == [("mail.example.com", 443), ("b.example.com", 8443)]
    (ingress,) = mesh.ingress
    assert (ingress.host, ingress.certificate, ingress.redirect_http) == ("www.example.com", "www-example-com", True)
    assert [route.prefix for route in ingress.routes] == ["/b", "/"]


def test_the_environment_overrides_the_plan():
    environment = ENVIRONMENT + "network: {pods: 10.99.0.0/16, controlPlane: 10.60.1.7}\n"
    network = _small("a: {namespace: x}", environment=environment).network
    assert (network.pods, network.control_plane, network.services) == ("10.99.0.0/16", "10.60.1.7", "10.62.0.0/16")


def test_azure_states_what_the_platform_does_not_know():
    networks = "pods: 10.1.0.0/16, services: 10.2.0.0/16, nodes: 10.3.0.0/16, machines: 10.4.0.0/16"
    plan = f"{networks}, infrastructure: 10.5.0.0/24"
    group = "6e5b1f1c-3d0f-4b7e-9a55-0d7f6a9c1e42"
    azure = f'azure: {{region: westeurope, kubernetes: "1.34", admins: [{group}]}}\n'
    environment = ENVIRONMENT.replace("lab", "azure") + azure + f"network: {{{plan}}}\n"
    network = _small("a: {namespace: x}", environment=environment).network
    assert (network.resolver, network.metadata) == ("168.63.129.16", "169.254.169.254")
    assert (network.vault, network.control_plane, network.ingress) == ("10.5.0.36", "10.5.0.4", "10.5.0.5")


def test_a_warning_does_not_stop():
    mesh = "mesh: shop\nservices: {}\nexternal: {pay: {host: p\u0430ypal.com}}\n"
    examined = loader.examine(
        [loader.Source(file="m", text=mesh)], loader.Source(file="e", text=ENVIRONMENT), environment_name="lab"
    )
    assert examined.mesh is not None
    assert examined.mesh.externals[0].host.startswith("xn--")
    assert [item.code for item in examined.diagnostics] == ["MESH0310"]


def test_mistakes_of_all_files_in_one_run():
    with pytest.raises(DiagnosticsError) as caught:
        _load(MESH.replace(b"service: orders,", b"service: odrers,"), LAB.replace(b"strict  ", b"strickt"))
    codes = [(item.code, item.span.file) for item in caught.value.diagnostics if item.span]
    assert codes == [("MESH0305", "lab.yaml"), ("MESH0206", "mesh.yaml")]
    with pytest.raises(DiagnosticsError) as caught:
        _load("a: [", "b: [")
    assert [item.code for item in caught.value.diagnostics] == ["MESH0105", "MESH0105"]


def _examine(mesh: bytes, environment: bytes) -> None:
    examined = loader.examine(
        [loader.Source(file="m", text=mesh)], loader.Source(file="e", text=environment), environment_name="lab"
    )
    assert (examined.mesh is None) == any(item.level.value == "error" for item in examined.diagnostics)
    assert all(item.span is not None for item in examined.diagnostics)
    render.text(examined.diagnostics)
    render.to_json(examined.diagnostics)


TOKENS = ": { } [ ] , # ' \" | > / * *a &a !!str null - -1 0 1.5 true <<: orders service é \n \t \x00"
FRAGMENTS = st.sampled_from(TOKENS.split(" ")).map(str.encode)


@settings(max_examples=400)
@given(data=st.data())
def test_mutated_files_give_diagnostics_and_nothing_else(data):
    texts = [bytearray(MESH), bytearray(LAB)]
    for _ in range(data.draw(st.integers(1, 4))):
        text = data.draw(st.sampled_from(texts))
        start = data.draw(st.integers(0, len(text)))
        length = data.draw(st.sampled_from([0, 0, 1, 3, 20, 200]))
        text[start : start + length] = data.draw(FRAGMENTS | st.binary(max_size=3))
    _examine(*(bytes(text) for text in texts))


WORDS = """
mesh services external ingress tracing zipkin a b namespace ports calls http service port runsOn names workload labels
host routes / phase mtls default strict authorization egress machines address database users network pods platform
"""
KEYS = st.sampled_from(WORDS.split())
VALUES = ["", "lab", "8080", 8080, -1, 1.5, None, True, "10.0.0.0/8", "10.0.0.1", "x.y", "GET /"]
SCALARS = KEYS | st.sampled_from(VALUES)
TREES = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(KEYS, inner, max_size=6), max_leaves=12
)


@settings(max_examples=150)
@given(mesh=st.dictionaries(KEYS, TREES), environment=st.dictionaries(KEYS, TREES))
def test_trees_of_known_words_give_diagnostics_and_nothing_else(mesh, environment):
    _examine(yaml.safe_dump(mesh).encode(), yaml.safe_dump(environment).encode())


def test_hints_of_a_hostile_file_are_bounded():
    services = "".join(f"  s{index}: {{namespace: x, calls: [{{service: t{index}}}]}}\n" for index in range(300))
    with pytest.raises(DiagnosticsError) as caught:
        _load(f"mesh: m\nservices:\n{services}", ENVIRONMENT)
    assert len(caught.value.diagnostics) == 300
    assert sum("did you mean" in item.hint for item in caught.value.diagnostics) <= 50


def test_an_exception_lasts_through_its_last_day():
    text = "services: {a: {namespace: shop}, b: {sidecar: none, from: 10.9.0.0/24, until: 2027-06-30}}"
    sources = [loader.Source(file="mesh.yaml", text=f"mesh: shop\n{text}")]
    environment = loader.Source(file="lab.yaml", text=ENVIRONMENT)
    codes = [
        [item.code for item in loader.examine(sources, environment, environment_name="lab", today=day).diagnostics]
        for day in (datetime.date(2027, 6, 30), datetime.date(2027, 7, 1), None)
    ]
    assert codes == [[], ["MESH0329"], []]
