"""Compiled policies in a running mesh: every position, from two identities, measured on fresh connections.

The mesh of the instance (`SLIPWAY_TEST_INSTANCE`, otherwise `test`) must be up; everything happens in two namespaces
of its own, which are removed afterwards.
"""

import json
import os
from pathlib import Path

import pytest
import yaml

from policies.bundles import bundle, compiler, objects
from slipway.lab import instance as instances
from slipway.lab import lab
from slipway.mesh import loader
from slipway.world import kubernetes

pytestmark = pytest.mark.lab

ROOT = Path(__file__).parents[2]
NAMESPACES = ("bundles-callers", "bundles-servers")
PORTS = {"caller": {"http": 8080}, "stranger": {"http": 8080}, "api": {"http": 8080, "http-admin": 8081}}
PORTS |= {"shy": {"http": 8080}, "store": {"tcp": 5432}}
CALLERS = ("caller", "stranger")
MESH = """
mesh: bundles
services:
  caller:
    namespace: bundles-callers
    ports: {http: 8080}
    calls:
      - {service: api, port: http, http: ["GET /healthz"]}
      - {service: shy, http: ["GET /healthz"]}
      - {service: store}
  stranger: {namespace: bundles-callers, ports: {http: 8080}}
  api:
    namespace: bundles-servers
    names: [api.old.example]
    ports: {http: 8080, admin: {protocol: http, port: 8081}}
  shy: {namespace: bundles-servers, ports: {http: 8080}}
  store: {namespace: bundles-servers, names: [store.old.example], ports: {tcp: 5432}}
"""
ENVIRONMENT = """
platform: lab
phase: {{mtls: strict, egress: locked, authorization: {authorization}}}
revision: "1-29-1"
"""
# What a row sends, and what comes of it by position: of the caller and of the stranger. A number is the answer's
# code; "cut" is a connection that its own side or the server ends; "nameless" a name that does not resolve.
REQUESTS = {
    "declared": ("api.bundles-servers:8080", "GET", "/healthz"),
    "another path": ("api.bundles-servers:8080", "GET", "/x"),
    "another method": ("api.bundles-servers:8080", "POST", "/healthz"),
    "another port": ("api.bundles-servers:8081", "GET", "/healthz"),
    "today's name": ("api.old.example:8080", "GET", "/healthz"),
    "today's name, another path": ("api.old.example:8080", "GET", "/x"),
    "not HTTP": ("store.bundles-servers:5432", "GET", "/healthz"),
    "not HTTP, today's name": ("store.old.example:5432", "GET", "/healthz"),
    "shy": ("shy.bundles-servers:8080", "GET", "/healthz"),
    "shy, another path": ("shy.bundles-servers:8080", "GET", "/x"),
}
ALLOWED = {"declared": "200", "today's name": "200", "not HTTP": "200", "not HTTP, today's name": "200", "shy": "200"}
OPEN = {name: "404" if path == "/x" else "405" if method == "POST" else "200" for name, (_, method, path) in REQUESTS.items()}  # fmt: skip # noqa: E501
EXPECTED = {
    "enforced": {
        "caller": {name: ALLOWED.get(name, "403") for name in REQUESTS},
        "stranger": {name: "nameless" if "today" in name else "cut" for name in REQUESTS},
    },
    "{default: enforced, observed: [shy]}": {
        "caller": {name: "404" if name == "shy, another path" else ALLOWED.get(name, "403") for name in REQUESTS},
        "stranger": {
            name: OPEN[name] if "shy" in name else "403" if "HTTP" not in name else "cut" for name in REQUESTS
        },
    },
    "observed": {"caller": OPEN, "stranger": OPEN},
}


def _compiled(authorization) -> bundle.Bundle:
    mesh = loader.Source(file="mesh.yaml", text=MESH)
    environment = loader.Source(file="bundles.yaml", text=ENVIRONMENT.format(authorization=authorization))
    return compiler.compile_bundle(loader.load([mesh], environment, environment_name="bundles"))


def _image() -> str:
    text = (ROOT / "examples/shop/cluster/storefront.yaml").read_text(encoding="utf-8")
    deployment = next(item for item in yaml.safe_load_all(text) if item["kind"] == "Deployment")
    return deployment["spec"]["template"]["spec"]["containers"][0]["image"]


def _namespace(name) -> str:
    return NAMESPACES[0] if name in CALLERS else NAMESPACES[1]


def _pod(name) -> dict[str, object]:
    environment = {"ROLE": "storefront", "ORDERS_URL": "http://orders", "PAYMENTS_URL": "https://payments"}
    containers = [
        {
            "name": f"port-{number}",
            "image": _image(),
            "imagePullPolicy": "IfNotPresent",
            "command": ["/app"],
            "env": [{"name": key, "value": value} for key, value in {**environment, "LISTEN": f":{number}"}.items()],
        }
        for number in PORTS[name].values()
    ]
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "namespace": _namespace(name), "labels": {"app": name}},
        "spec": {"serviceAccountName": name, "terminationGracePeriodSeconds": 1, "containers": containers},
    }


