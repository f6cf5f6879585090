"""The YAML reader: places, types, limits."""

import contextlib
import time
import tracemalloc

import pytest
from hypothesis import given
from hypothesis import strategies as st

from slipway.diagnostics import DiagnosticsError
from slipway.manifests import decoding, plain, scalars, yaml_reader
from slipway.manifests.nodes import MappingNode, Node, ScalarNode, SequenceNode


def _read(text: bytes | str) -> Node:
    return yaml_reader.read(text, file="f.yaml")


def _refused(text: bytes | str) -> str:
    with pytest.raises(DiagnosticsError) as caught:
        _read(text)
    return caught.value.diagnostics[0].code


def _scalars(node: Node) -> list[ScalarNode]:
    match node:
        case ScalarNode():
            return [node]
        case SequenceNode():
            return [found for item in node.items for found in _scalars(item)]
        case MappingNode():
            return [found for entry in node.entries for found in (entry.key, *_scalars(entry.value))]


@pytest.mark.parametrize("line_end", ["\n", "\r\n"])
def test_spans_are_character_offsets_and_places(line_end):
    text = line_end.join(["# é𝄞", "größe: [ä, 'b c', \"d\"]", "x:", "  y: 1 # end", ""])
    for node in _scalars(_read(text)):
        written = text[node.span.start : node.span.end]
        assert written.strip("'\"") == node.text
        assert text[: node.span.start].count("\n") + 1 == node.span.line
        assert node.span.start - (text.rfind("\n", 0, node.span.start) + 1) + 1 == node.span.column


def test_every_duplicate_key_is_told_with_both_places():
    with pytest.raises(DiagnosticsError) as caught:
        _read("a: 1\nb: {c: 1, c: 2}\na: 2\n'a': 3\n")
    found = [(item.span.line, item.related[0].line) for item in caught.value.diagnostics]
    assert found == [(2, 2), (3, 1), (4, 1)]


def test_duplicate_keys_of_a_hostile_file_are_bounded():
    with pytest.raises(DiagnosticsError) as caught:
        _read("a: 1\n" * 5000)
    assert len(caught.value.diagnostics) == 100


def test_alias_bomb_is_refused_at_once():
    lines = ["a: &a [x, x, x, x, x, x, x, x, x]"]
    lines += [f"{b}: &{b} [{', '.join(['*' + a] * 9)}]" for a, b in zip("abcdefgh", "bcdefghi", strict=True)]
    tracemalloc.start()
    started = time.process_time()
    code = _refused("\n".join(lines))
    spent = time.process_time() - started
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert code == "MESH0110"
    assert spent < 1
    assert peak < 256 * 1024 * 1024


def test_many_aliases_are_refused():
    assert _refused("a: &a x\nb: [" + "*a, " * 10_001 + "]") == "MESH0110"


def test_deep_nesting_is_refused_without_recursion_error():
    assert _refused("[" * 100_000) == "MESH0111"
    assert _refused("\n".join(" " * depth + "a:" for depth in range(1000))) == "MESH0111"


def test_size_is_checked_before_decoding():
    with pytest.raises(DiagnosticsError) as caught:
        yaml_reader.read(b"\xff" * 11, file="f", limits=decoding.Limits(size_bytes=10))
    assert caught.value.diagnostics[0].code == "MESH0104"


