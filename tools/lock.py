"""Renew requirements.lock: hashes, no index addresses, and the versions that versions.toml pairs with programs."""

import subprocess
import sys
import tempfile
import tomllib
from pathlib import Path

ROOT = Path(__file__).parent.parent
PAIRED = {"pulumi": "pulumi", "pulumi-kubernetes": "pulumi-resource-kubernetes"}


def constraints() -> str:
    """Return a pip constraint for each Python package whose version versions.toml says."""
    pins = tomllib.loads((ROOT / "versions.toml").read_text())
    versions = {package: pins["programs"][program]["version"] for package, program in PAIRED.items()}
    return "".join(f"{package}=={version}\n" for package, version in (versions | pins["python"]).items())


def main() -> int:
    """Return pip-compile's exit status."""
    with tempfile.NamedTemporaryFile("w", suffix=".txt") as file:
        file.write(constraints())
        file.flush()
        options = ["--quiet", "--generate-hashes", "--allow-unsafe", "--strip-extras", "--no-emit-options"]
        options += ["--no-emit-index-url", "--no-emit-trusted-host", "--no-emit-find-links", "--no-header"]
        options += ["--no-annotate", "--extra", "dev", "--constraint", file.name]
        options += ["--output-file", "requirements.lock"]
        command = [str(Path(sys.executable).with_name("pip-compile")), *options, "pyproject.toml"]
        return subprocess.run(command, cwd=ROOT, check=False).returncode


if __name__ == "__main__":
    raise SystemExit(main())
