"""One rule of an AuthorizationPolicy as istiod compiles it for Envoy.

Source: istio 1.29.1 pilot/pkg/security/authz/model/model.go and generator.go. On a TCP chain what reads HTTP is an
error: it removes a whole ALLOW rule, and from a DENY rule just the value, so that the rest denies more.
"""

import ipaddress
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import NamedTuple

from slipway.reachability import paths, places, strings, trust
from slipway.reachability.callers import NOBODY, Callers, Some
from slipway.reachability.mesh_config import MeshConfig
from slipway.reachability.objects import AuthorizationPolicy, Rule, Values
from slipway.reachability.request import UNSTATED, Http
from slipway.reachability.strings import Match

_PORTS = 65535


class Arrival(NamedTuple):
    """A request at a proxy's filters.

    ``port`` is the destination's own; ``authenticated`` whether callers showed a certificate; ``http`` None on a TCP
    chain, its path normalized; ``addresses`` the destination's own, or the block that they will be from, empty when
    not known; ``client_unknown`` tells that a header decides what the client's address is, not the connection.
    """

    port: int
    authenticated: bool
    http: Http | None
    path: str
    sni: str
    addresses: tuple[str, ...]
    client_unknown: bool


# What a value asks: of the callers, of the request, or of a token. None means that istiod refuses the value.
Test = Callable[[Arrival, Callers, bool], Some]


@dataclass(frozen=True, slots=True, kw_only=True)
class Field:
    """One field of a rule: any of ``positive`` has to hold and none of ``negative``; None asks nothing."""

    positive: tuple[Test, ...] | None
    negative: tuple[Test, ...] | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Compiled:
    """A rule as lists of alternatives; without any it matches nobody, like one that istiod leaves out.

    ``by_header`` tells one whose conditions read headers, and so whatever of a request there is.
    """

    sources: tuple[tuple[Field, ...], ...] = ()
    operations: tuple[tuple[Field, ...], ...] = ()
    unmodelled: bool = False
    by_header: bool = False


class _RefusedError(Exception):
    """Istiod cannot compile the value for this kind of chain."""


def compiled(rule: Rule, *, policy: AuthorizationPolicy, tcp: bool, mesh: MeshConfig) -> Compiled:
    """Return the rule as istiod compiles it for HTTP chains, or with ``tcp`` for TCP chains."""
    maker = _Maker(policy=policy, tcp=tcp, mesh=mesh)
    try:
        shared = [maker.condition(key, values) for key, values in rule.conditions]
        from_shared = tuple(item for side, item in shared if side == "from" and item is not None)
        to_shared = tuple(item for side, item in shared if side == "to" and item is not None)
        sources = tuple(
            (*(maker.field(name, values) for name, values in item.items()), *from_shared) for item in rule.sources
        )
        operations = tuple(
            (*(maker.field(name, values) for name, values in item.items()), *to_shared) for item in rule.operations
        )
    except _RefusedError:
        return Compiled()
    return Compiled(
        sources=sources or (from_shared,),
        operations=operations or (to_shared,),
        unmodelled=bool(rule.unmodelled),
        by_header=any(key.startswith("request.headers") for key, _ in rule.conditions),
    )


def matching(rule: Compiled, arrival: Arrival, callers: Callers, *, token: bool) -> Some:
    """Return the callers for which the rule matches; ``token`` tells that the request carries one."""
    operation = _any(rule.operations, arrival, callers, token)
    if not operation.may:
        return NOBODY
    if rule.unmodelled:
        return Some(must=0, may=callers.everybody)
    return _both(operation, _any(rule.sources, arrival, callers, token), callers)


def made_of(rule: Compiled, arrival: Arrival, callers: Callers) -> object:
    """Return what the rule makes of a request, whoever calls: the same for requests that it does not tell apart."""
    if rule.by_header:
        return arrival.http
    return _any(rule.operations, arrival, callers, False)  # noqa: FBT003 - no token there


