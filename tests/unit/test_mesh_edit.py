"""Edits of one scalar."""

from pathlib import Path

import pytest

from slipway.diagnostics import DiagnosticsError
from slipway.mesh import edit

LAB = (Path(__file__).parents[2] / "stacks/lab.yaml").read_text()


def test_one_scalar_changes_and_comments_stay():
    changed = edit.replace(LAB, file="lab.yaml", path=("phase", "mtls"), value="permissive")
    pairs = [pair for pair in zip(LAB.splitlines(), changed.splitlines(), strict=True) if pair[0] != pair[1]]
    assert len(pairs) == 1
    assert pairs[0][1] == pairs[0][0].replace("strict", "permissive", 1)


@pytest.mark.parametrize(
    ("value", "written"),
    [("1.30", '"1.30"'), ("on", '"on"'), ("a b", '"a b"'), (5, "5"), (True, "true"), ("r-1", "r-1")],
)
def test_values_keep_their_type(value, written):
    assert edit.replace("a: [x, {b: 'old'}] # c\r\n", file="f", path=("a", 1, "b"), value=value) == (
        f"a: [x, {{b: {written}}}] # c\r\n"
    )


@pytest.mark.parametrize("path", [("b",), ("a",), ("a", 7), ("a", "x"), ("d",), ("e",)])
def test_what_cannot_be_replaced_alone_is_refused(path):
    text = "a: [1, 2]\nc: &c x\nd: *c\ne: |\n  lines\nf: 1\n"
    with pytest.raises(edit.NotEditable):
        edit.replace(text, file="f", path=path, value="y")


def test_unreadable_text_is_refused():
    with pytest.raises(DiagnosticsError):
        edit.replace("a: [", file="f", path=("a",), value="y")