def test_hundred_megabytes_are_refused_at_once():
    data = b"a: 1\n" * (20 * 1024 * 1024)
    started = time.process_time()
    assert _refused(data) == "MESH0104"
    assert time.process_time() - started < 1


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (b"a: \xff", "MESH0101"),
        ("a: \ud800", "MESH0101"),
        (b"\xef\xbb\xbfa: 1", "MESH0102"),
        ("a: 1".encode("utf-16"), "MESH0102"),
        ("a: \x00", "MESH0103"),
        ("a: \x1b[31m", "MESH0103"),
        ("a: \u2028", "MESH0103"),
        ("a: \x85", "MESH0103"),
        ("a: \u202ex", "MESH0103"),
        ("a:\n\tb: 1", "MESH0105"),
        ("a: [", "MESH0105"),
        ("%YAML 9.9\n---\na", "MESH0105"),
        ("a: 1\n---\nb: 2\n", "MESH0107"),
        ("a: 1\n...\n---\nb: 2\n", "MESH0107"),
        ("a: !!python/object/apply:os.system [id]", "MESH0108"),
        ("a: !local x", "MESH0108"),
        ("a: !!binary aGk=", "MESH0108"),
        ("a: !!int '5'", "MESH0108"),
        ("a: !!set {b}", "MESH0108"),
        ("a: *b", "MESH0109"),
        ("a: &b [*b]", "MESH0109"),
        ("? {a: 1}\n: b", "MESH0112"),
        ("a: {<<: {b: 1}}", "MESH0113"),
    ],
)
def test_refused(data, code):
    assert _refused(data) == code


def test_accepted_tags_aliases_and_windows_line_ends():
    text = "a: !!str 1\r\nb: &x [1, !!int 2]\r\nc: *x\r\n'<<': 1\r\nd: ! 5\r\n"
    assert plain.to_plain(_read(text)) == {"a": "1", "b": [1, 2], "c": [1, 2], "<<": 1, "d": "5"}


@pytest.mark.parametrize("text", ["", "\n", "# only a comment\n", "---\n"])
def test_an_empty_file_is_nothing(text):
    assert plain.to_plain(_read(text)) is None


def test_documents_are_apart():
    documents = yaml_reader.read_all("a: &x 1\n---\nb: 2\n", file="f")
    assert [plain.to_plain(item) for item in documents] == [{"a": 1}, {"b": 2}]
    with pytest.raises(DiagnosticsError):
        yaml_reader.read_all("a: &x 1\n---\nb: *x\n", file="f")


@pytest.mark.parametrize(
    ("text", "core", "kubernetes"),
    [
        ("yes", "yes", True),
        ("NO", "NO", False),
        ("on", "on", True),
        ("y", "y", True),
        ("22:22", "22:22", "22:22"),
        ("010", 10, 8),
        ("0o10", 8, 8),
        ("0x1F", 31, 31),
        ("0b11", "0b11", 3),
        ("1_000", "1_000", 1000),
        ("1.30", 1.3, 1.3),
        ("1e3", 1000.0, 1000.0),
        ("2027-06-30", "2027-06-30", "2027-06-30"),
        ("~", None, None),
        ("", None, None),
        ("True", True, True),
        ("-.inf", float("-inf"), float("-inf")),
        ("9" * 5000, "9" * 5000, "9" * 5000),
        ("1.29.1", "1.29.1", "1.29.1"),
    ],
)
def test_plain_scalars(text, core, kubernetes):
    assert scalars.resolve(text) == core
    assert scalars.resolve_for_kubernetes(text) == kubernetes
    assert type(scalars.resolve(text)) is type(core)


@given(st.text(max_size=30))
def test_unambiguous_text_reads_the_same_everywhere(text):
    if scalars.ambiguity(text) is None:
        assert repr(scalars.resolve(text)) == repr(scalars.resolve_for_kubernetes(text))


@given(st.one_of(st.text(max_size=200), st.binary(max_size=200)))
def test_anything_is_read_or_refused(data):
    with contextlib.suppress(DiagnosticsError):
        yaml_reader.read_all(data, file="f")


def test_an_alias_as_a_key_is_a_duplicate_too():
    with pytest.raises(DiagnosticsError) as caught:
        _read("&k a: 1\n*k : 2\n")
    (message,) = caught.value.diagnostics
    assert (message.code, str(message.span), str(message.related[0])) == ("MESH0106", "f.yaml:2:1", "f.yaml:1:1")