def _any(alternatives: tuple[tuple[Field, ...], ...], arrival: Arrival, callers: Callers, token: bool) -> Some:
    found = NOBODY
    for fields in alternatives:
        held = callers.all
        for item in fields:
            if item.positive is not None:
                held = _both(held, _either(item.positive, arrival, callers, token), callers)
            if item.negative is not None:
                refused = _either(item.negative, arrival, callers, token)
                held = _both(held, refused.other_than(callers.everybody), callers)
            if not held.may:
                break
        if held is callers.all:
            return held
        found = held if found is NOBODY else found | held
    return found


def _both(first: Some, second: Some, callers: Callers) -> Some:
    """Return ``first & second``, without a new value where one of them holds for all callers."""
    if first is callers.all:
        return second
    return first if second is callers.all else first & second


def _either(tests: tuple[Test, ...], arrival: Arrival, callers: Callers, token: bool) -> Some:
    found = NOBODY
    for test in tests:
        held = test(arrival, callers, token)
        if held is callers.all:
            return held
        found = held if found is NOBODY else found | held
    return found


class _Maker:
    """Makes the fields of one policy's rules."""

    def __init__(self, *, policy: AuthorizationPolicy, tcp: bool, mesh: MeshConfig) -> None:
        self._namespace = policy.namespace
        self._allow = policy.action == "ALLOW"
        self._tcp = tcp
        self._mesh = mesh

    def condition(self, key: str, values: Values) -> tuple[str, Field | None]:
        """Return the side and field of an entry of ``when``; an unknown key drops the rule whatever the action."""
        if key in _CONDITIONS:
            name = _CONDITIONS[key]
        elif key.startswith("request.headers"):
            name = key
        elif key.startswith("request.auth.claims"):
            name = "claims"
        elif key.startswith("experimental.envoy.filters."):
            name = "metadata"
        else:
            raise _RefusedError
        side = "to" if name in {"destinationIp", "ports", "sni", "metadata"} else "from"
        return side, self.field(name, values) if values else None

    def field(self, name: str, values: Values) -> Field:
        """Return the tests of one field; values that istiod refuses are left out, or drop an ALLOW rule."""
        if name == "principals":
            aliases = (self._mesh.trust_domain, *self._mesh.trust_domain_aliases)
            values = Values(
                values=trust.with_aliases(values.values, aliases),
                not_values=trust.with_aliases(values.not_values, aliases),
            )
        return Field(positive=self._tests(name, values.values), negative=self._tests(name, values.not_values))

    def _tests(self, name: str, values: tuple[str, ...]) -> tuple[Test, ...] | None:
        tests: list[Test] = []
        for value in values:
            try:
                tests.append(self._test(name, value))
            except _RefusedError:
                if self._allow:
                    raise
        return tuple(tests) or None

    def _test(self, name: str, value: str) -> Test:
        if self._tcp and (name in _HTTP_ONLY or name.startswith("request.headers")):
            raise _RefusedError
        if name == "serviceAccounts":
            return _service_account(value, self._namespace)
        if name.startswith("request.headers"):
            return _header(name.removeprefix("request.headers"), value)
        return _TESTS[name](value)


_HTTP_ONLY = frozenset({"hosts", "methods", "paths", "requestPrincipals", "claims"})
_CONDITIONS: Mapping[str, str] = {
    "source.ip": "ipBlocks",
    "remote.ip": "remoteIpBlocks",
    "source.namespace": "namespaces",
    "source.serviceAccount": "serviceAccounts",
    "source.principal": "principals",
    "request.auth.principal": "requestPrincipals",
    "request.auth.audiences": "claims",
    "request.auth.presenter": "claims",
    "destination.ip": "destinationIp",
    "destination.port": "ports",
    "connection.sni": "sni",
}


def _service_account(value: str, namespace: str) -> Test:
    place, slash, account = value.partition("/")
    place, account = (place, account) if slash else (namespace, value)
    return _identity(_regex(f"spiffe://.+/ns/{place}/(.+/|)sa/{account}(/.+)?"))


def _regex(text: str) -> Match:
    return Match(shape=strings.Shape.REGEX, text=text)


