"""What comes in from outside: TLS with a certificate that verifies, plain HTTP only to be sent to HTTPS."""

from collections.abc import Iterator

from policies.bundles import gateways
from slipway.mesh import model
from slipway.rollout import expectations, probes, samples, sources
from slipway.rollout.checks import spoken
from slipway.rollout.checks.check import Check, Group

_MOVED = "301"  # Source: istio/api networking/v1/gateway.proto, ServerTLSSettings.https_redirect
_UNDECLARED_HOST = "undeclared.example.com"
SOURCE = sources.Source(manner=sources.Manner.OUTSIDE)


def emit_ingress(mesh: model.Mesh, known: samples.Samples, *, authority: str) -> Iterator[Check]:
    """Each declared host: its routes over TLS, the redirect, and a host that nobody declared.

    ``authority`` is a file with the certificates that sign the hosts' own, at the source.
    """
    secure = probes.Address(host=mesh.network.ingress, port=gateways.HTTPS_PORT)
    plain = probes.Address(host=mesh.network.ingress, port=gateways.HTTP_PORT)
    for host in mesh.ingress:
        for route in host.routes:
            sample = known.http.get((route.service, f"GET {route.prefix}"), samples.Http())
            passed_on = host.tls is model.IngressTls.PASSTHROUGH
            yield Check(
                group=Group.INGRESS,
                source=SOURCE,
                told=f"https://{host.host}{route.prefix}",
                request=probes.Request(
                    kind=probes.Kind.HTTP,
                    target=secure,
                    tls=probes.Tls(sni=host.host, authority="" if passed_on else authority, unverified=passed_on),
                    host=host.host,
                    path=sample.path or route.prefix,
                    timeout_ms=spoken.WORKS_TIMEOUT_MS,
                ),
                expected=_expected(host, sample),
            )
        if host.redirect_http:
            yield _redirect(host, plain)
    if mesh.ingress:
        request = probes.Request(
            kind=probes.Kind.HTTP,
            target=secure,
            tls=probes.Tls(sni=_UNDECLARED_HOST, unverified=True),
            host=_UNDECLARED_HOST,
            timeout_ms=spoken.REFUSED_TIMEOUT_MS,
        )
        told = f"https://{_UNDECLARED_HOST}/"
        yield Check(group=Group.INGRESS, source=SOURCE, told=told, request=request, expected=expectations.closed())


def _expected(host: model.IngressHost, sample: samples.Http) -> expectations.Expectation:
    """Return what a request without a client certificate and without a token comes to."""
    if host.tls is model.IngressTls.MUTUAL:
        return expectations.no_certificate()
    if host.end_user is not None:
        return expectations.forbidden()
    return expectations.works("200", contains=sample.answer) if sample.answer else expectations.works()


def _redirect(host: model.IngressHost, plain: probes.Address) -> Check:
    location = f"https://{host.host}/"
    expected = expectations.Expectation(
        told=f"{_MOVED} to {location}", codes=(_MOVED,), headers=(("location", location),), patient=True
    )
    request = probes.Request(kind=probes.Kind.HTTP, target=plain, host=host.host, timeout_ms=spoken.WORKS_TIMEOUT_MS)
    return Check(group=Group.INGRESS, source=SOURCE, told=f"http://{host.host}/", request=request, expected=expected)
