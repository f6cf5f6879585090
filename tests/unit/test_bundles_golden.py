"""The declaration in, every compiled value out, compared byte by byte with files that people read."""

import dataclasses
import enum
import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from policies.bundles import compiler
from slipway.mesh import environment_keys, loader, mesh_keys, shape

ROOT = Path(__file__).parents[2]
CASES = ROOT / "tests/cases/bundles"
DECLARATIONS = {"example": ("stacks/mesh.yaml", "stacks/lab.yaml")}
POSITION = re.compile(r"(phase\.\w+)\.\w+\[\]")  # a long exception reads alike at every position
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


def _keys(wanted: shape.Shape, value: Any, path: str) -> set[str]:
    """Return the paths of the keys of ``wanted`` that ``value`` uses; with None, of all that there are."""
    match wanted:
        case shape.Either():
            return _keys(wanted.long, value, path) if value is None or isinstance(value, dict) else set()
        case shape.Record():
            used = [item for item in wanted.fields if value is None or item.key in value]
            below = [_keys(i.shape, None if value is None else value[i.key], f"{path}.{i.key}") for i in used]
            return {f"{path}.{item.key}" for item in used}.union(*below)
        case shape.MapOf():
            return set().union(
                *(_keys(wanted.value, v, f"{path}.*") for v in ([None] if value is None else value.values()))
            )
        case shape.ListOf():
            return set().union(*(_keys(wanted.item, v, f"{path}[]") for v in ([None] if value is None else value)))
        case _:
            return set()


@pytest.mark.parametrize(("record", "index"), [(mesh_keys.MESH, 0), (environment_keys.ENVIRONMENT, 1)])
def test_every_key_of_the_declaration_is_in_a_case(record, index):
    files = [DECLARATIONS[item.name] for item in CASES.iterdir() if item.name in DECLARATIONS]
    paths = [ROOT / found[index] for found in files]
    name = ("mesh.yaml", "environment.yaml")[index]
    paths += [item / name for item in CASES.iterdir() if item.name not in DECLARATIONS]
    used = set().union(*(_keys(record, yaml.safe_load(path.read_text("utf-8")), "") for path in paths))
    missing = {POSITION.sub(r"\1[]", key) for key in _keys(record, None, "") - used}
    assert missing - {POSITION.sub(r"\1[]", key) for key in used} == set()
