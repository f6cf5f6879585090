"""What is generated from the tables of keys: current, and of one mind with the loader."""

import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from slipway.mesh import reference, schema

ROOT = Path(__file__).parents[2]
FILES = {"mesh": schema.mesh_schema, "environment": schema.environment_schema}


@pytest.mark.parametrize("name", FILES)
def test_committed_schema_is_current(name, refresh_golden):
    path = ROOT / f"stacks/schema/{name}.schema.json"
    text = schema.to_json(FILES[name]())
    if refresh_golden:
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
    assert path.read_text() == text


def _errors(name: str, value: Any) -> list[str]:
    checked = FILES[name]()
    jsonschema.Draft7Validator.check_schema(checked)
    return [error.message for error in jsonschema.Draft7Validator(checked).iter_errors(value)]


@pytest.mark.parametrize(("name", "file"), [("mesh", "mesh.yaml"), ("environment", "lab.yaml")])
def test_the_example_fits_and_names_its_schema(name, file):
    text = (ROOT / "stacks" / file).read_text()
    assert text.startswith(f"# yaml-language-server: $schema=schema/{name}.schema.json\n")
    assert _errors(name, yaml.safe_load(text)) == []


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("mesh", {"mesh": "a"}),
        ("mesh", {"mesh": "a", "services": {"b": {"namespace": "c", "prots": {}}}}),
        ("mesh", {"mesh": "a", "services": {"b": {"namespace": "c", "ports": {"http": 65536}}}}),
        ("environment", {"platform": "aws", "revision": "a", "phase": {}}),
    ],
)
def test_mistakes_do_not_fit(name, value):
    assert _errors(name, value)


def test_reference_page_is_current(refresh_golden):
    path = ROOT / "docs/declaration.md"
    if refresh_golden:
        path.write_text(reference.markdown())
    assert path.read_text() == reference.markdown()


def test_every_key_is_described():
    text = json.dumps([make() for make in FILES.values()])
    assert text.count('"description": ""') == 0
