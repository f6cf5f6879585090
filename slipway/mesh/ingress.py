"""The hosts of the ingress gateway: who ends TLS, where requests go, which token they show."""

from collections.abc import Mapping

from slipway.diagnostics import Collector, catalogue, wording
from slipway.mesh import model, perimeter
from slipway.mesh.calls import CallReader
from slipway.mesh.reading import Found

_MUTUAL = frozenset({model.IngressTls.MUTUAL, model.IngressTls.OPTIONAL_MUTUAL})
_CARRIES_TLS = frozenset({model.Protocol.TLS, model.Protocol.TCP})


def read_ingress(
    ingress: Mapping[str, Found],
    *,
    hosts: Mapping[str, Found],
    services: Mapping[str, Found],
    calls: CallReader,
    collector: Collector,
) -> tuple[model.IngressHost, ...]:
    """Return every ingress host with its routes, sorted by logical name."""
    reader = _HostReader(hosts=hosts, services=services, calls=calls, collector=collector)
    found = tuple(reader.read(name, entry) for name, entry in sorted(ingress.items()))
    _check_certificates(found, ingress, collector)
    _check_issuers(found, ingress, collector)
    return found


class _HostReader:
    def __init__(
        self,
        *,
        hosts: Mapping[str, Found],
        services: Mapping[str, Found],
        calls: CallReader,
        collector: Collector,
    ) -> None:
        self._hosts = hosts
        self._services = services
        self._calls = calls
        self._collector = collector

    def read(self, name: str, entry: Found) -> model.IngressHost:
        served = perimeter.host(name, entry, self._hosts, self._collector)
        if served.startswith("*."):
            sentence = f"{wording.quoted(served)} is a wildcard, and each host that is served has its own rules"
            stated = self._hosts.get(name) or entry
            self._report(catalogue.HOST, stated, sentence, "declare each host by its full name")
        tls = model.IngressTls(entry.text_of("tls", model.IngressTls.TERMINATE.value))
        self._check_tls(entry, tls)
        redirect, hsts = entry.get("redirectHttp"), entry.get("hstsSeconds")
        routes = [
            route
            for prefix, target in entry.entries("routes").items()
            if (route := self._route(prefix, target, tls)) is not None
        ]
        return model.IngressHost(
            name=name,
            host=served,
            certificate=entry.text_of("certificate", served.replace(".", "-")),
            redirect_http=redirect is None or bool(redirect.scalar),
            routes=tuple(sorted(routes, key=lambda route: (-len(route.prefix), route.prefix))),
            span=entry.key,
            tls=tls,
            client_authority=entry.text_of("clientAuthority"),
            hsts_s=hsts.scalar if hsts is not None and isinstance(hsts.scalar, int) else None,
            end_user=self._end_user(entry.get("endUser")),
        )

    def _check_tls(self, entry: Found, tls: model.IngressTls) -> None:
        """Report what does not go with the way TLS ends: the gateway reads nothing of what it passes through."""
        authority = entry.get("clientAuthority")
        if tls in _MUTUAL and authority is None:
            sentence = f"with `tls: {tls.value}` clients' certificates are verified, which needs `clientAuthority`"
            self._report(
                catalogue.MISSING_KEY, entry, sentence, "add `clientAuthority: SECRET`, which holds `ca.crt`"
            )
        if tls not in _MUTUAL and authority is not None:
            sentence = f"with `tls: {tls.value}` no client certificate is asked for"
            hint = "remove `clientAuthority`, or state `tls: mutual` or `tls: optionalMutual`"
            self._report(catalogue.SETTINGS_CONFLICT, authority, sentence, hint)
        for key in ("certificate", "hstsSeconds", "endUser") if tls is model.IngressTls.PASSTHROUGH else ():
            if (item := entry.get(key)) is not None:
                sentence = (
                    f"TLS is passed through to the service, and `{key}` is about what only the service can read"
                )
                self._report(catalogue.SETTINGS_CONFLICT, item, sentence, f"remove `{key}`, or end TLS here")

    def _route(self, prefix: str, target: Found, tls: model.IngressTls) -> model.IngressRoute | None:
        named = target.get("service") or target
        if not named.text:
            return None
        if named.text not in self._services:
            near = self._collector.nearest(named.text, self._services)
            sentence = f"the service {wording.quoted(named.text)} is not declared"
            hint = f"did you mean {wording.quoted(near)}?" if near else f"declared: {wording.listed(self._services)}"
            self._report(catalogue.UNKNOWN_SERVICE, named, sentence, hint)
            return None
        passed = tls is model.IngressTls.PASSTHROUGH
        if passed and prefix != "/":
            sentence = f"TLS is passed through, so the path {wording.quoted(prefix)} cannot be seen"
            self._report(catalogue.SETTINGS_CONFLICT, target, sentence, "route `/`, or end TLS here")
        port = self._calls.port(target, named.text, http=not passed)
        if port is None:
            return None
        if passed and port.protocol not in _CARRIES_TLS:
            sentence = (
                f"TLS is passed through, and the port {wording.quoted(port.name)} speaks `{port.protocol.value}`"
            )
            self._report(catalogue.SETTINGS_CONFLICT, named, sentence, "choose a port with the protocol `tls`")
        if not passed and not port.protocol.is_http:
            sentence = f"a route needs HTTP, and the port {wording.quoted(port.name)} speaks `{port.protocol.value}`"
            self._report(catalogue.HTTP_ON_TCP, named, sentence, "choose an HTTP port of the service")
        return model.IngressRoute(prefix=prefix, service=named.text, port=port.name)

    def _end_user(self, found: Found | None) -> model.EndUser | None:
        if found is None:
            return None
        jwks, uri = found.get("jwks"), found.get("jwksUri")
        if jwks is None and uri is None and not found.refused:
            sentence = "a token is verified with the issuer's public keys, which needs `jwks` or `jwksUri`"
            self._report(
                catalogue.MISSING_KEY, found, sentence, "add `jwks`, the keys themselves: nothing is fetched"
            )
        if jwks is not None and uri is not None:
            sentence = "the keys are stated, and so is where to fetch them"
            self._report(
                catalogue.SETTINGS_CONFLICT, uri, sentence, "remove one of the two; `jwks` needs no fetching"
            )
        return model.EndUser(
            issuer=found.text_of("issuer"),
            audiences=tuple(sorted(item.text for item in found.list("audiences"))),
            jwks="" if jwks is None else jwks.text,
            jwks_uri="" if uri is None else uri.text,
        )

    def _report(self, code: catalogue.Code, item: Found, sentence: str, hint: str) -> None:
        span = item.span if code in {catalogue.UNKNOWN_SERVICE, catalogue.HTTP_ON_TCP} else item.key
        self._collector.report(code, sentence, span=span, path=item.path, found=item.raw, hint=hint)


