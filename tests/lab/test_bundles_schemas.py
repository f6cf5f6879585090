"""Every written-down Istio object fits the schema that its custom resource definition gives to the API server."""

from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from slipway.lab import programs

CASES = Path(__file__).parents[1] / "cases/bundles"

pytestmark = pytest.mark.lab


def closed(schema) -> Any:
    """The schema with unknown fields refused: the API server drops them in silence."""
    if isinstance(schema, list):
        return [closed(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    found = {key: closed(value) for key, value in schema.items()}
    if found.get("type") == "object" and "properties" in found:
        found.setdefault("additionalProperties", False)
    return found


@pytest.fixture(scope="module")
def validators():
    istio = programs.ensure(["istio"])["istio"]
    definitions = istio.share / "charts/base/files/crd-all.gen.yaml"
    found = {}
    for definition in yaml.safe_load_all(definitions.read_text(encoding="utf-8")):
        spec = definition["spec"]
        for version in spec["versions"]:
            key = (f"{spec['group']}/{version['name']}", spec["names"]["kind"])
            schema = closed(version["schema"]["openAPIV3Schema"]["properties"]["spec"])
            found[key] = jsonschema.Draft202012Validator(schema)
    return found


@pytest.mark.parametrize("case", sorted(item.name for item in CASES.iterdir()))
def test_objects_fit_their_definitions(case, validators):
    documents = list(yaml.safe_load_all((CASES / case / "manifests.yaml").read_text(encoding="utf-8")))
    checked = [item for item in documents if "istio.io/" in item["apiVersion"]]
    assert checked
    for item in checked:
        problems = list(validators[item["apiVersion"], item["kind"]].iter_errors(item["spec"]))
        assert problems == [], f"{item['kind']} {item['metadata']['name']}: {problems}"


def test_a_misspelt_field_is_found(validators):
    validator = validators["networking.istio.io/v1", "Sidecar"]
    assert list(validator.iter_errors({"egress": [{"hosts": ["~/*"]}], "outboundTrafficPolcy": {}}))
