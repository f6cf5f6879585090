"""The declaration against a real cluster: it fits, and one wrong label does not."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from running import ROOT

pytestmark = pytest.mark.lab


def _check(lab, folder) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [str(Path(sys.executable).with_name("slipway")), "check", "lab", "--live"],
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
    done = _check(running_lab, tmp_path)
    assert done.returncode == 0, done.stderr
    assert "and fit what runs" in done.stdout
    path = stacks / "mesh.yaml"
    path.write_text(path.read_text().replace("  orders:\n", "  orders:\n    workload: {labels: {app: ordres}}\n"))
    done = _check(running_lab, tmp_path)
    assert done.returncode == 2
    assert "stacks/mesh.yaml:12:3: error MESH0601" in done.stderr
    assert "did you mean `workload: {labels: {app: orders}}`" in done.stderr
