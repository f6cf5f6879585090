import http.server
import json
import threading

import pytest
import yaml

from slipway.world import kubernetes
from slipway.world.kubernetes_fake import FakeKubernetes

RESOURCES = {
    "/api/v1": [("pods", "Pod", True), ("pods/exec", "PodExecOptions", True), ("namespaces", "Namespace", False)],
    "/apis/security.istio.io/v1": [("authorizationpolicies", "AuthorizationPolicy", True)],
}
POLICY = kubernetes.Kind(api_version="security.istio.io/v1", kind="AuthorizationPolicy")


class Handler(http.server.BaseHTTPRequestHandler):
    def answer(self) -> None:
        length = int(self.headers.get("Content-Length", 0))
        body = self.rfile.read(length).decode()
        self.server.asked.append((self.command, self.path, self.headers.get("Content-Type"), body))
        status, found = self.server.answers.get((self.command, self.path), (404, None))
        if self.path in RESOURCES:
            keys = ("name", "kind", "namespaced")
            status, found = 200, {"resources": [dict(zip(keys, item, strict=True)) for item in RESOURCES[self.path]]}
        if found is None:
            found = {"kind": "Status", "message": f"{self.path} not found"}
        payload = json.dumps(found).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(payload)))
        self.end_headers()
        self.wfile.write(payload)

    do_GET = do_PATCH = do_DELETE = answer  # noqa: N815 - the names that the base class calls

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def server():
    found = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    found.asked, found.answers = [], {}
    thread = threading.Thread(target=found.serve_forever)
    thread.start()
    yield found
    found.shutdown()
    thread.join()
    found.server_close()


@pytest.fixture
def cluster(server, tmp_path):
    return kubernetes.connect(kubeconfig(tmp_path, server.server_address[1]))


def kubeconfig(folder, port):
    path = folder / "kubeconfig"
    document = {
        "current-context": "here",
        "contexts": [{"name": "here", "context": {"cluster": "here", "user": "me"}}],
        "clusters": [{"name": "here", "cluster": {"server": f"http://127.0.0.1:{port}"}}],
        "users": [{"name": "me", "user": {"token": "t0ken"}}],
    }
    path.write_text(yaml.safe_dump(document))
    return path


def test_an_object_that_is_not_there_is_none(cluster):
    assert cluster.get(kubernetes.POD, "gone", namespace="shop") is None
    unknown = kubernetes.Kind(api_version="nobody.example.com/v1", kind="Thing")
    assert cluster.get(unknown, "gone", namespace="shop") is None


def test_applying_is_server_side_and_takes_over(cluster, server):
    body = {**vars_of(POLICY), "metadata": {"name": "deny-all", "namespace": "shop"}, "spec": {}}
    path = "/apis/security.istio.io/v1/namespaces/shop/authorizationpolicies/deny-all?fieldManager=slipway&force=true"
    server.answers["PATCH", path] = (200, body)
    assert cluster.apply(body) == body
    command, asked, content_type, sent = server.asked[-1]
    assert (command, asked, content_type) == ("PATCH", path, "application/apply-patch+yaml")
    assert json.loads(sent) == body


def test_examining_is_strict_and_stores_nothing(cluster, server):
    body = {**vars_of(POLICY), "metadata": {"name": "deny-all", "namespace": "shop"}, "spec": {"actoin": "ALLOW"}}
    words = "fieldManager=slipway&force=true&dryRun=All&fieldValidation=Strict"
    path = f"/apis/security.istio.io/v1/namespaces/shop/authorizationpolicies/deny-all?{words}"
    server.answers["PATCH", path] = (200, body)
    cluster.examine(body)
    assert server.asked[-1][:3] == ("PATCH", path, "application/apply-patch+yaml")
    server.answers["PATCH", path] = (500, {"message": "field not declared in schema"})
    with pytest.raises(kubernetes.KubernetesError, match="field not declared in schema"):
        cluster.examine(body)


def test_a_pods_port_is_asked_through_the_api_server(cluster, server):
    path = "/api/v1/namespaces/istio-system/pods/istiod-1:15014/proxy/metrics"
    server.answers["GET", path] = (200, {"rejects": 0})
    assert json.loads(cluster.through("istio-system", "istiod-1", 15014, "/metrics")) == {"rejects": 0}


