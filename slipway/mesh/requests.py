"""The requests of an HTTP clause, as ``GET /api/orders/*``."""

import difflib
import re

from slipway.diagnostics import catalogue, wording
from slipway.mesh import model
from slipway.mesh.shape import Rejected

METHODS = ("DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT")  # Source: RFC 9110, 9.3; RFC 5789
ONE_SEGMENT, REST = "{*}", "{**}"
_GRPC = re.compile(r"[A-Za-z_][A-Za-z0-9_]*(\.[A-Za-z_][A-Za-z0-9_]*)*/([A-Za-z_][A-Za-z0-9_]*|\*)")
_PATH = re.compile(r"/[A-Za-z0-9\-._~!$&'()+,;=:@/]*")  # Source: RFC 3986, 3.3 pchar, without `*` and `%`


def parse(text: str) -> str:
    """Return a request as one method, one space, one path; raises Rejected (MESH0313, MESH0314)."""
    words = text.split(" ")
    if len(words) != 2:  # noqa: PLR2004 - a method and a path
        sentence = f"{wording.quoted(text)} is not a request: a method, one space, a path"
        raise Rejected(
            catalogue.REQUEST, sentence, hint="write it as `GET /api/orders/*`, or `* /path` for any method"
        )
    method, path = words
    if method != "*" and method not in METHODS:
        near = difflib.get_close_matches(method.upper()[:16], METHODS, n=1, cutoff=0.7)
        hint = f"write {wording.quoted(near[0])}" if near else "write `*` for any method"
        sentence = f"{wording.quoted(method)} is not a method; methods: {', '.join(METHODS)}, or `*` for any"
        raise Rejected(catalogue.REQUEST, sentence, hint=hint)
    _check_path(path)
    return text


def _check_path(path: str) -> None:
    """Refuse what AuthorizationPolicy would take literally, or Envoy would never hand to it.

    A `*` counts only as the whole path or at its end; in a template `{*}` is one segment and `{**}` the rest. Envoy
    resolves dot segments and decodes `%41` before it compares. Source: istio/api
    security/v1/authorization_policy.proto `paths`; Istio docs, security best practices, "Path normalization", BASE.
    """
    if path == "*":
        return
    exact = path.removesuffix("*")
    reason = ""
    if not path.startswith("/"):
        reason = "it has to start with `/`"
    elif "{" in path or "}" in path:
        reason = _template(path)
    elif "*" in exact or (exact != path and not exact.endswith("/")):
        reason = "`*` stands alone or at the end behind a `/`; elsewhere it would be a literal star"
    elif "?" in path or "#" in path:
        reason = "query and fragment are no part of what is compared"
    elif "%" in path:
        reason = "percent-encoded characters are not supported: Envoy may decode them before it compares"
    elif not _PATH.fullmatch(exact):
        reason = "it has a character that a path does not have"
    elif "//" in path or any(part in {".", ".."} for part in exact.split("/")):
        reason = "empty and dot segments are resolved before paths are compared, so it would never match"
    if reason:
        sentence = f"{wording.quoted(path)} is not a path: {reason}"
        raise Rejected(
            catalogue.PATH, sentence, hint="write `/exact/path`, `/below/*`, `/a/{*}/b`, or `*` for any path"
        )


def _template(path: str) -> str:
    """Return why a path with braces is no template, or nothing.

    Source: istio/api security/v1/authorization_policy.proto, `paths`; Envoy 1.37 uri_template matcher.
    """
    segments = path.split("/")[1:]
    plain = [item for item in segments if item not in {ONE_SEGMENT, REST}]
    if any("{" in item or "}" in item or "*" in item for item in plain):
        return "a template has `{*}` for one whole segment and `{**}` for the rest, and no other `*` or brace"
    if REST in segments[:-1]:
        return "`{**}` stands for the rest of the path, so it comes last"
    if any(not item or item in {".", ".."} or not _PATH.fullmatch(f"/{item}") for item in plain):
        return "it has an empty or dot segment, or a character that a path does not have"
    return ""


def parse_grpc(text: str) -> str:
    """Return a gRPC method as ``package.Service/Method`` or ``package.Service/*``; raises Rejected (MESH0313).

    Source: gRPC over HTTP/2, "Path": ``/`` service name ``/`` method name, always with POST.
    """
    if _GRPC.fullmatch(text):
        return text
    sentence = f"{wording.quoted(text)} is not a gRPC method"
    raise Rejected(catalogue.REQUEST, sentence, hint="write `orders.v1.Orders/Get`, or `orders.v1.Orders/*` for all")


def grpc_to_match(text: str) -> model.HttpMatch:
    """Return the request of a method that :func:`parse_grpc` has accepted."""
    return model.HttpMatch(method="POST", path=f"/{text}")


def to_match(text: str) -> model.HttpMatch:
    """Return the value of a request that :func:`parse` has accepted."""
    method, path = text.split(" ")
    return model.HttpMatch(method=method, path=path)


def parse_prefix(text: str) -> str:
    """Return the prefix of a route, without a slash at its end; raises Rejected (MESH0316)."""
    prefix = text.rstrip("/") or "/"
    wrong = not text.startswith("/") or not _PATH.fullmatch(text) or "//" in text
    if wrong or any(part in {".", ".."} for part in text.split("/")):
        sentence = (
            f"{wording.quoted(text)} is not the prefix of a route: it starts with `/`, without `*`, `?` or `//`"
        )
        raise Rejected(catalogue.PREFIX, sentence, hint="write it as `/` or `/api`; everything below it is meant")
    return prefix
