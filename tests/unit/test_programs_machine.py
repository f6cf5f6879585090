import pytest

from slipway.lab.programs import machine, parallelism, toolchain
from slipway.lab.programs.model import GoModule, OnMachine, Origin, Recipe

RULE = OnMachine(accepts="3.258", probe=("engine", "version"), pattern=r"v(\S+)")
RECIPE = Recipe(
    name="engine",
    version="3.258.0",
    build_s=1,
    on_machine=RULE,
    go=(GoModule(module="engine", packages={"engine": ".", "engine-host": "./host"}),),
)
PLUGIN = Recipe(
    name="plugin",
    version="4.25.0",
    build_s=1,
    go=(GoModule(module="plugin", packages={"plugin": "."}, output="plugins/resource-x-v4.25.0"),),
)


def program(folder, name, prints="", status=0):
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_text(f"#!/bin/sh\necho '{prints}'\nexit {status}\n")
    (folder / name).chmod(0o755)


@pytest.fixture
def on_path(tmp_path, monkeypatch):
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", f"{folder}:/usr/bin:/bin")
    return folder


def find(tmp_path):
    return machine.find(RECIPE, cache_root=tmp_path / "cache")


@pytest.mark.parametrize(
    ("version", "accepts", "expected"),
    [
        ("3.258.0", "3.258", True),
        ("3.258.12", "3.258", True),
        ("3.258", "3.258", True),
        ("3.2580.0", "3.258", False),
        ("3.25.8", "3.258", False),
        ("3.258.0-beta.1", "3.258", False),
        ("1.34.4", "1.34.4", True),
        ("1.34.40", "1.34.4", False),
        ("1.34.4+k3s1", "1.34.4", False),
        ("1x34.4", "1.34.4", False),
    ],
)
def test_a_version_fits_exactly_or_more_precisely(version, accepts, expected):
    assert machine.fits(version, accepts) is expected


def test_a_fitting_program_with_all_its_parts_is_found(on_path, tmp_path):
    program(on_path, "engine", "v3.258.7")
    program(on_path, "engine-host")
    found = find(tmp_path)
    assert (found.version, found.origin, found.bin) == ("3.258.7", Origin.FOUND, on_path)


def test_a_link_on_path_leads_to_the_folder_that_has_all_parts(on_path, tmp_path):
    program(tmp_path / "opt", "engine", "v3.258.7")
    program(tmp_path / "opt", "engine-host")
    (on_path / "engine").symlink_to(tmp_path / "opt" / "engine")
    assert find(tmp_path).bin == tmp_path / "opt"


@pytest.mark.parametrize(("prints", "status"), [("v3.257.0", 0), ("no version here", 0), ("v3.258.0", 1)])
def test_another_version_or_a_broken_program_is_not_found(on_path, tmp_path, prints, status):
    program(on_path, "engine", prints, status)
    program(on_path, "engine-host")
    assert find(tmp_path) is None


def test_a_part_missing_or_nothing_at_all_is_not_found(on_path, tmp_path):
    assert find(tmp_path) is None
    program(on_path, "engine", "v3.258.7")
    assert find(tmp_path) is None


def test_our_own_cache_on_path_is_not_the_machine(tmp_path, monkeypatch):
    folder = tmp_path / "cache" / "engine" / "old" / "bin"
    program(folder, "engine", "v3.258.7")
    program(folder, "engine-host")
    monkeypatch.setenv("PATH", f"{folder}:/usr/bin:/bin")
    assert find(tmp_path) is None


def test_an_installed_plugin_is_found_unless_half_installed(tmp_path, monkeypatch):
    monkeypatch.setenv("PULUMI_HOME", str(tmp_path))
    folder = tmp_path / "plugins" / "resource-x-v4.25.0"
    assert machine.find_plugin(PLUGIN) is None
    program(folder, "plugin")
    found = machine.find_plugin(PLUGIN)
    assert (found.origin, found.bin, found.plugins) == (Origin.FOUND, folder, tmp_path / "plugins")
    (tmp_path / "plugins" / "resource-x-v4.25.0.partial").touch()
    assert machine.find_plugin(PLUGIN) is None


@pytest.mark.parametrize(
    ("version", "minimum", "expected"),
    [
        ("1.26.8", "1.26", True),
        ("1.26", "1.26", True),
        ("1.27rc1", "1.26", True),
        ("1.25.11", "1.26", False),
        ("1.9", "1.26", False),
        ("2.0", "1.26", True),
    ],
)
def test_go_versions_compare_by_number(version, minimum, expected):
    assert toolchain.at_least(version, minimum) is expected


@pytest.mark.parametrize(
    ("cores", "gib", "waiting", "builds", "packages"),
    [
        (2, 20, 9, 2, 2),  # the usual small machine
        (2, 20, 1, 1, 2),
        (2, 5, 9, 1, 2),  # one big link at a time
        (2, 1.5, 9, 1, 1),
        (2, 0.2, 9, 1, 1),  # never nothing
        (16, 64, 9, 9, 7),
        (16, 8, 9, 2, 4),
    ],
)
def test_cores_and_memory_bound_what_runs_side_by_side(cores, gib, waiting, builds, packages):
    expected = parallelism.Plan(builds=builds, packages=packages)
    assert parallelism.plan(cores=cores, available_gib=gib, waiting=waiting) == expected


def test_available_memory_is_read_in_kib():
    text = "MemTotal:       24000000 kB\nMemFree:         1000000 kB\nMemAvailable:    6291456 kB\n"
    assert parallelism.available_gib(text) == 6.0
    assert parallelism.available_gib("") == parallelism.LINK_GIB
