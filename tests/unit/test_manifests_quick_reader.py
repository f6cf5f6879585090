"""The quick reader agrees with the full one wherever it answers, and it answers for what tools write."""

from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import example, given
from hypothesis import strategies as st

from slipway.diagnostics import DiagnosticsError
from slipway.manifests import canonical, decoding, kubernetes_reader, plain, quick_reader, scalars, yaml_reader
from slipway.manifests.decoding import Limits
from slipway.manifests.manifest import Manifest
from slipway.manifests.nodes import ScalarNode

ROOT = Path(__file__).parents[2]
FILES = sorted(
    path
    for folder in ("tests", "stacks", "examples", "slipway")
    for path in (ROOT / folder).rglob("*.y*ml")
    if path.is_file()
)
# What YAML text is made of, so that random texts are often nearly right.
_PIECES = st.sampled_from(
    [
        *(
            "a",
            "b",
            "name",
            "metadata",
            "kind",
            "List",
            "items",
            "null",
            "~",
            "yes",
            "010",
            "1_0",
            "0x1F",
            "1e3",
            "é",
        ),
        *(
            "é",
            ": ",
            ":\n",
            "\n",
            "\n  ",
            "\n    ",
            "- ",
            "\n- ",
            "\n  - ",
            "---\n",
            "\n---\n",
            "...\n",
            "--- ",
            "? ",
        ),
        *("{", "}", "[", "]", ", ", "'", '"', "|\n", ">-\n", "&a ", "*a", "!!str ", "!!int ", "! ", "!x ", "<<: "),
        *("# c\n", "\t", "%YAML 1.1\n", "\\", "\\n", "''", '""', "\r\n", "a: 1\n", "b: {a: 1}\n", "a: [1, b]\n"),
    ]
)
_TEXTS = st.lists(_PIECES, max_size=25).map("".join)


def _fully(text: str, limits: Limits) -> list[Any] | None:
    try:
        documents = yaml_reader.read_all(text, file="f", limits=limits)
    except DiagnosticsError:
        return None
    empty = [isinstance(item, ScalarNode) and scalars.resolve(item.text) is None for item in documents]
    read = [plain.to_plain(item, resolve=scalars.resolve_for_kubernetes) for item in documents]
    return [value for value, skipped in zip(read, empty, strict=True) if not skipped]


def _agrees(text: str, limits: Limits = decoding.DEFAULT_LIMITS) -> bool:
    """Check that the quick reader gives the full one's values or none; return whether it gave any."""
    found = quick_reader.read_all(text, limits=limits)
    assert found is None or repr(found) == repr(_fully(text, limits))
    return found is not None


def _nothing(_text: str, **_limits: object) -> None:
    """Stand for the quick reader where it has no answer."""


def _manifests(text: str) -> object:
    try:
        return repr(kubernetes_reader.read_manifests(text, file="f"))
    except DiagnosticsError as error:
        return error.diagnostics


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_files_of_the_tree(path, monkeypatch):
    try:
        text = decoding.decode(path.read_bytes(), file="f")
    except DiagnosticsError:
        return
    _agrees(text)
    found = _manifests(text)
    monkeypatch.setattr(quick_reader, "read_all", _nothing)
    assert found == _manifests(text)


@given(_TEXTS)
@example("a: {a: 1, a: 2}")
@example("? a\n: b")
@example("---\n---\n'null'\n---\n~\n--- 5\n")
@example("[a: 1, [], {}, '']: x")
def test_any_text(text):
    _agrees(text)


@given(_TEXTS, st.integers(0, 4), st.integers(0, 12))
def test_limits_are_those_of_the_full_reader(text, depth, nodes):
    _agrees(text, Limits(depth=depth, nodes=nodes))


_SCALARS = st.one_of(st.none(), st.booleans(), st.integers(), st.text(max_size=8), st.sampled_from(["", "1", "yes"]))
_FIELDS = st.dictionaries(st.sampled_from(["a", "app", ""]), st.one_of(_SCALARS, st.lists(_SCALARS, max_size=1)))
_METADATA = st.dictionaries(
    st.sampled_from(["name", "namespace", "labels", "annotations", "uid", "clusterName"]),
    st.one_of(_SCALARS, _FIELDS),
)
_OBJECTS = st.fixed_dictionaries(
    {},
    optional={
        "apiVersion": st.sampled_from(["v1", "", 1, None]),
        "kind": st.sampled_from(["Service", "List", "ServiceList", "", 3]),
        "metadata": st.one_of(_METADATA, _SCALARS, st.just({"name": "a", "labels": {"b": "c"}})),
        "spec": _FIELDS,
    },
)
_LISTS = st.fixed_dictionaries(
    {"apiVersion": st.just("v1"), "kind": st.just("List"), "items": st.one_of(st.lists(_OBJECTS), _FIELDS, _SCALARS)}
)


@given(st.lists(st.one_of(_OBJECTS, _LISTS, _SCALARS), max_size=3), st.booleans())
def test_objects_and_their_mistakes(documents, flow):
    text = yaml.safe_dump_all(documents, default_flow_style=flow, allow_unicode=True)
    found = _manifests(text)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(quick_reader, "read_all", _nothing)
        assert found == _manifests(text)


def test_ordinary_files_are_read_quickly():
    body = {"spec": {"a": [1, "yes", {"b": None}], "c": "two\nlines\n"}}
    manifests = [Manifest(api_version="v1", kind="Thing", name=f"n{item}", body=body) for item in range(3)]
    assert _agrees(canonical.manifests_to_yaml(manifests))
    assert _agrees(f"# a comment\n---\n{yaml.safe_dump({'kind': 'x', 'data': {'a': 'b'}})}")


def test_the_reader_of_pure_python_gives_the_same(monkeypatch):
    text = "a: [1, 'b', \"c\"]\nd: |\n  e\n---\nf: {g: yes}\n"
    with_libyaml = quick_reader.read_all(text, limits=decoding.DEFAULT_LIMITS)
    monkeypatch.setattr(yaml, "__with_libyaml__", False)
    assert quick_reader.read_all(text, limits=decoding.DEFAULT_LIMITS) == with_libyaml == _fully(text, Limits())
