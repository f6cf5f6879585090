"""Outside hosts: what callers speak, and what is needed so that nothing but the host is opened."""

from collections.abc import Mapping

from slipway.diagnostics import Collector, catalogue, wording
from slipway.mesh import model, perimeter
from slipway.mesh.reading import Found

_PORTS = {model.ExternalProtocol.TLS: 443, model.ExternalProtocol.HTTP: 80}
_TLS_PORT = 443
_WILDCARD = "*."


def read_externals(
    externals: Mapping[str, Found], *, hosts: Mapping[str, Found], collector: Collector
) -> tuple[model.ExternalHost, ...]:
    """Return every outside host, sorted by logical name; reports MESH0202 and MESH0330."""
    return tuple(_external(name, found, hosts, collector) for name, found in sorted(externals.items()))


def _external(name: str, found: Found, hosts: Mapping[str, Found], collector: Collector) -> model.ExternalHost:
    protocol = model.ExternalProtocol(found.text_of("protocol", model.ExternalProtocol.TLS.value))
    host = perimeter.host(name, found, hosts, collector)
    if protocol is model.ExternalProtocol.TCP:
        _check_tcp(name, found, collector)
    elif (item := found.get("addresses")) is not None:
        sentence = f"{wording.quoted(name)} is told apart by its name, and its addresses come from DNS"
        _report(item, sentence, "remove `addresses`, or state `protocol: tcp`", collector)
    _check_wildcard(found, host, protocol, collector)
    if found.is_stated("originateTls") and protocol is not model.ExternalProtocol.HTTP:
        sentence = (
            f"TLS can be made of plain HTTP only, and callers of {wording.quoted(name)} speak `{protocol.value}`"
        )
        hint = "add `protocol: http`, or remove `originateTls`"
        _report(found.fields["originateTls"], sentence, hint, collector)
    return model.ExternalHost(
        name=name,
        host=host,
        port=found.whole_of("port", _PORTS.get(protocol, _TLS_PORT)),
        span=found.key,
        protocol=protocol,
        addresses=tuple(sorted(item.text for item in found.list("addresses") if item.text)),
        served_by=found.text_of("servedBy"),
        origination=_origination(found, collector),
    )


def _origination(found: Found, collector: Collector) -> model.Origination | None:
    stated = found.get("originateTls")
    if stated is None or stated.scalar is False:
        return None
    certificate, authority = stated.get("certificate"), stated.get("authority")
    if certificate is not None and authority is not None:
        sentence = "a client certificate and the authority of the host come from one secret"
        hint = "put the authority into that secret as `ca.crt`, and remove `authority`"
        collector.report(
            catalogue.SETTINGS_CONFLICT,
            sentence,
            span=authority.key,
            path=authority.path,
            found=authority.raw,
            hint=hint,
        )
    return model.Origination(
        port=stated.whole_of("port", _TLS_PORT),
        certificate=stated.text_of("certificate"),
        authority=stated.text_of("authority"),
    )


def _check_tcp(name: str, found: Found, collector: Collector) -> None:
    """Report a TCP host without port or addresses: it would open ``0.0.0.0:<port>``.

    Source: istio/api networking/v1/service_entry.proto, `addresses`.
    """
    for key, example in (("port", "port: 9000"), ("addresses", "addresses: [203.0.113.7]")):
        if found.get(key) is None:
            sentence = f"{wording.quoted(name)} is called over TCP, so it needs {wording.quoted(key)}"
            hint = f"add `{example}`: over TCP only port and addresses tell hosts apart"
            collector.report(catalogue.MISSING_KEY, sentence, span=found.key, path=found.path, hint=hint)


def _check_wildcard(found: Found, host: str, protocol: model.ExternalProtocol, collector: Collector) -> None:
    """Report a wildcard that no single host answers for: the caller could send an allowed SNI to any address."""
    served_by = found.get("servedBy")
    if host.startswith(_WILDCARD):
        if protocol is not model.ExternalProtocol.TLS or served_by is None:
            sentence = f"{wording.quoted(host)} is a wildcard, which no DNS resolves: its names could lead anywhere"
            hint = "state `servedBy`, the one host that answers for all of them over TLS, or declare each host"
            _report(found, sentence, hint, collector)
    elif served_by is not None and host:
        _report(
            served_by, f"{wording.quoted(host)} is one host and answers for itself", "remove `servedBy`", collector
        )


def _report(item: Found, sentence: str, hint: str, collector: Collector) -> None:
    collector.report(catalogue.OUTSIDE_HOST, sentence, span=item.key, path=item.path, found=item.raw, hint=hint)
