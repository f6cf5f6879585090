"""Declarations that are wrong in one way, through the real command: what it says and how it ends."""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from click.testing import CliRunner

from policies.bundles import compiler
from slipway import cli, reachability
from slipway.cli import worlds
from slipway.mesh import loader, model

ENVIRONMENT = 'platform: lab\nrevision: "1-29-1"\nphase: {mtls: strict, egress: locked, authorization: enforced}\n'
_FIRST_LINE = re.compile(r"stacks/[a-z.]+:(\d+):(\d+): (error|warning) (MESH\d{4}): (.+)")


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """What `slipway check` said: exit code and text."""

    code: int
    text: str

    def refuses(self, code: str, *parts: str) -> None:
        """Assert the one shape of a refusal: a place, the code, and these words; nothing that looks like a crash."""
        assert self.code == 2, self.text
        assert "Traceback" not in self.text
        found = [_FIRST_LINE.match(line) for line in self.text.splitlines()]
        assert code in {item[4] for item in found if item}, self.text
        assert "hint:" in self.text
        for part in parts:
            assert part in self.text, self.text


def check(folder: Path, mesh: bytes | str, environment: bytes | str = ENVIRONMENT) -> Said:
    """Return what `slipway check lab` says about two files; ``folder`` has to be the working directory."""
    (folder / "stacks").mkdir(exist_ok=True)
    for name, text in (("mesh.yaml", mesh), ("lab.yaml", environment)):
        data = text.encode("utf-8", "surrogatepass") if isinstance(text, str) else text
        (folder / "stacks" / name).write_bytes(data)
    done = CliRunner().invoke(cli.main, ["check", "lab"])
    assert done.exit_code in {0, 2}, done.output
    return Said(code=done.exit_code, text=done.stderr)


def load(mesh: str, environment: str = ENVIRONMENT) -> model.Mesh:
    sources = [loader.Source(file="mesh.yaml", text=mesh)]
    return loader.load(sources, loader.Source(file="lab.yaml", text=environment), environment_name="lab")


def objects(mesh: str, environment: str = ENVIRONMENT) -> list[dict[str, Any]]:
    """Return every object that a declaration becomes, as the API server gets it."""
    return [item.to_dict() for item in compiler.compile_bundle(load(mesh, environment)).manifests]


def of(found: list[dict[str, Any]], kind: str) -> list[dict[str, Any]]:
    return [item for item in found if item["kind"] == kind]


def world(mesh: str, environment: str = ENVIRONMENT) -> reachability.World:
    return worlds.compiled(load(mesh, environment))


def walk(value: Any, path: str = "") -> list[tuple[str, Any]]:
    """Return every scalar of a tree with its path."""
    if isinstance(value, dict):
        return [found for key, item in value.items() for found in walk(item, f"{path}.{key}")]
    if isinstance(value, list):
        return [found for item in value for found in walk(item, f"{path}[]")]
    return [(path, value)]
