"""The way in: TLS ends at the ingress gateway or passes through, plain HTTP is redirected, paths lead to services."""

from typing import Any

from policies.bundles import gateways, objects, routes
from slipway.manifests.manifest import Manifest
from slipway.mesh import model

_Hosts = tuple[model.IngressHost, ...]
_MODES = {
    model.IngressTls.TERMINATE: "SIMPLE",
    model.IngressTls.MUTUAL: "MUTUAL",
    model.IngressTls.OPTIONAL_MUTUAL: "OPTIONAL_MUTUAL",
}


def _together(mesh: model.Mesh) -> tuple[_Hosts, ...]:
    """Return the hosts that share a server: those on one certificate, else each alone.

    A browser sends requests for all names of a certificate over one connection; a server that knows only one of
    them would answer 404 to the others.
    Source: RFC 9113, 9.1.1; istio.io, analysis message IST0138.
    """
    found: dict[tuple[str, str], list[model.IngressHost]] = {}
    for host in sorted(mesh.ingress, key=lambda item: item.name):
        passed = host.tls is model.IngressTls.PASSTHROUGH
        found.setdefault(("host", host.name) if passed else ("certificate", host.certificate), []).append(host)
    return tuple(tuple(hosts) for hosts in found.values())


def _names(hosts: _Hosts) -> list[str]:
    return sorted(f"./{host.host}" for host in hosts)


def _tls_server(hosts: _Hosts) -> dict[str, Any]:
    first = hosts[0]
    if first.tls is model.IngressTls.PASSTHROUGH:
        port = {"number": gateways.HTTPS_PORT, "name": f"tls-{first.name}", "protocol": "TLS"}
        return {"port": port, "hosts": _names(hosts), "tls": {"mode": "PASSTHROUGH"}}
    tls = {
        "mode": _MODES[first.tls],
        "credentialName": first.certificate,
        **({"caCertCredentialName": first.client_authority} if first.client_authority else {}),
        "minProtocolVersion": "TLSV1_2",
    }
    port = {"number": gateways.HTTPS_PORT, "name": f"https-{first.name}", "protocol": "HTTPS"}
    return {"port": port, "hosts": _names(hosts), "tls": tls}


def _gateway(hosts: _Hosts) -> Manifest:
    first = hosts[0]
    redirected = tuple(host for host in hosts if host.redirect_http)
    redirect = {
        "port": {"number": gateways.HTTP_PORT, "name": f"http-{first.name}", "protocol": "HTTP"},
        "hosts": _names(redirected),
        "tls": {"httpsRedirect": True},
    }
    return objects.manifest(
        "Gateway",
        name=first.name,
        namespace=gateways.INGRESS.namespace,
        declared_at=objects.clause(first.span, f"ingress.{first.name}"),
        spec={
            "selector": gateways.INGRESS.selector,
            "servers": [_tls_server(hosts), *([redirect] if redirected else [])],
        },
    )


def _route(mesh: model.Mesh, route: model.IngressRoute) -> dict[str, Any]:
    """Return one route; ``/api`` takes ``/api`` and what is below ``/api/``, but not ``/apis``."""
    service = mesh.service(route.service)
    port = service.port(route.port).service_port
    found: dict[str, Any] = {
        "route": routes.destinations(service, host=service.host, port=port),
        **routes.settings(service),
    }
    if route.prefix != "/":
        below = f"{route.prefix.rstrip('/')}/"
        found["match"] = [{"uri": {"exact": route.prefix}}, {"uri": {"prefix": below}}]
    return found


def _passed_through(mesh: model.Mesh, host: model.IngressHost) -> dict[str, Any]:
    match = [{"port": gateways.HTTPS_PORT, "sniHosts": [host.host]}]
    return {"tls": [{"match": match, "route": _route(mesh, route)["route"]} for route in host.routes]}


def _requests(mesh: model.Mesh, host: model.IngressHost) -> dict[str, Any]:
    """Return the routes of requests; browsers are told to stay with TLS where that is declared.

    Source: RFC 6797, 6.1.
    """
    told = {}
    if host.hsts_s is not None:
        told = {"headers": {"response": {"set": {"strict-transport-security": f"max-age={host.hsts_s}"}}}}
    return {"http": [{**_route(mesh, route), **told} for route in host.routes]}


def _virtual_service(mesh: model.Mesh, host: model.IngressHost, gateway: str) -> Manifest:
    passed = host.tls is model.IngressTls.PASSTHROUGH
    return objects.manifest(
        "VirtualService",
        name=host.name,
        namespace=gateways.INGRESS.namespace,
        declared_at=objects.clause(host.span, f"ingress.{host.name}"),
        spec={
            "hosts": [host.host],
            "exportTo": ["."],
            "gateways": [f"{gateways.INGRESS.namespace}/{gateway}"],
            **(_passed_through(mesh, host) if passed else _requests(mesh, host)),
        },
    )


def emit_ingress(mesh: model.Mesh) -> tuple[Manifest, ...]:
    """Return a Gateway per certificate and a VirtualService per host, all visible only where the gateway runs.

    Hosts on one certificate share a server and hosts on different ones do not, so that no connection carries requests
    for a host that it was not opened for: there is nothing to be answered 421.
    Source: istio/api networking/v1/gateway.proto, ``hosts`` with a namespace and `credentialName`.
    """
    found: list[Manifest] = []
    for hosts in _together(mesh):
        found.append(_gateway(hosts))
        found.extend(_virtual_service(mesh, host, hosts[0].name) for host in hosts)
    return tuple(found)
