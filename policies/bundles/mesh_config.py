"""istiod's mesh configuration, and what its process needs."""

from typing import Any

from policies.bundles import bundle, overlay, positions, providers
from slipway.manifests.surroundings import GATEWAYS_SCOPED
from slipway.mesh import model, names

# Source of the names: istio/istio 1.29.1 pilot/pkg/features/pilot.go.
_ENVIRONMENT = {
    # More than one trust root, without which a root can never be changed under a running mesh.
    "ISTIO_MULTIROOT_MESH": "true",
    # Machines are declared: a stolen identity must not bring itself in as an endpoint at another address.
    "PILOT_ENABLE_WORKLOAD_ENTRY_AUTOREGISTRATION": "false",
    GATEWAYS_SCOPED: "true",
}

# Source: istio/istio 1.29.1 pilot/pkg/features/telemetry.go and pilot.go: filters that only Istio's own build of
# Envoy has. The lab runs Envoy as its project publishes it.
_PLAIN_ENVOY = {"PILOT_ENABLE_ALPN_FILTER": "false", "PILOT_ENABLE_METADATA_EXCHANGE": "false"}

# Source: istio/istio 1.29.1 pilot/cmd/pilot-agent/options/options.go: agents answer names from the mesh's registry,
# and follow changes of trust roots.
PROXY_METADATA = {"ISTIO_META_DNS_CAPTURE": "true", "PROXY_CONFIG_XDS_AGENT": "true"}


def emit_mesh_config(mesh: model.Mesh) -> dict[str, Any]:
    """Return ``meshConfig``: mutual TLS, no mesh-wide log, and no word on where undeclared namespaces may send.

    It reaches every namespace with sidecars, declared or not. A way out that is locked is therefore stated by each
    declared namespace's own Sidecar, and what stands here for all others is Istio's default.
    An application starts only when its sidecar is ready, so nothing it sends is lost or leaves by another way.
    Source: istio/api mesh/v1alpha1/config.proto.
    """
    return {
        "trustDomain": mesh.trust_domain,
        "enableAutoMtls": True,
        "accessLogFile": "",
        "outboundTrafficPolicy": {"mode": positions.ANYWHERE},
        "defaultConfig": {"holdApplicationUntilProxyStarts": True, "proxyMetadata": dict(PROXY_METADATA)},
        "extensionProviders": providers.extension_providers(mesh),
    }


def emit_control_plane(mesh: model.Mesh) -> bundle.ControlPlane:
    """Return istiod's environment and chart values.

    The injector writes the network of pods into each of them. The lab's Envoy cannot count Istio's metrics, so they
    are not asked for there.
    Source: istio/istio 1.29.1 manifests/charts/istio-control/istio-discovery/templates/configmap.yaml.
    """
    network = {"global": {"network": names.NETWORK_OF_PODS}} if overlay.is_apart(mesh) else {}
    if mesh.platform is not model.PlatformKind.LAB:
        return bundle.ControlPlane(environment=_ENVIRONMENT, values=network)
    environment = dict(sorted({**_ENVIRONMENT, **_PLAIN_ENVOY}.items()))
    return bundle.ControlPlane(environment=environment, values={"telemetry": {"enabled": False}, **network})
