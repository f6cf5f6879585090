"""The way of machines to istiod: passed through the east-west gateway, encrypted end to end."""

from policies.bundles import gateways, objects
from slipway.manifests.manifest import Manifest
from slipway.mesh import model

NAME = "slipway-istiod"


def control_plane_name(mesh: model.Mesh) -> str:
    """Return istiod's Service of this revision; proxies use it as the server's name, without the cluster's suffix.

    Source: istio/istio 1.29.1 manifests/charts/istio-control/istio-discovery/templates/configmap.yaml.
    """
    return f"istiod-{mesh.revision}.{gateways.ISTIO_NAMESPACE}.svc"


def emit_control_plane_exposure(mesh: model.Mesh) -> tuple[Manifest, ...]:
    """Return the Gateway and VirtualService that pass one server name on one port through to istiod.

    Source: istio/istio 1.29.1 samples/multicluster/expose-istiod.yaml, narrowed to one name and one port.
    """
    if not mesh.machines:
        return ()
    name = control_plane_name(mesh)
    port = gateways.CONTROL_PLANE_PORT
    declared_at = gateways.clause(mesh, gateways.EAST_WEST)
    server = {
        "port": {"number": port, "name": "tls-istiod", "protocol": "TLS"},
        "hosts": [f"./{name}"],
        "tls": {"mode": "PASSTHROUGH"},
    }
    route = {
        "match": [{"port": port, "sniHosts": [name]}],
        "route": [{"destination": {"host": f"{name}.cluster.local", "port": {"number": port}}}],
    }
    virtual_service = {
        "hosts": [name],
        "exportTo": ["."],
        "gateways": [f"{gateways.ISTIO_NAMESPACE}/{NAME}"],
        "tls": [route],
    }
    gateway = {"selector": gateways.EAST_WEST.selector, "servers": [server]}
    return (
        objects.manifest(
            "Gateway", name=NAME, namespace=gateways.ISTIO_NAMESPACE, declared_at=declared_at, spec=gateway
        ),
        objects.manifest(
            "VirtualService",
            name=NAME,
            namespace=gateways.ISTIO_NAMESPACE,
            declared_at=declared_at,
            spec=virtual_service,
        ),
    )
