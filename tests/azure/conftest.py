"""The real engine against the stand-in: one provider process for all tests, a project and a backend for each."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from standin import process

from slipway.lab import programs

HERE = Path(__file__).parent
_TIMEOUT_S = 300


@pytest.fixture(scope="session")
def stand_in(tmp_path_factory):
    with process.running(tmp_path_factory.mktemp("azure")) as running:
        yield running


class Project:
    """One of the folders of ``programs`` with stacks of its own."""

    def __init__(self, folder: Path, backend: Path, variables: dict[str, str]) -> None:
        self.folder = folder
        self.backend = backend
        self._environment = {**os.environ, **variables}

    def start(self, *arguments: str) -> subprocess.Popen:
        return subprocess.Popen(
            ["pulumi", "--non-interactive", *arguments],
            cwd=self.folder,
            env=self._environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )

    def run(self, *arguments: str) -> subprocess.CompletedProcess:
        with self.start(*arguments) as child:
            said, _ = child.communicate(timeout=_TIMEOUT_S)
        return subprocess.CompletedProcess(arguments, child.returncode, said, "")


@pytest.fixture(scope="module")
def project(stand_in, tmp_path_factory):
    """Return a function that makes a project of a folder of ``programs``, with a fresh backend and one stack."""

    def make(name: str, **config: str) -> Project:
        root = tmp_path_factory.mktemp(name)
        shutil.copytree(HERE / "programs" / name, root / "project")
        (root / "backend").mkdir()
        tools = programs.ensure(["pulumi"])["pulumi"].bin
        variables = {
            **stand_in.variables,
            "PATH": os.pathsep.join([str(tools), str(Path(sys.executable).parent), os.environ["PATH"]]),
            "PULUMI_BACKEND_URL": f"file://{root / 'backend'}",
            "PULUMI_CONFIG_PASSPHRASE": "a-test",
            "PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION": "true",
            "PULUMI_HOME": str(root / "home"),
            "PULUMI_SKIP_UPDATE_CHECK": "true",
        }
        made = Project(root / "project", root / "backend", variables)
        assert made.run("stack", "init", "test").returncode == 0
        for key, value in config.items():
            assert made.run("config", "set", key, value).returncode == 0
        return made

    return make
