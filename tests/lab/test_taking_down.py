"""`pulumi destroy` opens nothing before its end, and `slipway lab down` leaves nothing."""

import json
import os
import subprocess
import time

import pytest
import traces
from running import INSTANCE, ROOT, succeed

from slipway.rollout import expectations, probes
from slipway.world import kubernetes

pytestmark = pytest.mark.lab

OURS = "app.kubernetes.io/managed-by=slipway"
KINDS = (
    ("security.istio.io/v1", "AuthorizationPolicy"),
    ("security.istio.io/v1", "PeerAuthentication"),
    ("networking.istio.io/v1", "VirtualService"),
    ("networking.istio.io/v1", "WorkloadEntry"),
    ("networking.k8s.io/v1", "NetworkPolicy"),
    ("v1", "Namespace"),
    ("v1", "ServiceAccount"),
)


LIMIT_S = 180
ISTIOD = kubernetes.Kind(api_version="apps/v1", kind="Deployment")
# What the example's own pod may not do: an undeclared method, and an outside host that is not declared.
FORBIDDEN = [
    {"name": "method", "kind": "http", "address": "orders.shop:8080", "method": "DELETE", "path": "/api/orders"},
    {"name": "outside", "kind": "http", "address": "203.0.113.20:443", "path": "/", "tls": {"unverified": True}},
]


def opened(cluster) -> dict[str, str]:
    """Return which forbidden requests get through from storefront's pod, and what came of them.

    Where a proxy reached nobody, nobody has decided anything.
    """
    pods = cluster.list(kubernetes.POD, namespace="shop", labels="app=storefront")
    name = next(pod["metadata"]["name"] for pod in pods if not kubernetes.pod_missing(pod))
    sent = json.dumps([{**probe, "timeout_ms": 1500} for probe in FORBIDDEN]).encode()
    done = cluster.execute("shop", name, "app", ["/probe"], stdin=sent, timeout_s=20)
    results = probes.results(done.stdout)
    assert len(results) == len(FORBIDDEN), done.stderr
    answers = {name: item for name, item in results.items() if item.outcome == "answer"}
    return {
        name: str(item)
        for name, item in answers.items()
        if not item.code.startswith("403") and not expectations.decides_nothing(item)
    }


def test_destroy_opens_nothing_while_istiod_could_still_say_so(running_lab):
    cluster = running_lab.cluster
    assert opened(cluster) == {}
    command = ["pulumi", "--non-interactive", "destroy", "--yes", "--skip-preview", "--stack", "lab"]
    environment = {**os.environ, **running_lab.variables}
    with subprocess.Popen(command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, text=True) as destroy:
        looked, ends = 0, time.monotonic() + LIMIT_S
        while destroy.poll() is None:
            if time.monotonic() > ends:
                destroy.kill()
            through = opened(cluster)
            looked += 1
            if through:
                assert cluster.get(ISTIOD, "istiod-1-29-1", namespace="istio-system") is None, through
        said = destroy.communicate()[0]
    assert destroy.returncode == 0, said
    assert looked > 5


def test_destroy_takes_away_what_up_made(running_lab):
    left = [
        item["metadata"]["name"]
        for version, kind in KINDS
        for item in _found(running_lab.cluster, kubernetes.Kind(api_version=version, kind=kind))
    ]
    assert left == ["back-office", "data"]  # declared namespaces stay: others may have moved in
    for namespace in left:
        assert list(running_lab.cluster.list(kubernetes.POD, namespace=namespace)) == []
        assert list(running_lab.cluster.list(kubernetes.SERVICE, namespace=namespace)) == []
    shop = running_lab.cluster.get(kubernetes.NAMESPACE, "shop")
    assert shop is not None
    assert "istio.io/rev" not in shop["metadata"]["labels"]
    assert running_lab.slipway("lab", "status", INSTANCE).returncode == 0


def _found(cluster, kind) -> list:
    try:
        return list(cluster.list(kind, labels=OURS))
    except kubernetes.KubernetesError as error:
        if error.status == 404:  # the kind went with Istio's definitions
            return []
        raise


def test_down_leaves_nothing(running_lab):
    succeed(running_lab.slipway("lab", "down", INSTANCE))
    after = traces.of(INSTANCE)
    assert after.processes == frozenset()
    others = {path.stem for path in running_lab.instance.state.parent.iterdir()} - {INSTANCE}
    for what in ("namespaces", "mounts", "links", "control_groups", "rules"):
        new = getattr(after, what) - getattr(running_lab.before, what)
        new = {item for item in new if not any(f"slipway-{name}-" in item or f"/{name}/" in item for name in others)}
        assert not new, f"{what}: {sorted(new)}"
    assert not running_lab.instance.state.exists()


def test_down_again_is_fine():
    done = traces.of(INSTANCE)
    assert done.processes == frozenset()
