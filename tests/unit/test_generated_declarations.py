"""The generator of declarations: all of them right, and together they use everything that can be declared."""

from typing import Any

import declared_keys
import pytest

from benchmarks import declarations
from slipway.diagnostics import render
from slipway.manifests import plain, yaml_reader
from slipway.mesh import environment_keys, loader, mesh_keys

RECORDS = {"mesh": mesh_keys.MESH, "environment": environment_keys.ENVIRONMENT}
MADE = [declarations.generated(seed) for seed in range(150)]


def _plain(text: str) -> Any:
    return plain.to_plain(yaml_reader.read(text, file="generated.yaml"))


def test_every_one_is_right():
    for made in MADE:
        mesh = [loader.Source(file="mesh.yaml", text=made.mesh)]
        environment = loader.Source(file="lab.yaml", text=made.environment)
        examined = loader.examine(mesh, environment, environment_name="lab")
        assert examined.mesh is not None, render.text(examined.diagnostics)


@pytest.mark.parametrize(
    ("record", "file"), [(mesh_keys.MESH, "mesh"), (environment_keys.ENVIRONMENT, "environment")]
)
def test_together_they_use_every_key_form_and_word(record, file):
    used = set().union(*(declared_keys.uses(record, _plain(getattr(made, file))) for made in MADE))
    missing = declared_keys.at_any_position(declared_keys.all_uses(record)) - declared_keys.at_any_position(used)
    assert sorted(missing) == []


def test_the_same_seed_gives_the_same_text():
    assert declarations.generated(3) == MADE[3]
