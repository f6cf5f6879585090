"""Each message as users see it: a folder per case with a declaration and the text that it gives."""

import datetime
from pathlib import Path

import pytest

from policies.bundles import compiler
from slipway import reachability
from slipway.cli import extras
from slipway.diagnostics import Diagnostic, DiagnosticsError, catalogue, page, render
from slipway.inventory import comparing, reading
from slipway.manifests import decoding, kubernetes_reader
from slipway.mesh import loader, model
from slipway.world import files

ROOT = Path(__file__).parents[2]
CASES = ROOT / "tests/cases/diagnostics"
TODAY = datetime.date(2026, 11, 21)
NAMES = sorted(path.name for path in CASES.iterdir())


def _diagnostics(case: Path) -> tuple[Diagnostic, ...]:
    manifests = case / "manifests.yaml"
    limit = case / "limit.txt"
    limits = decoding.Limits(size_bytes=int(limit.read_text())) if limit.exists() else decoding.DEFAULT_LIMITS
    try:
        if manifests.exists():
            found = kubernetes_reader.read_manifests(manifests.read_bytes(), file=manifests.name)
            origins = {item.key: manifests.name for item in found}
            reachability.stop_on_idle(reachability.read(found, mesh_config={}, origins=origins))
            return ()
        sources = files.read_sources(case, "env", limits=limits)
    except DiagnosticsError as error:
        return error.diagnostics
    examined = loader.examine(
        sources.mesh, sources.environment, environment_name="env", today=TODAY, extra_files=sources.extra
    )
    if sources.extra and examined.mesh is not None:
        return _of_extra(examined.mesh)
    cluster = case / "cluster.yaml"
    if cluster.exists():
        objects = kubernetes_reader.read_manifests(cluster.read_bytes(), file=cluster.name)
        return comparing.compare(examined.resolved(), reading.read(objects))
    try:
        files.read_cloud_configs(case, examined.resolved())
    except DiagnosticsError as error:
        return error.diagnostics
    return examined.diagnostics


def _of_extra(mesh: model.Mesh) -> tuple[Diagnostic, ...]:
    found: list[Diagnostic] = []
    for step in (lambda: extras.stop_on_mistakes(mesh, today=TODAY), lambda: compiler.compile_bundle(mesh)):
        try:
            step()
        except DiagnosticsError as error:
            found += error.diagnostics
    return tuple(found)


@pytest.mark.parametrize("name", NAMES)
def test_case(name, monkeypatch, refresh_golden):
    case = CASES / name
    monkeypatch.chdir(case)
    found = _diagnostics(case)
    expected = case / "expected.txt"
    if refresh_golden:
        expected.write_text(render.text(found))
    assert render.text(found) == expected.read_text()
    assert f"MESH{name[:4]}" in {item.code for item in found}


def test_every_code_has_a_case_and_every_case_a_code():
    assert {f"MESH{name[:4]}" for name in NAMES} == {code.name for code in catalogue.codes()}


def test_codes_are_unique_and_explained():
    codes = catalogue.codes()
    assert len({code.name for code in codes}) == len(codes)
    assert all(code.title and code.explanation.endswith(".") for code in codes)


def test_page_is_current(refresh_golden):
    path = ROOT / "docs/diagnostics.md"
    if refresh_golden:
        path.write_text(page.markdown())
    assert path.read_text() == page.markdown()