def _around(name) -> list[dict[str, object]]:
    metadata = {"name": name, "namespace": _namespace(name)}
    ports = [{"name": key, "port": number} for key, number in PORTS[name].items()]
    return [
        {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": metadata},
        {
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": metadata,
            "spec": {"selector": {"app": name}, "ports": ports},
        },
    ]


def _await_ready(cluster, names) -> None:
    for name in names:
        kubernetes.wait_until(
            f"the pod {name}",
            lambda name=name: kubernetes.pod_missing(cluster.get(kubernetes.POD, name, namespace=_namespace(name))),
            timeout_s=90,
        )


@pytest.fixture(scope="module")
def cluster():
    instance = instances.named(os.environ.get("SLIPWAY_TEST_INSTANCE", "test"))
    found = kubernetes.connect(lab.Lab(instance=instance).kubeconfig)
    try:
        for namespace in NAMESPACES:
            labels = {"istio.io/rev": "1-29-1"}
            found.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace, "labels": labels}})
        for name in PORTS:
            for body in (*_around(name), _pod(name)):
                found.apply(body)
        _await_ready(found, PORTS)
        yield found
    finally:
        for namespace in NAMESPACES:
            found.delete(kubernetes.NAMESPACE, namespace)
        for namespace in NAMESPACES:
            kubernetes.wait_until(
                f"the end of the namespace {namespace}",
                lambda namespace=namespace: "still there" * bool(found.get(kubernetes.NAMESPACE, namespace)),
                timeout_s=60,
            )
        found._client.rest_client.pool_manager.clear()  # idle connections, which are warnings when they are forgotten


def _apply(cluster, compiled) -> None:
    """Bring the namespaces' policies to `compiled`, and give the callers fresh proxies without old connections."""
    wanted = [item for item in compiled.manifests if item.namespace in NAMESPACES]
    for kind in ("AuthorizationPolicy", "Sidecar", "ServiceEntry", "PeerAuthentication", "NetworkPolicy"):
        keys = {(item.namespace, item.name) for item in wanted if item.kind == kind}
        found = kubernetes.Kind(api_version=objects.API_VERSIONS[kind], kind=kind)
        for namespace in NAMESPACES:
            for item in cluster.list(found, namespace=namespace):
                if (namespace, item["metadata"]["name"]) not in keys:
                    cluster.delete(found, item["metadata"]["name"], namespace=namespace)
    for item in wanted:
        cluster.apply(item.to_dict())
    for name in CALLERS:
        cluster.delete(kubernetes.POD, name, namespace=_namespace(name), grace_s=0)
    for name in CALLERS:
        kubernetes.wait_until(
            f"the end of the pod {name}",
            lambda name=name: "still there" * bool(cluster.get(kubernetes.POD, name, namespace=_namespace(name))),
            timeout_s=60,
        )
        cluster.apply(_pod(name))
    _await_ready(cluster, CALLERS)


def _measure(cluster, name) -> dict[str, str]:
    probes = [
        {"name": row, "kind": "http", "address": address, "method": method, "path": path, "timeout_ms": 4000}
        for row, (address, method, path) in REQUESTS.items()
    ]
    done = cluster.execute(
        _namespace(name), name, "port-8080", ["/probe"], stdin=json.dumps(probes).encode(), timeout_s=60
    )
    assert done.exit_status == 0, done.stderr
    results = map(json.loads, done.stdout.splitlines())
    cut = {"reset": "cut", "eof": "cut", "unresolved": "nameless"}
    return {item["name"]: cut.get(item["outcome"], item.get("code", item["outcome"])) for item in results}


@pytest.mark.parametrize("position", EXPECTED)
def test_calls_go_as_the_position_says(cluster, position):
    _apply(cluster, _compiled(position))
    measured = {}

    def missing() -> str:
        measured.update({name: _measure(cluster, name) for name in CALLERS})
        return "" if measured == EXPECTED[position] else "some calls go another way"

    # Servers take over a changed listener a moment after the callers are back.
    try:
        kubernetes.wait_until("calls as declared", missing, timeout_s=20, pause_s=1)
    except kubernetes.NotMetError:
        assert measured == EXPECTED[position]


def test_a_rehearsal_is_told_in_the_access_log(cluster):
    _apply(cluster, _compiled("observed"))
    _measure(cluster, "stranger")

    def missing() -> str:
        lines = cluster.logs(NAMESPACES[1], "api", "istio-proxy", since_s=60).splitlines()
        told = [json.loads(line) for line in lines if line.startswith("{")]
        results = {(item["caller"], item["path"], item["dry_run_allow_http"]) for item in told if item["path"]}
        stranger = f"spiffe://cluster.local/ns/{NAMESPACES[0]}/sa/stranger"
        return "" if (stranger, "/healthz", "denied") in results else f"no rehearsed refusal among {results}"

    kubernetes.wait_until("the access log", missing, timeout_s=20)
