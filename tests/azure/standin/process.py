"""Start the stand-in beside a test and say how the engine finds it."""

import contextlib
import json
import subprocess
import sys
from collections.abc import Generator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

_HERE = Path(__file__).parents[1]
_STOP_TIMEOUT_S = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Running:
    """A running stand-in: its port and files."""

    port: int
    cloud: Path
    faults: Path

    @property
    def variables(self) -> dict[str, str]:
        """What the engine needs in its environment."""
        return {"PULUMI_DEBUG_PROVIDERS": f"azure-native:{self.port}"}

    def inject(self, *entries: dict[str, Any]) -> None:
        """Let these faults strike from now on, instead of those before."""
        self.faults.write_text(json.dumps(entries))

    def records(self) -> dict[str, Any]:
        """Return what exists, by lower-case id."""
        return json.loads(self.cloud.read_text())["records"] if self.cloud.exists() else {}


@contextlib.contextmanager
def running(
    folder: Path, *, kubeconfig: Path | None = None, lab: str | None = None
) -> Generator[Running, None, None]:
    """Run the stand-in with its files in ``folder``, made where it is missing; one used before still has its cloud.

    Clusters hand out ``kubeconfig`` instead of their own, and machines boot in the lab called ``lab``.
    """
    folder.mkdir(parents=True, exist_ok=True)
    files = folder / "cloud.json", folder / "faults.json"
    argv = [sys.executable, "-m", "standin", "--cloud", str(files[0]), "--faults", str(files[1])]
    if kubeconfig is not None:
        argv += ["--kubeconfig", str(kubeconfig)]
    if lab is not None:
        argv += ["--lab", lab]
    with subprocess.Popen(argv, cwd=_HERE, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        try:
            port = process.stdout.readline() if process.stdout is not None else ""
            if not port:
                raise RuntimeError("the stand-in did not start; its own message stands above")
            yield Running(port=int(port), cloud=files[0], faults=files[1])
        finally:
            if process.stdin is not None:
                process.stdin.close()
            process.wait(timeout=_STOP_TIMEOUT_S)
