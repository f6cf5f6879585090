"""Comparisons of texts as istiod writes them for Envoy."""

import functools
import re
from dataclasses import dataclass

from slipway.reachability.choices import Choice

_PORT = re.compile(r":[0-9]+\Z")


class Shape(Choice):
    """How a text is compared; ``PRESENT`` takes any value."""

    EXACT = "exact"
    PREFIX = "prefix"
    SUFFIX = "suffix"
    REGEX = "regex"
    PRESENT = "present"


@dataclass(frozen=True, slots=True, kw_only=True)
class Match:
    """One comparison. ``ignore_case`` compares ASCII letters without case; a regex has to match the whole text."""

    shape: Shape
    text: str = ""
    ignore_case: bool = False

    def matches(self, value: str) -> bool:
        """Return whether ``value`` matches."""
        text = self.text
        if self.ignore_case:
            text, value = text.lower(), value.lower()
        match self.shape:
            case Shape.EXACT:
                return value == text
            case Shape.PREFIX:
                return value.startswith(text)
            case Shape.SUFFIX:
                return value.endswith(text)
            case Shape.REGEX:
                compiled = regex(text)
                return compiled is not None and compiled.fullmatch(value) is not None
            case Shape.PRESENT:
                return True


@functools.lru_cache(maxsize=100_000)
def regex(text: str) -> re.Pattern[str] | None:
    """Return the compiled expression, None when it is none."""
    try:
        return re.compile(text, re.ASCII)
    except re.error:
        return None


def value(pattern: str) -> Match:
    """Return what a value of an AuthorizationPolicy means: exact, ``prefix*``, ``*suffix``, ``*`` for any non-empty.

    Source: istio 1.29.1 pilot/pkg/security/authz/matcher/string.go, StringMatcher.
    """
    return with_prefix(pattern, "")


def with_prefix(pattern: str, prefix: str) -> Match:
    """Return what a value means for texts that all start with ``prefix``, as a SPIFFE URI does.

    Source: istio 1.29.1 pilot/pkg/security/authz/matcher/string.go, StringMatcherWithPrefix: a suffix becomes a
    regular expression in which the value is not escaped.
    """
    if pattern == "*":
        return Match(shape=Shape.REGEX, text=".+")
    if pattern.startswith("*"):
        if not prefix:
            return Match(shape=Shape.SUFFIX, text=pattern[1:])
        return Match(shape=Shape.REGEX, text=f"{prefix}.*{pattern[1:]}")
    if pattern.endswith("*"):
        return Match(shape=Shape.PREFIX, text=prefix + pattern[:-1])
    return Match(shape=Shape.EXACT, text=prefix + pattern)


def header(pattern: str, *, ignore_case: bool = False) -> Match:
    """Return what the value of a header means; hosts are compared without case.

    Source: istio 1.29.1 pilot/pkg/security/authz/matcher/header.go, HeaderMatcher and HostMatcher.
    """
    if pattern == "*":
        return Match(shape=Shape.PRESENT)
    if pattern.startswith("*"):
        return Match(shape=Shape.SUFFIX, text=pattern[1:], ignore_case=ignore_case)
    if pattern.endswith("*"):
        return Match(shape=Shape.PREFIX, text=pattern[:-1], ignore_case=ignore_case)
    return Match(shape=Shape.EXACT, text=pattern, ignore_case=ignore_case)


def host_covers(host: str, name: str) -> bool:
    """Return whether every name under ``name`` is one under ``host``; both may start with ``*``.

    Source: istio 1.29.1 pkg/config/host/name.go, Name.SubsetOf.
    """
    return name.endswith(host[1:]) if host.startswith("*") else host == name


def hosts_meet(first: str, second: str) -> bool:
    """Return whether one of two hosts covers the other one.

    Source: istio 1.29.1 pkg/config/host/name.go, Name.Matches.
    """
    return host_covers(first, second) or host_covers(second, first)


def without_port(host: str) -> str:
    """Return a Host header without its port."""
    return _PORT.sub("", host)
