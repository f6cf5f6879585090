"""The declaration in, every compiled value out, compared byte by byte with files that people read."""

import dataclasses
import enum
from pathlib import Path
from typing import Any

import declared_keys
import pytest
import yaml

from policies.bundles import compiler
from slipway.manifests import plain, yaml_reader
from slipway.mesh import environment_keys, loader, mesh_keys

ROOT = Path(__file__).parents[2]
CASES = ROOT / "tests/cases/bundles"
DECLARATIONS = {
    "azure": ("stacks/mesh.yaml", "examples/azure/dev.yaml"),
    "example": ("stacks/mesh.yaml", "stacks/lab.yaml"),
}
EXPECTED = {"istiod.yaml", "machines.yaml", "manifests.yaml"}


def _plain(value: Any) -> Any:
    if isinstance(value, enum.Enum):
        return value.value
    if dataclasses.is_dataclass(value):
        return {field.name: _plain(getattr(value, field.name)) for field in dataclasses.fields(value)}
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return value


class _Dumper(yaml.SafeDumper):
    def ignore_aliases(self, data) -> bool:  # noqa: ARG002 - the base class gives it
        return True


def _yaml(*documents: Any) -> str:
    plain = [_plain(item) for item in documents]
    return yaml.dump_all(plain, Dumper=_Dumper, sort_keys=False, width=118, default_flow_style=False)


def load_case(name):
    files = DECLARATIONS.get(name, (f"{name}/mesh.yaml", f"{name}/environment.yaml"))
    root = ROOT if name in DECLARATIONS else CASES
    mesh, environment = (loader.Source(file=item, text=(root / item).read_bytes()) for item in files)
    return loader.load([mesh], environment, environment_name=name)


def _compiled(name) -> dict[str, str]:
    bundle = compiler.compile_bundle(load_case(name))
    return {
        "manifests.yaml": _yaml(*(item.to_dict() for item in bundle.manifests)),
        "machines.yaml": _yaml({"guards": bundle.guards, "nsg": bundle.nsg}),
        "istiod.yaml": _yaml(
            {
                "meshConfig": bundle.mesh_config,
                "controlPlane": bundle.control_plane,
                "gateways": bundle.gateways,
                "namespaceLabels": bundle.namespace_labels,
            }
        ),
    }


@pytest.mark.parametrize("name", sorted(item.name for item in CASES.iterdir()))
def test_compiles_to_what_is_written_down(name, refresh_golden):
    compiled = _compiled(name)
    if refresh_golden:
        for file, text in compiled.items():
            (CASES / name / file).write_text(text, encoding="utf-8")
    expected = {file: (CASES / name / file).read_text(encoding="utf-8") for file in EXPECTED}
    assert compiled == expected


def test_every_file_of_a_case_is_used():
    inputs = {"mesh.yaml", "environment.yaml"}
    for case in CASES.iterdir():
        wanted = EXPECTED if case.name in DECLARATIONS else EXPECTED | inputs
        assert {item.name for item in case.iterdir()} == wanted


RECORDS = {"mesh.yaml": mesh_keys.MESH, "environment.yaml": environment_keys.ENVIRONMENT}


def _declared(case: Path, file: str) -> Any:
    path = ROOT / DECLARATIONS[case.name][list(RECORDS).index(file)] if case.name in DECLARATIONS else case / file
    return plain.to_plain(yaml_reader.read(path.read_bytes(), file=str(path)))


@pytest.mark.parametrize("file", RECORDS)
def test_every_key_form_and_word_of_the_declaration_is_in_a_case(file):
    record = RECORDS[file]
    used = set().union(*(declared_keys.uses(record, _declared(case, file)) for case in CASES.iterdir()))
    missing = declared_keys.at_any_position(declared_keys.all_uses(record)) - declared_keys.at_any_position(used)
    assert sorted(missing) == []


def test_a_key_without_a_case_is_noticed():
    known = declared_keys.all_uses(mesh_keys.MESH)
    bare = {"mesh": "shop", "services": {"a": {"namespace": "shop", "ports": {"http": 80}, "balance": "random"}}}
    used = declared_keys.uses(mesh_keys.MESH, bare)
    assert used < known
    assert {".services.*.balance = random", ".services.*.balance in its short form"} < used
    assert {".services.*.balance.by = random", ".ingress.*.tls = mutual", ".tracing"} < known - used
