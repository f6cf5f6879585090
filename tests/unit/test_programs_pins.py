"""What versions.toml says, what the committed modules say, and that they agree."""

import re
import tomllib

import pytest

from slipway.lab.programs import catalogue
from slipway.lab.programs.model import ProgramsUnavailable
from slipway.lab.programs.toolchain import at_least

PINS = catalogue.load()
GO_MODULES = [(recipe.name, module) for recipe in PINS.recipes.values() for module in recipe.go]
FOLDERS = sorted(path.parent for path in catalogue.MODULES.glob("*/go.mod"))
REQUIREMENT = re.compile(r"(?m)^(?:require )?\s*(\S+\.\S+/\S+|\S+\.\S+) (v\S+)(?: // indirect)?$")
REPLACEMENT = re.compile(r"(?m)^(?:replace )?\s*(\S+)(?: v\S+)? => (\S+)(?: (v\S+))?$")


def selected(text):
    """Module -> version that a go.mod selects."""
    replaced = {module: version for module, _, version in REPLACEMENT.findall(text)}
    return dict(REQUIREMENT.findall(text)) | replaced


def parameters(folders):
    return pytest.mark.parametrize("folder", folders, ids=lambda folder: folder.name)


@pytest.mark.parametrize(("name", "module"), GO_MODULES, ids=lambda value: getattr(value, "module", value))
def test_each_go_mod_selects_what_is_pinned(name, module):
    versions = selected((catalogue.MODULES / module.module / "go.mod").read_text())
    assert {path: versions.get(path) for path in module.pins} == module.pins


@pytest.mark.parametrize(("name", "module"), GO_MODULES, ids=lambda value: getattr(value, "module", value))
def test_copied_files_come_from_pinned_modules(name, module):
    assert {file.module for file in (*module.copies, *module.embeds)} <= set(module.pins)


@pytest.mark.parametrize(("name", "module"), GO_MODULES, ids=lambda value: getattr(value, "module", value))
def test_a_go_sum_has_the_hash_of_every_pinned_and_every_direct_module(name, module):
    folder = catalogue.MODULES / module.module
    text = (folder / "go.mod").read_text()
    replaced = {path: (other, version) for path, other, version in REPLACEMENT.findall(text)}
    hashed = {tuple(line.split()[:2]) for line in (folder / "go.sum").read_text().splitlines()}
    direct = dict(re.findall(r"(?m)^(?:require )?\s*(\S+) (v\S+)$", text))
    for path, version in (direct | dict(module.pins)).items():
        assert replaced.get(path, (path, version)) in hashed


@parameters(FOLDERS)
def test_nothing_is_replaced_by_a_folder_and_no_module_lies_idle(folder):
    assert all(version for _, _, version in REPLACEMENT.findall((folder / "go.mod").read_text()))
    assert folder.name in {module.module for _, module in GO_MODULES}


@parameters(FOLDERS)
def test_the_pinned_go_compiles_every_module(folder):
    line = re.search(r"(?m)^go (\S+)$", (folder / "go.mod").read_text())[1]
    assert at_least(PINS.go_minimum, line)
    assert at_least(PINS.go_wheel.version, PINS.go_minimum)


def test_every_program_has_one_way_to_get_it():
    for recipe in PINS.recipes.values():
        assert [bool(recipe.go), recipe.wheel is not None, recipe.maven is not None].count(True) == 1, recipe.name


def test_a_program_without_a_recipe_is_refused_with_the_known_ones():
    with pytest.raises(
        ProgramsUnavailable, match=r"kubernets: no such program; versions\.toml has: coredns, .*istio"
    ):
        catalogue.select(PINS, ["kubernetes", "kubernets"])


def test_an_unknown_key_is_refused_by_name():
    text = (
        catalogue.versions_file().read_text().replace("[programs.coredns]\n", '[programs.coredns]\nverison = "1"\n')
    )
    with pytest.raises(TypeError, match="verison"):
        catalogue.parse(text)


def test_the_version_is_filled_in_everywhere():
    assert "{version}" not in repr(PINS)


def test_executables_are_what_a_caller_runs():
    assert set(PINS.recipes["kubernetes"].executables()) >= {"etcd", "kube-apiserver", "kubelet", "kubectl"}
    assert "kubernetes" not in PINS.recipes["kubernetes"].executables()
    assert "pulumi-language-python-exec" in PINS.recipes["pulumi"].executables()
    assert PINS.recipes["envoy"].executables() == ("envoy",)


def test_the_python_lock_pairs_with_the_programs():
    text = (catalogue.MODULES.parents[3] / "requirements.lock").read_text()
    locked = dict(re.findall(r"(?m)^([\w-]+)==(\S+)", text))
    assert locked["pulumi"] == PINS.recipes["pulumi"].version
    assert locked["pulumi-kubernetes"] == PINS.recipes["pulumi-resource-kubernetes"].version


def test_the_python_lock_has_the_versions_that_are_stated_for_it():
    text = (catalogue.MODULES.parents[3] / "requirements.lock").read_text()
    locked = dict(re.findall(r"(?m)^([\w-]+)==(\S+)", text))
    pins = tomllib.loads(catalogue.versions_file().read_text())["python"]
    assert pins
    assert {name: locked.get(name) for name in pins} == pins


def test_the_python_lock_has_hashes_and_no_addresses():
    text = (catalogue.MODULES.parents[3] / "requirements.lock").read_text()
    assert "://" not in text
    assert all("--hash=sha256:" in block for block in re.split(r"(?m)^(?=[\w-]+==)", text)[1:])
