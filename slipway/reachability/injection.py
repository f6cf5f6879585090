"""Whether a pod gets a proxy, and which connections that proxy takes."""

from collections.abc import Mapping
from typing import Any

from slipway.reachability.objects import Capture, Proxy

TLS_MODE = "security.istio.io/tlsMode"  # what the injector writes on every pod
_INJECT = "sidecar.istio.io/inject"
_REVISION = "istio.io/rev"
_NAMESPACE = "istio-injection"
_TEMPLATES = "inject.istio.io/templates"
_NEVER = frozenset({"kube-system", "kube-public", "kube-node-lease", "local-path-storage"})
_CAPTURE = "traffic.sidecar.istio.io/"


def proxy_of(
    *,
    pod: Mapping[str, Any],
    labels: Mapping[str, str],
    annotations: Mapping[str, str],
    namespace: str,
    namespace_labels: Mapping[str, str],
    running: bool,
) -> Proxy:
    """Return what stands before the pod: as its containers say, or while it does not run, as injection will decide.

    Source: istio 1.29.1 manifests/charts/istio-control/istio-discovery/templates/mutatingwebhook.yaml and
    pkg/kube/inject/inject.go, injectRequired (hostNetwork and system namespaces are never injected).
    """
    containers = [*(pod.get("containers") or ()), *(pod.get("initContainers") or ())]
    proxies = [item for item in containers if isinstance(item, Mapping) and item.get("name") == "istio-proxy"]
    if "gateway.networking.k8s.io/gateway-name" in labels:
        return Proxy.UNKNOWN
    gateway = annotations.get(_TEMPLATES) == "gateway" or labels.get(_TEMPLATES) == "gateway"
    routed = any("router" in (item.get("args") or ()) for item in proxies)
    if any(item.get("image") != "auto" for item in proxies):
        return Proxy.GATEWAY if routed or gateway else Proxy.SIDECAR
    mode = labels.get("istio.io/dataplane-mode") or namespace_labels.get("istio.io/dataplane-mode")
    if running:
        return Proxy.UNKNOWN if mode == "ambient" else Proxy.NONE
    if pod.get("hostNetwork") is True or namespace in _NEVER:
        return Proxy.NONE
    if _injected(labels, annotations, namespace_labels):
        return Proxy.GATEWAY if gateway or routed else Proxy.SIDECAR
    return Proxy.UNKNOWN if mode == "ambient" else Proxy.NONE


def _injected(labels: Mapping[str, str], annotations: Mapping[str, str], namespace: Mapping[str, str]) -> bool:
    wish = labels.get(_INJECT, annotations.get(_INJECT, ""))
    if wish == "false":
        return False
    if _NAMESPACE in namespace:
        return namespace[_NAMESPACE] == "enabled"
    if _REVISION in namespace:
        return True
    return _REVISION in labels or labels.get(_INJECT) == "true"


def capture_of(annotations: Mapping[str, str]) -> Capture:
    """Return what a proxy's iptables rules take.

    Source: istio 1.29.1 tools/istio-iptables/pkg/capture/run.go: 22, 15008 (off), 15020, 15021 and 15090 are not
    captured inbound, the proxy's own ports neither.
    """

    def ports(name: str) -> frozenset[int]:
        text = annotations.get(_CAPTURE + name, "")
        return frozenset(int(part) for part in text.split(",") if part.strip().isdigit())

    def ranges(name: str, default: str) -> tuple[str, ...]:
        text = annotations.get(_CAPTURE + name, default)
        return tuple(part.strip() for part in text.split(",") if part.strip())

    included = annotations.get(_CAPTURE + "includeInboundPorts", "*")
    return Capture(
        included_inbound=None if included.strip() == "*" else ports("includeInboundPorts"),
        excluded_inbound=ports("excludeInboundPorts"),
        excluded_outbound=ports("excludeOutboundPorts"),
        included_ranges=ranges("includeOutboundIPRanges", "*"),
        excluded_ranges=ranges("excludeOutboundIPRanges", ""),
        included_outbound=ports("includeOutboundPorts"),
    )
