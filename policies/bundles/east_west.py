"""What machines reach at the east-west gateway in an overlay: services of the cluster, and the tracing service.

The first is passed on as it is, the second is let in by identity, since pods of a tracing service have no sidecar.
"""

from typing import Any

from policies.bundles import dependencies, gateways, objects, overlay
from slipway.manifests.manifest import Manifest
from slipway.mesh import model

SERVICES = "slipway-services"
TRACES = "slipway-traces"
_SPANS = "/api/v2/spans"  # Source: istio/istio 1.29.1 pilot/pkg/networking/core/tracing.go, zipkin's default path


def _object(mesh: model.Mesh, kind: str, name: str, spec: dict[str, Any]) -> Manifest:
    declared_at = gateways.clause(mesh, gateways.EAST_WEST)
    return objects.manifest(kind, name=name, namespace=gateways.ISTIO_NAMESPACE, declared_at=declared_at, spec=spec)


def _services(mesh: model.Mesh) -> tuple[Manifest, ...]:
    """Return the door to services of the cluster: each by its name and those of today, no wildcard.

    Source: istio/istio 1.29.1 pilot/pkg/networking/core/gateway.go, `builtAutoPassthroughFilterChains`: a host of the
    server stands for the clusters of that name, its subsets included.
    """
    hosts = [
        f"{item.namespace}/{host}"
        for item in overlay.passed_through(mesh)
        for host in (item.host, *sorted(item.names))
    ]
    if not hosts:
        return ()
    server = {
        "port": {"number": overlay.PASSTHROUGH_PORT, "name": "tls-services", "protocol": "TLS"},
        "hosts": hosts,
        "tls": {"mode": "AUTO_PASSTHROUGH"},
    }
    return (_object(mesh, "Gateway", SERVICES, {"selector": gateways.EAST_WEST.selector, "servers": [server]}),)


def _traces(mesh: model.Mesh, tracing: model.Tracing) -> tuple[Manifest, ...]:
    port, host = overlay.TRACES_PORT, overlay.TRACES_HOST
    spaces = sorted({item.namespace for item in mesh.machines})
    entry = overlay.front(
        host=host,
        address=mesh.network.control_plane,
        port={"number": port, "name": "http", "protocol": "HTTP"},
        account=gateways.EAST_WEST.release,
        callers=spaces,
    )
    rule = {"host": host, "exportTo": spaces, "trafficPolicy": {"tls": {"mode": "ISTIO_MUTUAL", "sni": host}}}
    server = {
        "port": {"number": port, "name": "https-traces", "protocol": "HTTPS"},
        "hosts": [f"./{host}"],
        "tls": {"mode": "ISTIO_MUTUAL"},
    }
    destination = {"host": dependencies.tracing_host(tracing), "port": {"number": tracing.port}}
    routes = {
        "hosts": [host],
        "exportTo": ["."],
        "gateways": [f"{gateways.ISTIO_NAMESPACE}/{TRACES}"],
        "http": [{"match": [{"port": port, "uri": {"exact": _SPANS}}], "route": [{"destination": destination}]}],
    }
    return (
        _object(mesh, "ServiceEntry", TRACES, entry),
        _object(mesh, "DestinationRule", TRACES, rule),
        _object(mesh, "Gateway", TRACES, {"selector": gateways.EAST_WEST.selector, "servers": [server]}),
        _object(mesh, "VirtualService", TRACES, routes),
        _object(mesh, "AuthorizationPolicy", TRACES, _senders(mesh)),
    )


def _senders(mesh: model.Mesh) -> dict[str, Any]:
    """Return who may send spans: every declared machine, by its identity, and nothing but spans."""
    gateway = gateways.EAST_WEST
    principals = sorted(
        f"{mesh.trust_domain}/ns/{item.namespace}/sa/{item.service_account}" for item in mesh.machines
    )
    operation = {"ports": [str(overlay.TRACES_PORT)], "methods": ["POST"], "paths": [_SPANS]}
    return {
        "selector": {"matchLabels": {**gateway.selector, gateways.GATEWAY_LABEL: gateway.release}},
        "action": "ALLOW",
        "rules": [{"from": [{"source": {"principals": principals}}], "to": [{"operation": operation}]}],
    }


def emit_east_west(mesh: model.Mesh) -> tuple[Manifest, ...]:
    """Return what leads machines to the cluster where pods are in an overlay; nothing where they are routed."""
    traces = () if mesh.tracing is None or not overlay.is_apart(mesh) else _traces(mesh, mesh.tracing)
    return (*_services(mesh), *traces)
