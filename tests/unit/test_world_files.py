"""Files of a declaration on disk, beside the cases of `tests/cases/diagnostics`."""

import os

import pytest

from slipway.diagnostics import DiagnosticsError
from slipway.manifests import decoding
from slipway.world import files


def _codes(directory, environment="lab", limits=decoding.DEFAULT_LIMITS) -> list[str]:
    with pytest.raises(DiagnosticsError) as caught:
        files.read_sources(directory, environment, limits=limits)
    return [item.code for item in caught.value.diagnostics]


def test_files_of_a_folder_are_sorted(tmp_path):
    (tmp_path / "mesh").mkdir()
    for name in ("mesh/b.yaml", "mesh/a.yaml", "lab.yaml", "Pulumi.lab.yaml", "probes.yaml"):
        (tmp_path / name).write_text(name)
    sources = files.read_sources(tmp_path, "lab")
    assert [item.text for item in sources.mesh] == [b"mesh/a.yaml", b"mesh/b.yaml"]
    assert sources.environment.text == b"lab.yaml"
    assert files.environments(tmp_path) == ("lab",)


def test_names_are_relative_to_the_working_directory(tmp_path, monkeypatch):
    stacks = tmp_path / "stacks"
    stacks.mkdir()
    for name in ("mesh.yaml", "lab.yaml"):
        (stacks / name).write_text("")
    assert files.read_sources(stacks, "lab").environment.file == str(stacks / "lab.yaml")
    monkeypatch.chdir(tmp_path)
    assert files.read_sources(stacks, "lab").environment.file == "stacks/lab.yaml"


@pytest.mark.parametrize("name", ["../lab", "", "a/b", "mesh", "probes", "Lab", "\0"])
def test_names_that_are_no_environment(tmp_path, name):
    (tmp_path / "mesh.yaml").write_text("")
    (tmp_path / "probes.yaml").write_text("")
    assert _codes(tmp_path, name)[0] in {"MESH0205", "MESH0222"}


def test_both_files_missing_is_two_messages(tmp_path):
    assert _codes(tmp_path) == ["MESH0222", "MESH0221"]


def test_folders_and_pipes_are_not_read(tmp_path):
    (tmp_path / "mesh.yaml").mkdir()
    os.mkfifo(tmp_path / "lab.yaml")
    assert _codes(tmp_path) == ["MESH0221", "MESH0221"]


def test_large_files_are_not_read_whole(tmp_path):
    (tmp_path / "mesh.yaml").write_text("mesh: shop")
    with (tmp_path / "lab.yaml").open("wb") as stream:
        stream.truncate(1 << 40)
    assert _codes(tmp_path) == ["MESH0104"]
    assert _codes(tmp_path, limits=decoding.Limits(size_bytes=3)) == ["MESH0104", "MESH0104"]