def _block(value: str) -> str:
    try:
        return str(ipaddress.ip_network(value, strict=False))
    except ValueError as error:
        raise _RefusedError from error


def _identity(match: Match) -> Test:
    def test(arrival: Arrival, callers: Callers, _token: bool) -> Some:
        found = callers.identified(match) if arrival.authenticated else 0
        return Some(must=found, may=found)

    return test


def _placed(block: str, *, remote: bool) -> Test:
    def test(arrival: Arrival, callers: Callers, _token: bool) -> Some:
        if remote and (arrival.client_unknown or (arrival.http and "x-forwarded-for" in arrival.http.headers)):
            return Some(must=0, may=callers.everybody)
        return callers.placed_in(block)

    return test


def _token(_arrival: Arrival, callers: Callers, token: bool) -> Some:
    return Some(must=0, may=callers.everybody if token else 0)


def _doubtful(_arrival: Arrival, callers: Callers, _token: bool) -> Some:
    return Some(must=0, may=callers.everybody)


def _whole(holds: bool, callers: Callers) -> Some:
    return callers.all if holds else NOBODY


def _port(value: str) -> Test:
    if not (value.isascii() and value.isdigit() and int(value) <= _PORTS):
        raise _RefusedError
    number = int(value)
    return lambda arrival, callers, _token: _whole(arrival.port == number, callers)


def _destination(block: str) -> Test:
    def test(arrival: Arrival, callers: Callers, _token: bool) -> Some:
        inside = {places.inside(place, block) for place in arrival.addresses}
        if inside in ({True}, {False}):
            return _whole(True in inside, callers)
        return Some(must=0, may=callers.everybody)

    return test


def _sni(match: Match) -> Test:
    return lambda arrival, callers, _token: _whole(match.matches(arrival.sni), callers)


def _host(match: Match) -> Test:
    return lambda arrival, callers, _token: _whole(
        arrival.http is not None and match.matches(arrival.http.host), callers
    )


def _method(match: Match) -> Test:
    return lambda arrival, callers, _token: _whole(
        arrival.http is not None and match.matches(arrival.http.method), callers
    )


def _path(match: Match) -> Test:
    return lambda arrival, callers, _token: _whole(match.matches(arrival.path), callers)


def _header(bracketed: str, value: str) -> Test:
    if not (bracketed.startswith("[") and bracketed.endswith("]")):
        raise _RefusedError
    name, match = bracketed[1:-1].lower(), strings.header(value)

    def test(arrival: Arrival, callers: Callers, _token: bool) -> Some:
        http = arrival.http
        if http is None:
            return NOBODY
        pseudo = {":method": http.method, ":path": http.path, ":authority": http.host, "host": http.host}
        found = http.headers.get(name, pseudo.get(name))
        if found is None:
            return Some(must=0, may=callers.everybody if name in UNSTATED else 0)
        answers = {match.matches(text) for text in (found, *http.repeated.get(name, ()))}
        if len(answers) > 1:  # joined, or value by value: that depends on Envoy's version (CVE-2026-26308)
            return Some(must=0, may=callers.everybody)
        return _whole(True in answers, callers)

    return test


_TESTS: Mapping[str, Callable[[str], Test]] = {
    "principals": lambda value: _identity(strings.with_prefix(value, trust.SCHEME)),
    "namespaces": lambda value: _identity(_regex(f".*/ns/{value.replace('*', '.*')}/.*")),
    "ipBlocks": lambda value: _placed(_block(value), remote=False),
    "remoteIpBlocks": lambda value: _placed(_block(value), remote=True),
    "requestPrincipals": lambda _value: _token,
    "claims": lambda _value: _token,
    "ports": _port,
    "destinationIp": lambda value: _destination(_block(value)),
    "sni": lambda value: _sni(strings.value(value)),
    "metadata": lambda _value: _doubtful,
    "hosts": lambda value: _host(strings.header(value, ignore_case=True)),
    "methods": lambda value: _method(strings.header(value)),
    "paths": lambda value: _path(paths.pattern(value)),
}
