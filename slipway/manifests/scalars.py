"""What a plain YAML scalar means, in the two dialects that matter.

YAML 1.2's core schema is what Slipway reads. Kubernetes' tools read YAML 1.1 without dates, which is what plain
manifests are written for. Where the two differ, :func:`ambiguity` says how.
"""

import math
import re
from collections.abc import Mapping

Scalar = str | int | float | bool | None

_WORDS: Mapping[str, bool | None] = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL")),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
}
_OLD_TRUE = frozenset({"y", "Y", "yes", "Yes", "YES", "on", "On", "ON"})
_OLD_FALSE = frozenset({"n", "N", "no", "No", "NO", "off", "Off", "OFF"})
_INTEGER = re.compile(r"[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
_INFINITY = re.compile(r"([-+]?)\.(inf|Inf|INF)")
_NOT_A_NUMBER = frozenset({".nan", ".NaN", ".NAN"})
_OLD_OCTAL = re.compile(r"[-+]?0[0-7_]+")
_OLD_BINARY = re.compile(r"[-+]?0b[01_]+")
_OLD_GROUPED = re.compile(r"[-+]?[0-9][0-9_]*_[0-9_]*(\.[0-9_]*)?|[-+]?0x[0-9a-fA-F]+_[0-9a-fA-F_]*")
_OLD_SEXAGESIMAL = re.compile(r"[-+]?[0-9][0-9_]*(:[0-5]?[0-9])+(\.[0-9_]*)?")
_OLD_DATE = re.compile(r"[0-9]{4}-[0-9]{1,2}-[0-9]{1,2}([Tt ].*)?")
_NUMBER_STARTS = frozenset("+-.0123456789")
_LONGEST_NUMBER = 64  # characters; a longer run of digits is text: Python refuses to read it, and so does everybody


def resolve(text: str) -> Scalar:
    """Return the value of a plain scalar in YAML 1.2's core schema.

    Source: YAML 1.2.2, 10.3.2 Tag Resolution.
    """
    if text in _WORDS:
        return _WORDS[text]
    if len(text) > _LONGEST_NUMBER or text[0] not in _NUMBER_STARTS:
        return text
    if _INTEGER.fullmatch(text):
        return int(text, 0) if text[:2] in {"0o", "0x"} else int(text)
    if _FLOAT.fullmatch(text):
        return float(text)
    if infinity := _INFINITY.fullmatch(text):
        return -math.inf if infinity[1] == "-" else math.inf
    return math.nan if text in _NOT_A_NUMBER else text


def resolve_for_kubernetes(text: str) -> Scalar:
    """Return the value of a plain scalar as kubectl reads it: YAML 1.1 booleans and numbers, dates as text.

    Source: sigs.k8s.io/yaml goyaml.v2 resolve.go ("y", "on" are booleans, a leading 0 is octal, ``_`` groups
    digits); sexagesimal numbers are text there as in YAML 1.2.
    """
    if text in _OLD_TRUE or text in _OLD_FALSE:
        return text in _OLD_TRUE
    if len(text) > _LONGEST_NUMBER or text[:1] not in _NUMBER_STARTS:
        return resolve(text)
    ungrouped = text.replace("_", "")
    if _OLD_OCTAL.fullmatch(text):
        return int(ungrouped, 8)
    if _OLD_BINARY.fullmatch(text):
        return int(ungrouped, 2)
    return resolve(ungrouped if _OLD_GROUPED.fullmatch(text) else text)


def ambiguity(text: str) -> str | None:
    """Return what a YAML 1.1 reader makes of a plain scalar that YAML 1.2 reads otherwise, or None."""
    if text in _OLD_TRUE or text in _OLD_FALSE:
        return "a boolean"
    if text[:1] not in _NUMBER_STARTS:
        return None
    kinds = (
        (_OLD_OCTAL, "an octal number"),
        (_OLD_BINARY, "a binary number"),
        (_OLD_GROUPED, "a number"),
        (_OLD_SEXAGESIMAL, "a number to base 60"),
        (_OLD_DATE, "a date"),
    )
    return next((kind for pattern, kind in kinds if pattern.fullmatch(text)), None)
