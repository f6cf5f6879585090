"""The checkout's own program for the examples on Azure, by the real engine against the stand-in."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from slipway.lab import programs
from slipway.lab.programs import plugins

ROOT = Path(__file__).parents[2]
TIMEOUT_S = 300
POD_SUBNET = "10.20.8.0/21"

pytestmark = pytest.mark.engine


@pytest.fixture
def pulumi(stand_in, tmp_path):
    """Return a function that runs ``pulumi`` on a copy of the program with the example's file as stack `dev`."""
    project = tmp_path / "project"
    project.mkdir()
    for name in ("__main__.py", "Pulumi.yaml"):
        shutil.copy(ROOT / name, project / name)
    for name in ("stacks", "examples"):
        shutil.copytree(ROOT / name, project / name)
    for name in ("dev", "prod"):
        shutil.copy(ROOT / f"examples/azure/{name}.yaml", project / f"stacks/{name}.yaml")
    text = (ROOT / "examples/azure/dev.yaml").read_text()
    assert POD_SUBNET in text
    overlay = text.replace("\nazure:\n", "\nazure:\n  pods: overlay\n").replace(POD_SUBNET, "10.32.0.0/12")
    (project / "stacks/apart.yaml").write_text(overlay)
    (project / ".venv").symlink_to(sys.prefix)
    (tmp_path / "backend").mkdir()
    found = programs.ensure(["pulumi", "pulumi-resource-kubernetes"])
    plugins.link_plugins(found["pulumi-resource-kubernetes"], pulumi_home=tmp_path / "home")
    without = {key: value for key, value in os.environ.items() if not key.startswith(("ARM_", "AZURE_", "KUBE"))}
    environment = {
        **without,
        **stand_in.variables,
        "PATH": os.pathsep.join([str(found["pulumi"].bin), str(Path(sys.executable).parent), os.environ["PATH"]]),
        "PULUMI_BACKEND_URL": f"file://{tmp_path / 'backend'}",
        "PULUMI_CONFIG_PASSPHRASE": "a-test",
        "PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION": "true",
        "PULUMI_HOME": str(tmp_path / "home"),
        "PULUMI_SKIP_UPDATE_CHECK": "true",
    }

    def run(*arguments: str) -> str:
        done = subprocess.run(
            ["pulumi", "--non-interactive", *arguments],
            cwd=project,
            env=environment,
            capture_output=True,
            text=True,
            timeout=TIMEOUT_S,
            check=False,
        )
        assert done.returncode == 0, (done.stdout + done.stderr)[-5000:]
        return done.stdout

    return run


def steps_of(pulumi):
    """Return what a preview plans: kinds of steps, and the types that they are about."""
    steps = json.loads(pulumi("preview", "--json"))["steps"]
    return {item["op"] for item in steps}, [item["newState"]["type"] for item in steps]


def test_a_first_preview_needs_no_cluster_and_no_login_and_has_no_unknown_input(pulumi):
    pulumi("stack", "select", "--create", "dev")
    operations, kinds = steps_of(pulumi)
    assert operations == {"create"}
    assert kinds.count("azure-native:compute:VirtualMachine") == 2
    assert kinds.count("azure-native:containerservice:ManagedCluster") == 1
    assert kinds.count("kubernetes:helm.sh/v3:Release") == 5


def test_an_overlay_beside_machines_is_two_networks_with_an_address_for_each_door(pulumi):
    pulumi("stack", "select", "--create", "apart")
    steps = json.loads(pulumi("preview", "--json"))["steps"]
    states = [item["newState"] for item in steps]
    inputs = {(item["type"], item["urn"].rpartition("::")[2]): item.get("inputs", {}) for item in states}
    assert {item["op"] for item in steps} == {"create"}
    entries = [found for (kind, _), found in inputs.items() if kind.endswith(":WorkloadEntry")]
    assert [item["spec"]["network"] for item in entries] == ["machines", "machines"]
    system = inputs["kubernetes:core/v1:Namespace", "Namespace/istio-system"]
    assert system["metadata"]["labels"]["topology.istio.io/network"] == "pods"
    door = inputs["kubernetes:helm.sh/v3:Release", "istio-eastwestgateway"]["values"]
    assert [item["port"] for item in door["service"]["ports"]] == [15012, 15443, 9411]
    assert door["labels"]["topology.istio.io/network"] == "pods"
    cluster = next(found for (kind, _), found in inputs.items() if kind.endswith(":ManagedCluster"))
    assert cluster["networkProfile"]["networkPluginMode"] == "overlay"


def test_of_two_stacks_the_meshs_asks_nothing_of_azure_and_the_platforms_nothing_of_the_cluster(pulumi):
    pulumi("stack", "select", "--create", "prod")
    assert "`prod-platform`, which makes the environment's platform, is not up" in pulumi("preview")
    operations, kinds = steps_of(pulumi)
    assert operations == {"create"}
    assert not [kind for kind in kinds if kind.startswith("azure-native:")]
    assert kinds.count("kubernetes:helm.sh/v3:Release") == 5

    pulumi("stack", "select", "--create", "prod-platform")
    operations, kinds = steps_of(pulumi)
    assert operations == {"create"}
    assert kinds.count("azure-native:compute:VirtualMachine") == 2
    assert not [kind for kind in kinds if kind.startswith("kubernetes:")]
