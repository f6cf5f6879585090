"""The lab that tests share, and how they use it: as a user does, by the command line and by plain pulumi."""

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import traces

from slipway.lab import instance as instances
from slipway.mesh import loader, model
from slipway.world import files, kubernetes

ROOT = Path(__file__).parents[2]
INSTANCE = os.environ.get("SLIPWAY_TEST_INSTANCE", "test")


@dataclass(frozen=True, slots=True, kw_only=True)
class RunningLab:
    """A lab; ``variables`` are what `slipway env` prints, ``before`` what the computer looked like.

    ``folder`` is the checkout in which commands run.
    """

    instance: instances.Instance
    mesh: model.Mesh
    variables: dict[str, str]
    before: traces.Traces
    folder: Path = ROOT

    @property
    def cluster(self) -> kubernetes.Cluster:
        """The cluster, as its administrator."""
        return kubernetes.Cluster(self.instance.kubeconfig)

    def slipway(self, *arguments: str, timeout_s: float = 600) -> subprocess.CompletedProcess[str]:
        """Run the command line as a user does."""
        return self.run(str(Path(sys.executable).with_name("slipway")), *arguments, timeout_s=timeout_s)

    def pulumi(self, *arguments: str, timeout_s: float = 600) -> subprocess.CompletedProcess[str]:
        """Run plain `pulumi` in the checkout, with nothing but the printed variables."""
        return self.run("pulumi", "--non-interactive", *arguments, timeout_s=timeout_s)

    def run(self, *argv: str, timeout_s: float) -> subprocess.CompletedProcess[str]:
        """Run a program in the checkout."""
        return subprocess.run(
            argv,
            cwd=self.folder,
            env={**os.environ, **self.variables},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=timeout_s,
            check=False,
        )

    def verify(self, *arguments: str) -> dict:
        """Return what `slipway verify --json` says."""
        done = self.slipway("verify", "lab", "--instance", INSTANCE, "--json", *arguments)
        assert done.stdout, done.stderr
        return json.loads(done.stdout)


def load_mesh() -> model.Mesh:
    sources = files.read_sources(ROOT / "stacks", "lab")
    return loader.load(sources.mesh, sources.environment, environment_name="lab")


def succeed(done: subprocess.CompletedProcess[str]) -> subprocess.CompletedProcess[str]:
    assert done.returncode == 0, f"{done.args}\n{done.stdout[-6000:]}\n{done.stderr[-6000:]}"
    return done