def vars_of(kind):
    return {"apiVersion": kind.api_version, "kind": kind.kind}


def test_listing_selects_by_label_and_tells_each_kind(cluster, server):
    path = "/api/v1/namespaces/shop/pods?labelSelector=app%3Dorders"
    server.answers["GET", path] = (200, {"items": [{"metadata": {"name": "orders-1"}}]})
    assert cluster.list(kubernetes.POD, namespace="shop", labels="app=orders") == [
        {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "orders-1"}}
    ]


def test_deleting_tells_whether_it_was_there(cluster, server):
    server.answers["DELETE", "/api/v1/namespaces/shop/pods/old"] = (200, {})
    assert cluster.delete(kubernetes.POD, "old", namespace="shop", grace_s=0)
    assert json.loads(server.asked[-1][3])["gracePeriodSeconds"] == 0
    assert not cluster.delete(kubernetes.POD, "never", namespace="shop")


def test_a_refusal_tells_the_cluster_what_was_asked_and_why(cluster, server):
    server.answers["GET", "/api/v1/namespaces/shop/pods/x"] = (403, {"message": 'pods "x" is forbidden'})
    with pytest.raises(kubernetes.KubernetesError) as caught:
        cluster.get(kubernetes.POD, "x", namespace="shop")
    assert caught.value.status == 403
    assert "GET http://127.0.0.1" in str(caught.value)
    assert 'pods "x" is forbidden' in str(caught.value)
    assert "t0ken" not in str(caught.value)


def test_a_cluster_that_does_not_answer_is_an_error_of_ours(tmp_path):
    with http.server.HTTPServer(("127.0.0.1", 0), Handler) as closed:
        port = closed.server_address[1]
    unreachable = kubernetes.connect(kubeconfig(tmp_path, port))
    with pytest.raises(kubernetes.KubernetesError, match=f"GET http://127.0.0.1:{port}/api/v1"):
        unreachable.get(kubernetes.POD, "x", namespace="shop")
    with pytest.raises(kubernetes.KubernetesError, match="run /probe in shop/orders-1"):
        unreachable.execute("shop", "orders-1", "app", ["/probe"], timeout_s=1)


def test_a_kubeconfig_that_cannot_be_used_is_named(tmp_path):
    with pytest.raises(kubernetes.KubernetesError, match="missing"):
        kubernetes.connect(tmp_path / "missing")


def test_waiting_ends_with_what_is_missing():
    answers = iter(["two", "one", ""])
    kubernetes.wait_until("pods", lambda: next(answers), timeout_s=5, pause_s=0)
    with pytest.raises(kubernetes.NotMetError, match=r"pods: not after 0 s: one of them"):
        kubernetes.wait_until("pods", lambda: "one of them", timeout_s=0)


def test_a_pod_that_is_not_ready_says_why():
    waiting = {"name": "app", "state": {"waiting": {"reason": "ImagePullBackOff", "message": "no such image"}}}
    pod = {"status": {"phase": "Pending", "containerStatuses": [waiting]}}
    assert kubernetes.pod_missing(pod) == "phase Pending; app: ImagePullBackOff no such image"
    assert kubernetes.pod_missing(None) == "it does not exist"
    assert kubernetes.pod_missing({"status": {"conditions": [{"type": "Ready", "status": "True"}]}}) == ""


def test_the_fake_keeps_what_is_applied_and_selects_like_a_cluster():
    fake = FakeKubernetes()
    for name, app in (("a", "orders"), ("b", "billing")):
        metadata = {"name": name, "namespace": "shop", "labels": {"app": app, "x": "1"}}
        fake.apply({"apiVersion": "v1", "kind": "Pod", "metadata": metadata})
    names = lambda labels: [item["metadata"]["name"] for item in fake.list(kubernetes.POD, labels=labels)]  # noqa: E731
    assert names("x") == ["a", "b"]
    assert names("x,app=billing") == ["b"]
    assert fake.list(kubernetes.POD, namespace="elsewhere") == []
    assert kubernetes.pod_missing(fake.get(kubernetes.POD, "a", namespace="shop")) == ""
    assert fake.delete(kubernetes.POD, "a", namespace="shop")
    assert not fake.delete(kubernetes.POD, "a", namespace="shop")
