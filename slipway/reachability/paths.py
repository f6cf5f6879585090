"""Paths of requests: what Envoy makes of them before it compares, and templates."""

import functools
import re

from slipway.reachability import strings
from slipway.reachability.strings import Match, Shape

_ESCAPED_SLASHES = re.compile("%2f|%5c", re.IGNORECASE)
_UNRESERVED = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~")
_ESCAPE = re.compile("%([0-9a-fA-F]{2})")
_LITERAL = r"[a-zA-Z0-9_.~%!$&'()*+,;:@=-]"
_PRINTABLE = re.compile("[!-~]*")
# Measured with Envoy 1.37: each printable character in a path, against policies that name it as it is and escaped.
_NEVER_PLAIN = str.maketrans({char: f"%{ord(char):02X}" for char in '"<>^`{|}'})


@functools.lru_cache(maxsize=10_000)
def normalized(path: str, normalization: str) -> str | None:
    """Return the path without query as authorization and routing see it, None when Envoy refuses the request (400).

    Source: istio 1.29.1 pilot/pkg/networking/core/listener.go (BASE is normalize_path, MERGE_SLASHES adds
    merge_slashes, DECODE_AND_MERGE_SLASHES adds UNESCAPE_AND_FORWARD of %2F and %5C); Envoy's
    source/common/http/path_utility.cc: fragments are stripped, dot segments resolved, backslashes become slashes,
    escapes of unreserved characters are decoded, characters that no URL has are escaped.
    """
    if not _PRINTABLE.fullmatch(path):
        return None
    plain = path.partition("#")[0].partition("?")[0]
    if normalization == "NONE":
        return plain
    if not plain.startswith("/"):
        return plain if plain == "*" else None
    if normalization == "DECODE_AND_MERGE_SLASHES":
        plain = _ESCAPED_SLASHES.sub("/", plain)
    plain = _ESCAPE.sub(_decoded, plain.replace("\\", "/"))
    plain = _without_dots(plain).translate(_NEVER_PLAIN)
    if normalization in {"MERGE_SLASHES", "DECODE_AND_MERGE_SLASHES"}:
        plain = re.sub("/{2,}", "/", plain)
    return plain


def _decoded(found: re.Match[str]) -> str:
    char = chr(int(found[1], 16))
    return char if char in _UNRESERVED else found[0]


def _without_dots(path: str) -> str:
    """Resolve ``.`` and ``..`` segments; an empty segment counts as one. Source: RFC 3986, 5.2.4."""
    parts = path.split("/")[1:]
    kept: list[str] = []
    for part in parts:
        if part == "..":
            del kept[-1:]
        elif part != ".":
            kept.append(part)
    folder = [""] if parts[-1:] in (["."], [".."]) else []
    return "/" + "/".join(kept + folder)


def is_template(value: str) -> bool:
    """Return whether a path of an AuthorizationPolicy is a template.

    Source: istio 1.29.1 pkg/config/security/security.go, ContainsPathTemplate.
    """
    return "{*}" in value or "{**}" in value


@functools.lru_cache(maxsize=10_000)
def template(value: str) -> Match:
    """Return the comparison of a template: ``{*}`` is one segment, ``{**}`` any number of them.

    Source: Envoy's source/extensions/path/uri_template_lib/uri_template_internal.cc: ``*`` becomes ``[...]+``
    without slashes and ``**`` ``[.../]*``; a path with what the template's alphabet lacks does not match.
    """
    parts = re.split(r"(\{\*\*\}|\{\*\}|\*\*|\*)", value)
    pieces = {"{*}": f"{_LITERAL}+", "*": f"{_LITERAL}+", "{**}": f"(?:{_LITERAL}|/)*", "**": f"(?:{_LITERAL}|/)*"}
    return Match(shape=Shape.REGEX, text="".join(pieces.get(part, re.escape(part)) for part in parts))


def pattern(value: str) -> Match:
    """Return the comparison of a path of an AuthorizationPolicy.

    Source: istio 1.29.1 pilot/pkg/security/authz/model/generator.go, pathGenerator.
    """
    return template(value) if is_template(value) else strings.value(value)
