import dataclasses

import pytest

from slipway.lab.programs import keys
from slipway.lab.programs.model import GoModule, ModuleFile, OnMachine, Recipe, Wheel

MODULE = GoModule(module="tool", packages={"tool": "."}, variables=("a.b=1",))
RECIPE = Recipe(name="tool", version="1.2.3", build_s=10, go=(MODULE,))
WHEEL = Recipe(name="tool", version="1.2.3", build_s=10, wheel=Wheel(package="tool", version="1.2.3", sha256=("0",)))


def key_of(recipe=RECIPE, *, go_version="1.26.8", machine="linux/amd64", source="s"):
    return keys.key(recipe, go_version=go_version, machine=machine, sources={"tool": source})


def with_module(**changes: object):
    return dataclasses.replace(RECIPE, go=(dataclasses.replace(MODULE, **changes),))


@pytest.mark.parametrize(
    "changed",
    [
        key_of(dataclasses.replace(RECIPE, version="1.2.4")),
        key_of(with_module(pins={"example.org/tool": "v2"})),
        key_of(with_module(packages={"tool": "./cmd"})),
        key_of(with_module(variables=("a.b=2",))),
        key_of(with_module(links={"tool": ("other",)})),
        key_of(with_module(output="plugins/x")),
        key_of(with_module(charts=("share/chart",))),
        key_of(with_module(copies=(ModuleFile(module="m", source="a", target="b"),))),
        key_of(with_module(embeds=(ModuleFile(module="m", source="a", target="b"),))),
        key_of(go_version="1.26.9"),
        key_of(machine="linux/arm64"),
        key_of(source="t"),
    ],
)
def test_each_ingredient_changes_the_key(changed):
    assert changed != key_of()


def test_flags_of_the_compiler_and_layout_of_the_result_are_ingredients(monkeypatch):
    before = key_of()
    with monkeypatch.context() as changed:
        changed.setattr(keys, "BUILD_FLAGS", ("-race",))
        assert key_of() != before
    with monkeypatch.context() as changed:
        changed.setattr(keys, "LAYOUT", keys.LAYOUT + 1)
        assert key_of() != before
    assert key_of() == before


def test_what_does_not_change_the_result_does_not_change_the_key():
    rule = OnMachine(accepts="1", probe=("tool",), pattern="(.*)")
    assert key_of(dataclasses.replace(RECIPE, build_s=99, on_machine=rule)) == key_of()


def test_the_go_version_does_not_count_for_what_go_does_not_compile():
    assert key_of(WHEEL, go_version="1.26.8") == key_of(WHEEL, go_version="1.27.0")


def test_the_key_starts_with_the_version():
    assert key_of().startswith("1.2.3-")


def test_the_digest_covers_names_and_contents_but_no_tests(tmp_path):
    (tmp_path / "main.go").write_text("package main")
    first = keys.digest(tmp_path)
    (tmp_path / "main_test.go").write_text("package main")
    assert keys.digest(tmp_path) == first

    (tmp_path / "main.go").write_text("package main // changed")
    second = keys.digest(tmp_path)
    (tmp_path / "main.go").rename(tmp_path / "other.go")
    third = keys.digest(tmp_path)
    (tmp_path / "cmd").mkdir()
    (tmp_path / "other.go").rename(tmp_path / "cmd" / "other.go")
    assert len({first, second, third, keys.digest(tmp_path)}) == 4
