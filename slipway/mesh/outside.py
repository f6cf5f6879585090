"""Outside hosts: what callers speak, and what is needed so that nothing but the host is opened."""

import ipaddress
from collections.abc import Mapping, Sequence

from slipway.diagnostics import Collector, catalogue, wording
from slipway.mesh import model, perimeter
from slipway.mesh.reading import Found

_PORTS = {model.ExternalProtocol.TLS: 443, model.ExternalProtocol.HTTP: 80}
_TLS_PORT = 443
_WILDCARD = "*."
_NETWORKS = ("pods", "services", "nodes", "machines")
_ADDRESSES = ("resolver", "metadata", "vault", "archive", "control_plane", "ingress")
_NOBODY = ipaddress.IPv4Network("0.0.0.0/8")  # Source: RFC 6890, 2.2.2, "This host on this network"


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


def check_addresses(mesh: model.Mesh, externals: Mapping[str, Found], collector: Collector) -> None:
    """Report addresses of TCP hosts that two of them share on one port, or that do not lie outside (MESH0330).

    Source: istio/istio 1.29.1 pkg/config/validation/validation.go: over TCP the address alone chooses the host.
    """
    plan = [(f"the network of {name}", str(getattr(mesh.network, name))) for name in _NETWORKS]
    plan += [(f"the platform's `{name}`", str(getattr(mesh.network, name))) for name in _ADDRESSES]
    inside = [(what, ipaddress.IPv4Network(block)) for what, block in plan if block]
    owners: dict[tuple[str, int], str] = {}
    for host in mesh.externals:
        for item in externals[host.name].list("addresses") if host.addresses else ():
            if not item.text:
                continue
            where = _inside(ipaddress.IPv4Address(item.text), inside)
            if where:
                sentence = f"{wording.quoted(item.raw)} does not lie outside: it is in {where}"
                hint = "state the host's own address; what runs here is declared under `services`"
                _report(item, sentence, hint, collector)
            owner = owners.setdefault((item.text, host.port), host.name)
            if owner != host.name:
                sentence = (
                    f"{wording.quoted(owner)} and {wording.quoted(host.name)} have the address "
                    f"{wording.quoted(item.raw)} and the port {host.port}, and over TCP nothing else tells them apart"
                )
                _report(item, sentence, "declare them as one host, or give one another port", collector)


def _inside(address: ipaddress.IPv4Address, plan: Sequence[tuple[str, ipaddress.IPv4Network]]) -> str:
    """Return whose an address is when it is not of a host outside, else nothing."""
    if address.is_loopback or address.is_link_local or address.is_multicast or address in _NOBODY:
        return "a range that belongs to no host outside"
    return next((what for what, block in plan if address in block), "")


def _report(item: Found, sentence: str, hint: str, collector: Collector) -> None:
    collector.report(catalogue.OUTSIDE_HOST, sentence, span=item.key, path=item.path, found=item.raw, hint=hint)
