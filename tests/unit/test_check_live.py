"""`slipway check --live` against the public fake of a cluster, as a user types it."""

import json
from pathlib import Path

import pytest
import yaml
from click.testing import CliRunner, Result

from slipway import cli
from slipway.cli import clusters
from slipway.world import kubernetes, live
from slipway.world.kubernetes_fake import FakeKubernetes

ROOT = Path(__file__).parents[2]
TEAMS = sorted((ROOT / "examples/shop/cluster").glob("*.yaml"))


def _pod_of(deployment) -> dict:
    template = deployment["spec"]["template"]
    metadata = {
        **template["metadata"],
        "name": f"{deployment['metadata']['name']}-0",
        "namespace": deployment["metadata"]["namespace"],
        "annotations": {"sidecar.istio.io/status": json.dumps({"revision": "1-29-1"})},
    }
    spec = {**template["spec"], "containers": [*template["spec"]["containers"], {"name": "istio-proxy"}]}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec}


@pytest.fixture
def cluster(monkeypatch):
    """Return a cluster that runs the example as its teams would, with sidecars and the machines' entries."""
    fake = FakeKubernetes()
    documents = [item for path in TEAMS for item in yaml.safe_load_all(path.read_text())]
    documents += [_pod_of(item) for item in documents if item["kind"] == "Deployment"]
    for item in documents:
        if item["kind"] == "Namespace":
            item["metadata"]["labels"] = {"istio.io/rev": "1-29-1"}
        fake.apply(item)
    for name, namespace, address in (("billing-vm", "back-office", "10.60.2.11"), ("db-vm", "data", "10.60.2.12")):
        fake.apply(
            {
                "apiVersion": "networking.istio.io/v1",
                "kind": "WorkloadEntry",
                "metadata": {"name": name, "namespace": namespace},
                "spec": {"address": address, "serviceAccount": name, "labels": {"slipway.dev/machine": name}},
            }
        )
    monkeypatch.setattr(clusters, "connect", lambda **_: fake)
    monkeypatch.chdir(ROOT)
    return fake


def _check(*arguments: str, code: int) -> Result:
    done = CliRunner().invoke(cli.main, ["check", "lab", "--live", *arguments])
    assert done.exit_code == code, done.output
    return done


def test_the_example_fits_what_its_teams_run(cluster):
    done = _check(code=0)
    assert done.stdout.endswith("and fit what runs\n")
    assert done.stderr == ""


def test_a_selector_that_matches_nothing_any_more_is_an_error_at_its_service(cluster):
    for kind in ("apps/v1 Deployment", "v1 Pod"):
        api_version, name = kind.split()
        asked = kubernetes.Kind(api_version=api_version, kind=name)
        body = next(item for item in cluster.list(asked) if item["metadata"]["name"].startswith("orders"))
        labels = body["metadata"]["labels"] if name == "Pod" else body["spec"]["template"]["metadata"]["labels"]
        labels["app"] = "order"
        cluster.apply(body)
    found = json.loads(_check("--json", code=2).stdout)
    nothing = next(item for item in found if item["code"] == "MESH0601")
    assert nothing["level"] == "error"
    lines = (ROOT / "stacks/mesh.yaml").read_text().splitlines()
    assert lines[nothing["span"]["line"] - 1][nothing["span"]["column"] - 1 :].startswith("orders:")


@pytest.mark.parametrize(("protocol", "code"), [("http", 0), ("tcp", 2), (None, 2)])
def test_y17_pods_behind_two_services_have_one_protocol_on_a_port(cluster, protocol, code):
    port = {"port": 9999, "targetPort": 8080, **({"appProtocol": protocol} if protocol else {})}
    metadata = {"name": "orders-again", "namespace": "shop"}
    spec = {"selector": {"app": "orders"}, "ports": [port]}
    cluster.apply({"apiVersion": "v1", "kind": "Service", "metadata": metadata, "spec": spec})
    told = _check(code=code).stderr
    assert ("error MESH0604" in told and "`shop/orders-again` leads to port 8080 of `orders` too" in told) is bool(
        code
    )


