"""Clusters that run Istio already, by the real engine: the platform `existing`, and a bundle on its own."""

import json
import re
from pathlib import Path

import pytest

pytestmark = pytest.mark.engine
ROOT = Path(__file__).parents[2]
NETWORK = "network: {pods: 10.2.0.0/16, services: 10.3.0.0/16, nodes: 10.1.0.0/24, machines: 10.60.2.0/24, "
NETWORK += "resolver: 10.3.0.10, metadata: 169.254.169.254, controlPlane: 10.1.0.9, ingress: 10.1.0.8}\n"


def _planned(done) -> dict[str, str]:
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    steps = json.loads(done.stdout)["steps"]
    return {item["urn"].rpartition("::")[2]: item["urn"].split("::")[2].rpartition("$")[2] for item in steps}


def test_an_adopted_cluster_gets_the_objects_and_neither_istio_nor_gateways(engine):
    path = engine.project / "stacks/lab.yaml"
    path.write_text(path.read_text().replace("platform: lab", "platform: existing") + NETWORK)
    planned = _planned(engine("preview", "--json"))
    assert not [kind for kind in planned.values() if "helm" in kind or "lab" in kind]
    assert "AuthorizationPolicy/shop/deny-all" in planned
    assert "WorkloadEntry/data/db-vm" in planned
    assert {name for name, kind in planned.items() if kind.endswith(":Namespace")} == {
        "Namespace/back-office",
        "Namespace/data",
    }
    assert planned["Namespace/shop"].endswith(":NamespacePatch")


def test_a_bundle_stands_alone_in_a_program_of_one_s_own(engine):
    page = (ROOT / "docs/bundles.md").read_text()
    (program,) = re.findall(r"```python\n(.*?)```", page, re.DOTALL)
    (engine.project / "__main__.py").write_text(program)
    planned = _planned(engine("preview", "--json"))
    kinds = {kind.rpartition(":")[2] for kind in planned.values()}
    assert kinds == {
        *("Stack", "kubernetes", "PolicyBundle", "PeerAuthentication", "AuthorizationPolicy"),
    }
