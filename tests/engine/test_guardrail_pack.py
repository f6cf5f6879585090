"""The policy pack in the real engine: what each rule stops, and that the example passes."""

from pathlib import Path

import pytest

from policies.guardrails import pack

ROOT = Path(__file__).parents[2]
PACK = str(ROOT / "policies/guardrails/run")
PROGRAM = """
import pulumi
import pulumi_kubernetes as kubernetes
from pulumi_kubernetes.apiextensions import CustomResource

def istio(kind, name, spec, *, group="security.istio.io/v1", namespace="shop", annotations=None):
    metadata = {"name": name, "namespace": namespace, "annotations": annotations or {}}
    CustomResource(name, api_version=group, kind=kind, metadata=metadata, spec=spec)

everybody = {"matchLabels": {"app": "a"}}
istio("PeerAuthentication", "plaintext-ends", {"selector": everybody, "mtls": {"mode": "PERMISSIVE"}})
istio("WorkloadEntry", "machines-have-identities", {"address": "10.0.0.1"}, group="networking.istio.io/v1")
istio("AuthorizationPolicy", "principals-match-somebody",
      {"selector": everybody, "rules": [{"from": [{"source": {"principals": ["spiffe://cluster.local/ns/a/sa/b"]}}]}]})
istio("AuthorizationPolicy", "paths-cannot-be-bypassed",
      {"selector": everybody, "action": "DENY", "rules": [{"to": [{"operation": {"paths": ["/admin"]}}]}]})
istio("Telemetry", "nothing-for-the-whole-mesh", {}, group="telemetry.istio.io/v1", namespace="istio-system")
istio("AuthorizationPolicy", "no-allow-all", {"rules": [{}]})
istio("Gateway", "gateways-serve-declared-hosts", {"servers": [{"hosts": ["*"]}]}, group="networking.istio.io/v1")
istio("EnvoyFilter", "no-raw-filters", {}, group="networking.istio.io/v1alpha3")
kubernetes.core.v1.Service("only-declared-listeners", metadata={"name": "a", "namespace": "shop"},
                           spec={"type": "LoadBalancer", "ports": [{"port": 80}]})
kubernetes.core.v1.ConfigMap("no-secrets-in-plain-inputs", metadata={"name": "a", "namespace": "shop"},
                             data={"key": "-----BEGIN PRIVATE" + " KEY-----"})
kubernetes.helm.v3.Release("hosts-are-alive", chart="./chart", name="b", namespace="shop",
                           values={"global": {"hub": "gcr.io/istio-release"}})
"""
HEAD = PROGRAM.split("everybody =", maxsplit=1)[0]
FLOATING = 'kubernetes.helm.v3.Release("a", chart="oci://charts.example.com/istiod", version="1.*", name="a")\n'
LOCKED = """
kubernetes.helm.v3.Release("istiod", chart="./chart", name="b", namespace="shop",
                           values={"meshConfig": {"outboundTrafficPolicy": {"mode": "ALLOW_ANY"}}})
kubernetes.networking.v1.NetworkPolicy("locked", metadata={"name": "slipway-egress", "namespace": "shop"},
                                       spec={"podSelector": {}})
"""
APART = """
labels = {"topology.istio.io/network": "pods"}
kubernetes.core.v1.Namespace("system", metadata={"name": "istio-system", "labels": labels})
istio("WorkloadEntry", "db-vm", {"address": "10.0.0.1", "serviceAccount": "db-vm"}, group="networking.istio.io/v1")
"""
# Its provider cannot run without Azure; the rule itself is proved by tests/unit/test_guardrails.py.
NEEDS_AZURE = {"no-rule-from-anywhere"}
# A chart that is not there ends the preview, so this one is previewed alone.
ALONE = {"charts-are-pinned"}

pytestmark = pytest.mark.engine


@pytest.fixture
def preview(engine):
    """Return a function that previews a program with the pack attached, in a project that has a chart."""
    chart = engine.project / "chart"
    chart.mkdir()
    (chart / "Chart.yaml").write_text("apiVersion: v2\nname: chart\nversion: 1.0.0\n")

    def run(program: str) -> str:
        (engine.project / "__main__.py").write_text(program)
        done = engine("preview", "--policy-pack", PACK)
        assert done.returncode != 0
        return done.stdout + done.stderr

    return run


def test_each_rule_stops_what_it_is_there_for(preview):
    said = preview(PROGRAM)
    for rule in pack.RESOURCE_RULES:
        if rule.name not in NEEDS_AZURE | ALONE:
            assert f"{rule.name}: " in said, f"{rule.name} did not stop its resource:\n{said[-6000:]}"


def test_a_chart_without_an_exact_version_is_stopped(preview):
    said = preview(HEAD + FLOATING)
    assert "charts-are-pinned" in said
    assert "in the version `1.*`" in said


def test_a_locked_mesh_needs_proxies_that_know_their_hosts(preview):
    assert "locked-means-registry-only" in preview(HEAD + LOCKED)


def test_a_machine_without_a_network_beside_one_of_pods_is_stopped(preview):
    assert "machines-have-a-network" in preview(HEAD + APART)


def test_an_object_written_by_hand_is_planned_and_judged_like_ours(engine):
    folder = engine.project / "stacks/extra"
    folder.mkdir()
    policy = (
        "apiVersion: security.istio.io/v1\nkind: RequestAuthentication\nmetadata: {name: mine, namespace: shop}\n"
    )
    (folder / "mine.yaml").write_text(policy)
    done = engine("preview", "--policy-pack", PACK, "--json")
    assert done.returncode == 0, done.stdout[-3000:]
    assert "RequestAuthentication/shop/mine" in done.stdout
    spec = "spec: {configPatches: []}\n"
    head = "apiVersion: networking.istio.io/v1alpha3\nkind: EnvoyFilter\n"
    raw = f"{head}metadata: {{name: lua, namespace: shop}}\n{spec}"
    (folder / "raw.yaml").write_text(raw)
    done = engine("preview", "--policy-pack", PACK)
    assert done.returncode != 0
    assert "no-raw-filters" in done.stdout + done.stderr
    (folder / "raw.yaml").write_text(policy.replace("shop", "theirs"))
    done = engine("preview")
    assert done.returncode != 0
    assert "stacks/extra/raw.yaml:3:24: error MESH0702" in done.stdout + done.stderr


def test_the_example_passes(engine):
    done = engine("preview", "--policy-pack", PACK)
    assert done.returncode == 0, (done.stdout + done.stderr)[-4000:]
