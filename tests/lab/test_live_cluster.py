"""The declaration against a real cluster: it fits, and one wrong label does not."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from running import ROOT

pytestmark = pytest.mark.lab


def _slipway(lab, folder, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [str(Path(sys.executable).with_name("slipway")), *arguments],
        cwd=folder,
        env={**os.environ, **lab.variables},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def test_the_example_fits_and_a_wrong_selector_does_not(running_lab, tmp_path):
    stacks, shop = tmp_path / "stacks", tmp_path / "examples/shop"
    shutil.copytree(ROOT / "stacks", stacks)
    shutil.copytree(ROOT / "examples/shop/machines", shop / "machines")
    done = _slipway(running_lab, tmp_path, "check", "lab", "--live")
    assert done.returncode == 0, done.stderr
    assert "and fit what runs" in done.stdout
    path = stacks / "mesh.yaml"
    path.write_text(path.read_text().replace("  orders:\n", "  orders:\n    workload: {labels: {app: ordres}}\n"))
    done = _slipway(running_lab, tmp_path, "check", "lab", "--live")
    assert done.returncode == 2
    assert "stacks/mesh.yaml:11:3: error MESH0601" in done.stderr
    assert "did you mean `workload: {labels: {app: orders}}`" in done.stderr


def test_a_draft_of_the_lab_is_right_and_fits_it(running_lab, tmp_path):
    done = _slipway(running_lab, tmp_path, "init", "draft", "--from-cluster", "--namespace", "shop")
    assert done.returncode == 0, done.stderr
    assert "taken over: AuthorizationPolicy shop/deny-all: Slipway made it" in done.stdout
    declared = (tmp_path / "stacks/mesh.yaml").read_text()
    assert "  orders:\n    namespace: shop\n    ports: {http: 8080}\n" in declared
    done = _slipway(running_lab, tmp_path, "check", "draft", "--live")
    assert done.returncode == 0, done.stderr
