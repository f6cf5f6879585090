"""The real Pulumi engine on a copy of the checkout's program, with a backend of its own."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from slipway.lab import backend
from slipway.lab import instance as instances

ROOT = Path(__file__).parents[2]


@pytest.fixture
def engine(tmp_path, monkeypatch, tmp_path_factory):
    """Return a function that runs ``pulumi`` with arguments in a project of its own."""
    project = tmp_path / "project"
    project.mkdir()
    for name in ("__main__.py", "Pulumi.yaml"):
        shutil.copy(ROOT / name, project / name)
    for name in ("stacks", "examples"):
        shutil.copytree(ROOT / name, project / name)
    (project / ".venv").symlink_to(sys.prefix)
    cache = instances.named("engine").cache
    monkeypatch.setenv("SLIPWAY_STATE", str(tmp_path_factory.mktemp("s")))
    monkeypatch.setenv("SLIPWAY_CACHE", str(cache))
    monkeypatch.delenv("SLIPWAY_LAB_INSTANCE", raising=False)
    instance = instances.named("lab")
    backend.prepare(instance)
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    environment = {**os.environ, **backend.variables(instance, path=path)}

    def run(*arguments: str) -> subprocess.CompletedProcess:
        return subprocess.run(
            ["pulumi", "--non-interactive", *arguments],
            cwd=project,
            env=environment,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )

    run.project = project
    created = run("stack", "select", "--create", "lab")
    assert created.returncode == 0, created.stderr
    assert (project / "stacks" / "Pulumi.lab.yaml").read_text() == (ROOT / "stacks" / "Pulumi.lab.yaml").read_text()
    return run
