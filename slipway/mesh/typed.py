"""Scalars of the declaration, typed by what their key needs and not by what they look like."""

import re

from slipway.diagnostics import catalogue, wording
from slipway.manifests import scalars
from slipway.manifests.nodes import ScalarNode
from slipway.mesh import shape

_WHOLE = re.compile(r"-?(0|[1-9][0-9]{0,17})")
_NUMBER = re.compile(r"-?(0|[1-9][0-9]{0,17})(\.[0-9]{1,17})?")
_TYPE_WORDS = {bool: "a boolean", int: "a number", float: "a number", type(None): "nothing"}


def value_of(node: ScalarNode, wanted: shape.Scalar) -> str | int | float | bool:
    """Return the value of a scalar in its canonical form.

    Raises Rejected (MESH0301 to MESH0306, and what the shape's own parsing raises) when it is not what is wanted.
    """
    if node.plain and scalars.resolve(node.text) is None:
        hint = "remove the key, or give it a value"
        raise shape.Rejected(catalogue.WRONG_TYPE, f"{wanted.noun} is needed here, not nothing", hint=hint)
    match wanted:
        case shape.Text():
            return wanted.parse(_as_text(node, wanted))
        case shape.Day():
            return wanted.parse(node.text)
        case shape.Choice():
            return _as_choice(node, wanted)
        case shape.Whole():
            return wanted.parse(_as_whole(node, wanted))
        case shape.Number():
            return _as_number(node, wanted)
        case shape.Flag():
            return _as_flag(node, wanted)


def _as_text(node: ScalarNode, wanted: shape.Text) -> str:
    """Return the text. What only needs quotes is told so; what would be refused in quotes too gets that hint."""
    value = scalars.resolve(node.text) if node.plain else node.text
    other = None
    if not isinstance(value, str):
        other = f"YAML reads {wording.quoted(node.text)} as {_TYPE_WORDS[type(value)]}"
    elif node.plain and (old := scalars.ambiguity(node.text)):
        other = f"YAML 1.1 tools read {wording.quoted(node.text)} as {old}"
    if other is not None:
        hint = _hint_in_quotes(node.text, wanted)
        raise shape.Rejected(catalogue.NOT_TEXT, f"{other}, and {wanted.noun} is needed here", hint=hint)
    return node.text


def _hint_in_quotes(text: str, wanted: shape.Text) -> str:
    try:
        wanted.parse(text)
    except shape.Rejected as rejected:
        return rejected.hint
    return f'quote it: "{wording.shown(text)}"'


def _as_choice(node: ScalarNode, wanted: shape.Choice) -> str:
    if node.text not in wanted.values:
        choices = ", ".join(wording.quoted(item) for item in wanted.values)
        sentence = f"{wording.quoted(node.text)} is not {wanted.noun}; choices: {choices}"
        raise shape.Rejected(catalogue.NOT_A_CHOICE, sentence, hint=f"choose one of {choices}")
    return node.text


def _as_whole(node: ScalarNode, wanted: shape.Whole) -> int:
    if not node.plain or not _WHOLE.fullmatch(node.text):
        old = scalars.ambiguity(node.text) if node.plain else None
        why = f", and YAML 1.1 tools read it as {old}" if old else ""
        quotes = "" if node.plain else ", and quotes make it a text"
        sentence = f"{wording.quoted(node.text)} is not a whole number in plain decimal digits{why}{quotes}"
        hint = f"write {wanted.noun} as decimal digits without quotes, sign, leading zero or `_`"
        raise shape.Rejected(catalogue.NOT_WHOLE, sentence, hint=hint)
    value = int(node.text)
    if not wanted.minimum <= value <= wanted.maximum:
        raise _out_of_range(node.text, wanted)
    return value


def _as_number(node: ScalarNode, wanted: shape.Number) -> float:
    if not node.plain or not _NUMBER.fullmatch(node.text):
        sentence = f"{wording.quoted(node.text)} is not a number in plain decimal digits"
        hint = f"write {wanted.noun} as decimal digits without quotes, exponent or `_`"
        raise shape.Rejected(catalogue.NOT_NUMBER, sentence, hint=hint)
    value = float(node.text)
    if not wanted.minimum <= value <= wanted.maximum:
        raise _out_of_range(node.text, wanted)
    return value


def _out_of_range(text: str, wanted: shape.Whole | shape.Number) -> shape.Rejected:
    span = f"{wanted.minimum} to {wanted.maximum}"
    sentence = f"{wording.quoted(text)} is not {wanted.noun}; allowed: {span}"
    return shape.Rejected(catalogue.OUT_OF_RANGE, sentence, hint=f"choose a number from {span}")


def _as_flag(node: ScalarNode, wanted: shape.Flag) -> bool:
    value = scalars.resolve(node.text) if node.plain else node.text
    if not isinstance(value, bool):
        sentence = f"{wording.quoted(node.text)} is not a boolean; {wanted.noun} is `true` or `false`"
        raise shape.Rejected(catalogue.NOT_BOOLEAN, sentence, hint="write `true` or `false`, without quotes")
    return value