@pytest.mark.parametrize("level", ["pod", "container"])
def test_y16_an_application_that_runs_as_the_sidecars_user_is_past_the_sidecar(cluster, level):
    pods = kubernetes.Kind(api_version="v1", kind="Pod")
    body = next(item for item in cluster.list(pods) if item["metadata"]["name"].startswith("orders"))
    own = next(item for item in body["spec"]["containers"] if item["name"] != "istio-proxy")
    own.pop("securityContext", None)
    place = body["spec"] if level == "pod" else own
    place["securityContext"] = {"runAsUser": 1337}
    cluster.apply(body)
    told = _check(code=2).stderr
    assert "error MESH0610" in told
    assert f"{own['name']} of Pod {body['metadata']['name']}" in told


def test_what_up_sets_right_is_only_a_warning(cluster):
    entry = kubernetes.Kind(api_version="networking.istio.io/v1", kind="WorkloadEntry")
    cluster.delete(entry, "billing-vm", namespace="back-office")
    done = _check(code=0)
    assert "warning MESH0607" in done.stderr


class _Refusing(FakeKubernetes):
    """A cluster that refuses to list one kind with one status."""

    refused: str = ""
    status: int = 0

    def list(self, kind, *, namespace="", labels="") -> list:
        if kind.kind == self.refused:
            raise kubernetes.KubernetesError(f"here: {kind.kind} is refused", status=self.status)
        return super().list(kind, namespace=namespace, labels=labels)


def _refusing(kind, status) -> _Refusing:
    found = _Refusing()
    found.refused, found.status = kind, status
    return found


def test_a_cluster_that_refuses_is_an_effect_that_failed(monkeypatch, cluster):
    monkeypatch.setattr(clusters, "connect", lambda **_: _refusing("Pod", 403))
    assert "here: Pod is refused" in _check(code=1).stderr


def test_reading_leaves_out_what_goes_away_and_kinds_that_are_not_there():
    fake = _refusing("WorkloadEntry", 404)
    for name, more in (("stays", {}), ("goes", {"deletionTimestamp": "2026-11-21T00:00:00Z"})):
        metadata = {"name": name, "namespace": "shop", "uid": "1", **more}
        fake.apply({"apiVersion": "v1", "kind": "Pod", "metadata": metadata})
    found = live.read(fake, [("v1", "Pod"), ("networking.istio.io/v1", "WorkloadEntry")])
    assert [(item.kind, item.name) for item in found] == [("Pod", "stays")]


def test_the_mesh_configuration_is_compared_and_one_that_may_not_be_read_is_told(monkeypatch, cluster):
    data = {"mesh": "enableAutoMtls: false\n"}
    metadata = {"name": "istio-1-29-1", "namespace": "istio-system"}
    cluster.apply({"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": data})
    assert "warning MESH0612: automatic mutual TLS is turned off" in _check(code=0).stderr
    refusing = _refusing("ConfigMap", 403)
    refusing._objects = cluster._objects
    monkeypatch.setattr(clusters, "connect", lambda **_: refusing)
    told = _check(code=0).stderr
    assert (
        "stacks/lab.yaml:11:1: warning MESH0612: the mesh configuration of revision `1-29-1` was not compared" in told
    )
    refusing.status = 500
    assert "here: ConfigMap is refused" in _check(code=1).stderr


def test_the_mesh_configuration_that_render_prints_fits(cluster):
    printed = yaml.safe_load(CliRunner().invoke(cli.main, ["render", "lab", "--mesh-config"]).stdout)
    assert printed["env"]["ISTIO_MULTIROOT_MESH"] == "true"
    metadata = {"name": "istio-1-29-1", "namespace": "istio-system"}
    data = {"mesh": yaml.safe_dump(printed["meshConfig"])}
    cluster.apply({"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": data})
    assert _check(code=0).stderr == ""
    printed["meshConfig"]["extensionProviders"].pop()
    data = {"mesh": yaml.safe_dump(printed["meshConfig"])}
    cluster.apply({"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": data})
    assert _check(code=0).stderr.count("warning MESH0612") == 1
