"""Positions of the phases: a default each, with exceptions by service or namespace."""

import datetime
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TypeVar

from slipway.diagnostics import Collector, Span, catalogue, wording
from slipway.mesh import expiry, model
from slipway.mesh.reading import Found

_Mode = TypeVar("_Mode", model.MtlsMode, model.AuthorizationMode)
_NOWHERE = Span(file="", line=0, column=0)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Names:
    """Names that an exception may have: ``known`` of services and namespaces, ``doubtful`` of both."""

    known: frozenset[str]
    doubtful: frozenset[str]


def read_phases(
    found: Found | None,
    *,
    services: Iterable[model.Service],
    today: datetime.date | None,
    collector: Collector,
) -> model.Phases:
    """Return the positions; where one was refused its closed position stands in.

    Exceptions that have ended are reported (MESH0329).
    """
    phase = found or Found(span=_NOWHERE, key=_NOWHERE, path="phase")
    names = _names(services)
    mtls, mtls_exceptions = _position(phase.get("mtls"), model.MtlsMode.STRICT, names, collector)
    authorization, exceptions = _position(
        phase.get("authorization"), model.AuthorizationMode.ENFORCED, names, collector
    )
    return model.Phases(
        mtls=mtls,
        mtls_exceptions=mtls_exceptions,
        egress=model.EgressMode(phase.text_of("egress", model.EgressMode.LOCKED.value)),
        authorization=authorization,
        authorization_exceptions=exceptions,
        exceptions=(
            *_with_an_end("authorization", phase, model.AuthorizationMode, today, collector),
            *_with_an_end("mtls", phase, model.MtlsMode, today, collector),
        ),
    )


def _with_an_end(
    phase: str,
    found: Found,
    mode: type[model.MtlsMode | model.AuthorizationMode],
    today: datetime.date | None,
    collector: Collector,
) -> tuple[model.PhaseException, ...]:
    stated = found.get(phase)
    items = [item for position in mode for item in (() if stated is None else stated.list(position.value))]
    for item in items:
        what = f"the exception of {wording.quoted(item.text_of('name'))}"
        expiry.check(item.get("until"), what, today=today, collector=collector)
    ended = [
        model.PhaseException(
            phase=phase, name=item.text_of("name"), owner=item.text_of("owner"), until=item.text_of("until")
        )
        for item in items
        if item.fields
    ]
    return tuple(sorted(ended, key=lambda item: item.name))


def _names(services: Iterable[model.Service]) -> _Names:
    inhabitants: dict[str, set[str]] = {}
    for service in services:
        inhabitants.setdefault(service.namespace, set()).add(service.name)
    names = {name for found in inhabitants.values() for name in found}
    doubtful = {name for name in names & inhabitants.keys() if inhabitants[name] != {name}}
    return _Names(known=frozenset(names | inhabitants.keys()), doubtful=frozenset(doubtful))


def _position(
    found: Found | None, closed: _Mode, names: _Names, collector: Collector
) -> tuple[_Mode, tuple[tuple[str, _Mode], ...]]:
    mode = type(closed)
    if found is None:
        return closed, ()
    default = mode(found.text or found.text_of("default", closed.value))
    places: dict[str, Found] = {}
    exceptions: dict[str, _Mode] = {}
    for position in mode:
        for entry in found.list(position.value):
            item = entry.get("name") or entry
            if item.text:
                _check_name(item, names, collector)
                _check_once(item, places.setdefault(item.text, item), collector)
                exceptions.setdefault(item.text, position)
    return default, tuple((name, exceptions[name]) for name in sorted(exceptions))


def _check_name(item: Found, names: _Names, collector: Collector) -> None:
    name = wording.quoted(item.text)
    if item.text in names.doubtful:
        sentence = f"{name} is a service and a namespace with other services; which of them is meant is unclear"
        hint = "rename the service or the namespace"
        collector.report(
            catalogue.AMBIGUOUS_EXCEPTION, sentence, span=item.span, path=item.path, found=item.raw, hint=hint
        )
    if item.text not in names.known:
        near = collector.nearest(item.text, names.known)
        sentence = f"{name} is neither a declared service nor a declared namespace"
        hint = f"did you mean {wording.quoted(near)}?" if near else f"declared: {wording.listed(names.known)}"
        collector.report(
            catalogue.UNKNOWN_EXCEPTION, sentence, span=item.span, path=item.path, found=item.raw, hint=hint
        )


def _check_once(item: Found, first: Found, collector: Collector) -> None:
    if first is not item:
        collector.report(
            catalogue.DUPLICATE_ENTRY,
            f"{wording.quoted(item.text)} stands at two positions of one phase",
            span=item.span,
            path=item.path,
            found=item.raw,
            hint="remove one of the two",
            related=[first.span],
        )
