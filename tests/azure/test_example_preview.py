"""The checkout's own program for the example on Azure, previewed by the real engine against the stand-in."""

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
    shutil.copy(ROOT / "examples/azure/dev.yaml", project / "stacks/dev.yaml")
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


def test_a_first_preview_needs_no_cluster_and_no_login_and_has_no_unknown_input(pulumi):
    pulumi("stack", "select", "--create", "dev")
    steps = json.loads(pulumi("preview", "--json"))["steps"]
    assert {item["op"] for item in steps} == {"create"}
    kinds = [item["newState"]["type"] for item in steps]
    assert kinds.count("azure-native:compute:VirtualMachine") == 2
    assert kinds.count("azure-native:containerservice:ManagedCluster") == 1
    assert kinds.count("kubernetes:helm.sh/v3:Release") == 5
