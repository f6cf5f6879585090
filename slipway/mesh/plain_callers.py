"""Callers that have no sidecar yet: known by where they come from, and only for a time."""

import datetime
import ipaddress
from collections.abc import Mapping

from slipway.diagnostics import Collector, catalogue, wording
from slipway.mesh import expiry, model
from slipway.mesh.calls import CallReader
from slipway.mesh.reading import Found

_KEYS = frozenset({"sidecar", "from", "until", "calls", "owner", "namespace"})
_SERVER_FIRST = frozenset({model.Protocol.MYSQL})  # Source: Istio docs, application-requirements, server first
_INSIDE = ("pods", "services", "nodes")


def is_plain(found: Found) -> bool:
    """Whether the entry is a caller without a sidecar."""
    return found.text_of("sidecar") == "none"


def read_plain_callers(
    entries: Mapping[str, Found], *, calls: CallReader, today: datetime.date | None, collector: Collector
) -> tuple[model.PlainCaller, ...]:
    """Return every caller without a sidecar, sorted by name; reports MESH0202, MESH0228 and MESH0329."""
    return tuple(
        _plain_caller(name, found, calls, today, collector)
        for name, found in sorted(entries.items())
        if is_plain(found)
    )


def check_with_sidecar(name: str, found: Found, collector: Collector) -> None:
    """Report keys of callers without a sidecar at one that has it."""
    for key in ("from", "until"):
        if (item := found.get(key)) is not None and found.get("sidecar") is None:
            sentence = f"{wording.quoted(name)} has a sidecar and an identity, so `{key}` says nothing about it"
            _report(item, sentence, "remove it, or add `sidecar: none`", collector)


def _plain_caller(
    name: str, found: Found, calls: CallReader, today: datetime.date | None, collector: Collector
) -> model.PlainCaller:
    shown = wording.quoted(name)
    for key in ("from", "until"):
        if found.get(key) is None and not found.refused:
            hint = "add `from: 10.20.4.0/24`" if key == "from" else "add `until: 2027-06-30`, its last day"
            sentence = f"{shown} has no sidecar, so it needs `{key}`"
            collector.report(catalogue.MISSING_KEY, sentence, span=found.key, path=found.path, hint=hint)
    for key, item in found.fields.items():
        if key not in _KEYS:
            sentence = f"{shown} has no sidecar: it only calls, and `{key}` belongs to what runs in the mesh"
            _report(item, sentence, f"remove `{key}`, or remove `sidecar: none`", collector)
    for item in found.list("calls"):
        if (external := item.get("external")) is not None:
            sentence = f"{shown} has no sidecar, so nothing knows it at the egress gateway"
            _report(external, sentence, "remove this call, or give it a sidecar", collector)
    expiry.check(found.get("until"), f"the time of {shown} without a sidecar", today=today, collector=collector)
    made = calls.service_calls(name, found)
    _check_protocols(found, made, calls, collector)
    return model.PlainCaller(
        name=name,
        network=found.text_of("from"),
        until=found.text_of("until"),
        owner=found.text_of("owner"),
        calls=made,
        span=found.key,
    )


def _check_protocols(
    found: Found, made: tuple[model.ServiceCall, ...], calls: CallReader, collector: Collector
) -> None:
    """Report calls that would hang: a sidecar that takes both plaintext and TLS waits for the client's first byte."""
    for call in made:
        port = next(port for port in calls.ports[call.service] if port.name == call.port)
        if port.protocol in _SERVER_FIRST:
            sentence = (
                f"{wording.quoted(call.service)} speaks `{port.protocol.value}`, where the server speaks first: "
                "its sidecar would wait for ever for a caller that may or may not use TLS"
            )
            collector.report(
                catalogue.WITHOUT_SIDECAR,
                sentence,
                span=call.span,
                path=found.path,
                found=call.service,
                hint="give the caller a sidecar",
            )


def check_networks(mesh: model.Mesh, entries: Mapping[str, Found], collector: Collector) -> None:
    """Report networks in which others live too: whoever is there would be let in as well."""
    for caller in mesh.plain_callers:
        stated = entries[caller.name].get("from")
        if stated is None or not caller.network:
            continue
        network = ipaddress.ip_network(caller.network)
        plan = [(f"the network of {name}", str(getattr(mesh.network, name))) for name in _INSIDE]
        machines = [(f"the machine `{item.name}`", item.address) for item in mesh.machines]
        for owner, block in plan + machines:
            if block and ipaddress.ip_network(block).overlaps(network):
                sentence = f"{wording.quoted(stated.raw)} holds addresses of {owner}, and they would be let in too"
                _report(stated, sentence, "state the addresses of this caller only", collector)


def _report(item: Found, sentence: str, hint: str, collector: Collector) -> None:
    collector.report(catalogue.WITHOUT_SIDECAR, sentence, span=item.key, path=item.path, found=item.raw, hint=hint)
