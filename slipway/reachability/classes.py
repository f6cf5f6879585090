"""Requests that stand for all others: one per combination of patterns that policies and routes compare.

Policies talk about few methods, paths and headers. Requests that match the same patterns get the same answer, so one
of each kind is asked.
"""

import itertools
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from slipway.reachability import paths, strings
from slipway.reachability.objects import AuthorizationPolicy, Rule, TextMatch, VirtualService

_FILLER = "~"  # unreserved in paths, and in nobody's patterns
_OTHER_METHOD = "OTHER"
_COMBINATIONS = 64  # of headers that one rule asks for; more would be noise


Headers = tuple[tuple[str, str], ...]  # pairs of name and value, sorted: together in one request


@dataclass(frozen=True, slots=True, kw_only=True)
class Patterns:
    """What is compared of requests to one destination; methods and paths as in AuthorizationPolicies."""

    methods: frozenset[str] = frozenset()
    paths: frozenset[str] = frozenset()
    headers: frozenset[Headers] = frozenset()

    def __or__(self, other: "Patterns") -> "Patterns":
        return Patterns(
            methods=self.methods | other.methods,
            paths=self.paths | other.paths,
            headers=self.headers | other.headers,
        )


NONE = Patterns()


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """A kind of request: how people write it, and one request of it."""

    label: str
    method: str
    path: str
    headers: Headers = field(default=())


def of_policies(policies: Iterable[AuthorizationPolicy]) -> Patterns:
    """Return what the rules of AuthorizationPolicies compare."""
    methods: set[str] = set()
    found: set[str] = set()
    headers: set[Headers] = set()
    for policy in policies:
        for rule in policy.rules:
            for operation in rule.operations:
                for name, into in (("methods", methods), ("paths", found)):
                    values = operation.get(name)
                    if values is not None:
                        into.update(values.values, values.not_values)
            headers.update(_headers(rule))
    return Patterns(methods=frozenset(methods), paths=frozenset(found), headers=frozenset(headers))


def _headers(rule: Rule) -> Iterable[Headers]:
    """Return headers that fit all conditions of a rule at once, and one for each value that it refuses."""
    wanted: dict[str, list[str]] = {}
    for key, values in rule.conditions:
        if key.startswith("request.headers[") and key.endswith("]"):
            name = key.removeprefix("request.headers[")[:-1].lower()
            wanted.setdefault(name, []).extend(_witness(value) for value in values.values)
            for value in values.not_values:
                yield ((name, _witness(value)),)
    yield from _together(wanted)


def _together(wanted: Mapping[str, Iterable[str]]) -> Iterable[Headers]:
    """Return every choice of one value per header, a bounded number of them."""
    choices = [[(name, value) for value in sorted(set(values))] for name, values in sorted(wanted.items())]
    found = itertools.product(*(item for item in choices if item))
    return (item for item in itertools.islice(found, _COMBINATIONS) if item)


def of_routes(services: Iterable[VirtualService]) -> Patterns:
    """Return what the HTTP routes of VirtualServices compare; regular expressions stand for no request."""
    methods: set[str] = set()
    found: set[str] = set()
    headers: set[Headers] = set()
    for service in services:
        for match in (item for route in service.http for item in route.matches):
            methods.update(_pattern(match.method))
            found.update(_pattern(match.uri))
            together = {name: [_witness(text)] for name, item in match.headers.items() for text in _values(item)}
            headers.update(_together(together))
            for name, item in match.without_headers.items():
                headers.update(((name, _witness(text)),) for text in _values(item))
    return Patterns(methods=frozenset(methods), paths=frozenset(found), headers=frozenset(headers))


def _pattern(match: TextMatch | None) -> tuple[str, ...]:
    if match is None or match.kind == "regex":
        return ()
    return (f"{match.text}*" if match.kind == "prefix" else match.text,)


def _values(match: TextMatch | None) -> tuple[str, ...]:
    return _pattern(match) or ("*",)


def _witness(pattern: str) -> str:
    """Return a text that matches a pattern."""
    if pattern == "*":
        return _FILLER
    if pattern.startswith("*"):
        return _FILLER + pattern[1:]
    return pattern[:-1] + _FILLER if pattern.endswith("*") else pattern


def kinds(patterns: Patterns) -> tuple[Kind, ...]:
    """Return a request of every kind, those that patterns name first; at least one."""
    methods = _methods(patterns.methods)
    locations = _paths(patterns.paths)
    headers: list[tuple[str, Headers]] = [("", ())]
    headers += [
        (f" with {', '.join(f'{name}: {value}' for name, value in pairs)}", pairs)
        for pairs in sorted(patterns.headers)
    ]
    return tuple(
        Kind(label=_label(method, location) + text, method=witness, path=path, headers=pairs)
        for (method, witness), (location, path), (text, pairs) in itertools.product(methods, locations, headers)
    )


def _label(method: str, location: str) -> str:
    return f"{method} {location}" if method != "*" or location != "*" else "*"


def _methods(patterns: frozenset[str]) -> list[tuple[str, str]]:
    named = sorted(patterns - {"*"})
    if not named:
        return [("*", "GET")]
    return [*_distinct([(item, _witness(item)) for item in named], named, {}), ("other methods", _OTHER_METHOD)]


def _paths(patterns: frozenset[str]) -> list[tuple[str, str]]:
    named = sorted(patterns - {"*"}, key=lambda item: (-len(item), item))
    if not named:
        return [("*", "/")]
    known = {item: paths.pattern(item) for item in named}
    found = [(item, _path(item)) for item in named]
    prefixes = [item for item in named if item.endswith("*") and not paths.is_template(item)]
    suffixes = [item for item in named if item.startswith("*")]
    found += [
        (f"{first}{second[1:]}", first[:-1] + _FILLER + second[1:]) for first in prefixes for second in suffixes
    ]
    return _distinct([*found, ("other paths", f"/{_FILLER}{_FILLER}")], named, known)


def _path(pattern: str) -> str:
    if paths.is_template(pattern):
        return pattern.replace("{**}", f"{_FILLER}/{_FILLER}").replace("{*}", _FILLER)
    text = _witness(pattern)
    return text if text.startswith("/") else f"/{text}"


def _distinct(
    found: list[tuple[str, str]], named: list[str], known: Mapping[str, strings.Match]
) -> list[tuple[str, str]]:
    """Return one witness per set of patterns that match it."""
    kept: dict[tuple[bool, ...], tuple[str, str]] = {}
    for label, text in found:
        signature = tuple(known[item].matches(text) if item in known else _same(item, text) for item in named)
        kept.setdefault(signature, (label, text))
    return list(kept.values())


def _same(pattern: str, text: str) -> bool:
    return strings.header(pattern).matches(text)
