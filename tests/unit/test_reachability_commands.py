"""The commands of reachability as people call them: exit codes, nearest names, JSON and CSV."""

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from slipway import cli
from slipway.world import kubernetes, kubernetes_fake

ROOT = Path(__file__).parents[2]
DENIED_LINE = {
    "caller": "spiffe://cluster.local/ns/shop/sa/storefront",
    "callee": "spiffe://cluster.local/ns/shop/sa/orders",
    "local": "10.61.0.9:8080",
    "method": "GET",
    "path": "/other",
    "authority": "orders:8080",
    "code": 403,
    "code_details": "rbac_access_denied_matched_policy[none]",
}


@pytest.fixture
def call(tmp_path, monkeypatch):
    for name in ("stacks", "examples"):
        shutil.copytree(ROOT / name, tmp_path / name)
    monkeypatch.chdir(tmp_path)

    def invoke(*words: str, stdin=None) -> Any:
        return CliRunner().invoke(cli.main, list(words), input=stdin)

    return invoke


def test_can_i_says_why_and_its_exit_code_is_the_answer(call):
    allowed = call(
        "can-i", "lab", "--from", "storefront", "--to", "orders", "--method", "POST", "--path", "/api/orders"
    )
    assert allowed.exit_code == 0
    assert "AuthorizationPolicy shop/orders.pods, rule" in allowed.output
    denied = call("can-i", "lab", "--from", "storefront", "--to", "orders-db.data", "--json")
    assert denied.exit_code == 1
    assert json.loads(denied.output)[0]["decidedBy"]["hop"] == "source sidecar"


def test_can_i_from_outside_and_to_outside(call):
    redirected = call("can-i", "lab", "--from", "outside", "--to", "shop.example.com", "--port", "80", "--path", "/")
    assert "client sees: 301" in redirected.output
    inside = call(
        *("can-i", "lab", "--from", "outside", "--to", "shop.example.com", "--port", "443", "--path", "/"),
        *("--sni", "shop.example.com"),
    )
    assert inside.exit_code == 0
    assert call("can-i", "lab", "--from", "storefront", "--to", "payments.example.com").exit_code == 0
    assert call("can-i", "lab", "--from", "orders", "--to", "payments.example.com").exit_code == 1


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("--from", "storfront", "--to", "orders"), "did you mean `shop/storefront`"),
        (("--from", "storefront", "--to", "order"), "did you mean `orders`"),
        (("--from", "storefront", "--to", "example.com"), "state --port"),
    ],
)
def test_names_that_do_not_exist(call, words, told):
    found = call("can-i", "lab", *words)
    assert found.exit_code == 2
    assert told in found.output


def test_environment_that_does_not_exist(call):
    assert call("matrix", "labb").exit_code == 2


def test_matrix_in_three_shapes(call):
    assert "POST /invoices  <- shop/orders  [mTLS]" in call("matrix", "lab").output
    rows = json.loads(call("matrix", "lab", "--json").output)
    assert {"host": "orders.shop.svc.cluster.local", "port": 8080}.items() <= next(
        row for row in rows if row["sources"] == ["shop/storefront"] and row["namespace"] == "shop"
    ).items()
    assert call("matrix", "lab", "--format", "csv").output.startswith("source,host,port,request,outcome")


def test_a_changed_path_is_exactly_what_the_difference_shows(call):
    git = ["git", "-c", "user.name=t", "-c", "user.email=t@example.com"]
    for words in (["init", "-q"], ["add", "-A"], ["commit", "-qm", "before"]):
        subprocess.run([*git, *words], check=True)
    mesh = Path("stacks/mesh.yaml")
    mesh.write_text(mesh.read_text().replace("POST /invoices", "POST /bills"))
    found = call("diff", "git:HEAD", "lab", "--json")
    assert found.exit_code == 1
    told = json.loads(found.output)
    hosts = {"billing.back-office.svc.cluster.local", "billing.corp.local"}
    assert {(item["host"], item["request"], *item["sources"]) for item in told["gained"]} == {
        (host, "POST /bills", "shop/orders") for host in hosts
    }
    assert {(item["host"], item["request"], *item["sources"]) for item in told["lost"]} == {
        (host, "POST /invoices", "shop/orders") for host in hosts
    }
    assert told["changed"] == []
    assert call("diff", "lab", "lab").exit_code == 0


def test_a_folder_of_manifests(call):
    Path("set").mkdir()
    spec = "spec: {selector: {app: a}, ports: [{port: 80}]}"
    text = f"apiVersion: v1\nkind: Service\nmetadata: {{name: a, namespace: x}}\n{spec}\n"
    Path("set/a.yaml").write_text(text)
    assert call("matrix", "./set").exit_code == 0
    Path("set/a.yaml").write_text("kind: [")
    assert call("matrix", "./set").exit_code == 2


@pytest.mark.parametrize("command", [["can-i", "./typos", "--from", "web", "--to", "web"], ["matrix", "./typos"]])
def test_a_policy_that_selects_nothing_is_told_with_its_line(call, command):
    case = ROOT / "tests/cases/diagnostics/0504-selectors/manifests.yaml"
    Path("typos").mkdir()
    shutil.copy(case, "typos/objects.yaml")
    line = 1 + case.read_text().splitlines().index("# A typo: web is open.") + 1
    done = call(*command)
    assert done.exit_code == 2
    assert f"typos/objects.yaml:{line}:1: error MESH0504: AuthorizationPolicy shop/mistyped" in done.stderr
    assert "did you mean `app: web`?" in done.stderr


def test_explain_a_refused_request(call):
    found = call("explain", "lab", stdin=json.dumps(DENIED_LINE))
    assert found.exit_code == 1
    assert "the proxy said: no ALLOW policy has a rule that matches" in found.output
    assert "the objects say: denied" in found.output
    assert call("explain", "lab", "not json").exit_code == 2
    assert call("explain", "lab", "{}").exit_code == 2


def test_a_running_cluster(call, monkeypatch):
    cluster = kubernetes_fake.FakeKubernetes()
    metadata = {"name": "a-1", "namespace": "x", "labels": {"app": "a"}, "generateName": "a-", "finalizers": ["f"]}
    pod = {"spec": {"containers": [], "serviceAccountName": "a"}, "status": {"podIP": "10.0.0.1"}}
    cluster.apply({"apiVersion": "v1", "kind": "Pod", "metadata": metadata, **pod})
    ports = [{"name": "http", "port": 80}]
    service = {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "a", "namespace": "x"}}
    cluster.apply({**service, "spec": {"selector": {"app": "a"}, "ports": ports, "clusterIP": "10.1.0.1"}})
    monkeypatch.setattr(kubernetes, "connect", lambda *_, **__: cluster)
    assert "a.x.svc.cluster.local:80\n   *  <- x/a-1, (no proxy)  [plaintext]" in call("matrix", "live").output
