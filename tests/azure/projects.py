"""Projects of Pulumi whose Azure is a stand-in: one of the folders of ``programs``, with a backend of its own."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

from standin import process

from slipway.lab import programs
from slipway.lab.programs import plugins

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
_TIMEOUT_S = 600


class Project:
    """A folder with a program and stacks of its own."""

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


def make(root: Path, name: str, azure: process.Running, *, stack: str = "test", **config: str) -> Project:
    """Copy the program ``name`` to below ``root`` and make its stack.

    A stack of another name than `test` is an environment: the shop's declaration lies beside its program, with the
    example on Azure as its file.
    """
    shutil.copytree(HERE / "programs" / name, root / "project")
    if stack != "test":
        for folder in ("stacks", "examples"):
            shutil.copytree(ROOT / folder, root / "project" / folder)
        shutil.copy(ROOT / "examples/azure/dev.yaml", root / f"project/stacks/{stack}.yaml")
    (root / "backend").mkdir()
    found = programs.ensure(["pulumi", "pulumi-resource-kubernetes"])
    plugins.link_plugins(found["pulumi-resource-kubernetes"], pulumi_home=root / "home")
    tools = (str(found["pulumi"].bin), str(Path(sys.executable).parent), os.environ["PATH"])
    variables = {
        **azure.variables,
        "PATH": os.pathsep.join(tools),
        "PULUMI_BACKEND_URL": f"file://{root / 'backend'}",
        "PULUMI_CONFIG_PASSPHRASE": "a-test",
        "PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION": "true",
        "PULUMI_HOME": str(root / "home"),
        "PULUMI_SKIP_UPDATE_CHECK": "true",
    }
    made = Project(root / "project", root / "backend", variables)
    assert made.run("stack", "init", stack).returncode == 0
    for key, value in config.items():
        assert made.run("config", "set", key, value).returncode == 0
    return made