def _check_certificates(
    found: tuple[model.IngressHost, ...], ingress: Mapping[str, Found], collector: Collector
) -> None:
    """Report hosts on one certificate that ask clients for different ones.

    A client may send requests for both over one connection, whose certificate was asked for once.
    Source: RFC 9113, 9.1.1; Istio docs, security best practices, "TLS and host matching".
    """
    first: dict[str, model.IngressHost] = {}
    for host in found:
        if host.tls is model.IngressTls.PASSTHROUGH or not host.certificate:
            continue
        other = first.setdefault(host.certificate, host)
        if (other.tls, other.client_authority) != (host.tls, host.client_authority):
            sentence = (
                f"{wording.quoted(other.name)} and {wording.quoted(host.name)} have one certificate, so browsers "
                "send requests for both over one connection, and they ask clients for different certificates"
            )
            collector.report(
                catalogue.SETTINGS_CONFLICT,
                sentence,
                span=host.span,
                path=ingress[host.name].path,
                found=host.certificate,
                hint="give each host a certificate of its own",
                related=[other.span],
            )


def _check_issuers(found: tuple[model.IngressHost, ...], ingress: Mapping[str, Found], collector: Collector) -> None:
    first: dict[str, tuple[model.IngressHost, model.EndUser]] = {}
    for host in found:
        if host.end_user is None:
            continue
        other, known = first.setdefault(host.end_user.issuer, (host, host.end_user))
        if (known.jwks, known.jwks_uri) != (host.end_user.jwks, host.end_user.jwks_uri):
            stated = ingress[host.name].fields["endUser"]
            collector.report(
                catalogue.SETTINGS_CONFLICT,
                f"the issuer {wording.quoted(known.issuer)} has other keys here than at {wording.quoted(other.name)}",
                span=stated.key,
                path=stated.path,
                found=known.issuer,
                hint="an issuer has one set of keys: state it alike",
                related=[other.span],
            )
