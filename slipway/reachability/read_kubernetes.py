"""Workloads, Services and NetworkPolicies from manifests of Kubernetes' own kinds."""

from collections.abc import Iterable, Mapping
from typing import Any

from slipway.diagnostics import Collector
from slipway.manifests.manifest import Manifest
from slipway.manifests.surroundings import GATEWAYS_SCOPED
from slipway.reachability import injection
from slipway.reachability.answers import Key
from slipway.reachability.fields import Fields
from slipway.reachability.objects import (
    Endpoint,
    Expression,
    LabelSelector,
    NetworkPolicy,
    Peer,
    PolicyPort,
    PolicyRule,
    Protocol,
    Proxy,
    Service,
    ServicePort,
    Workload,
)

TEMPLATED = frozenset({"Deployment", "StatefulSet", "DaemonSet", "ReplicaSet", "Job", "CronJob"})
_REPLICA_SET_HASH = "pod-template-hash"
REPLICA_LABELS = frozenset(
    {
        *(_REPLICA_SET_HASH, "controller-revision-hash", "statefulset.kubernetes.io/pod-name"),
        *("apps.kubernetes.io/pod-index", "controller-uid", "batch.kubernetes.io/controller-uid"),
    }
)
# Source: istio 1.29.1 pkg/config/kube/conversion.go, ConvertProtocol, and pkg/config/protocol/instance.go.
_HTTP = frozenset({"http", "http2", "grpc", "grpc-web", "http_proxy"})
_TLS = frozenset({"https", "tls"})
_TCP = frozenset({"tcp", "mongo", "redis", "mysql"})
_STANDARD = {"kubernetes.io/h2c": "http2", "kubernetes.io/ws": "http", "kubernetes.io/wss": "https"}
_WELL_KNOWN_TCP = frozenset({25, 53, 3306, 27017})
# Source: istio 1.29.1 pilot/pkg/serviceregistry/kube/controller/network.go, getGatewayDetails.
NETWORK_LABEL = "topology.istio.io/network"
_GATEWAY_PORT_LABEL = "networking.istio.io/gatewayPort"
_GATEWAY_PORT = 15443
_AMBIENT_GATEWAY_PORT = 15008
# Source: AKS documentation, configure-load-balancer-standard: it replaces `loadBalancerIP`.
_BALANCER_ANNOTATION = "service.beta.kubernetes.io/azure-load-balancer-ipv4"
ANY_NUMBER = "*"  # in the place of a number in the names of a StatefulSet's pods
_OWN_CONTAINERS = frozenset({"istio-proxy", "istio-init", "istio-validation"})


def protocol_named(name: str) -> Protocol:
    """Return the protocol that a ServiceEntry, Gateway or Sidecar states."""
    lowered = name.lower()
    if lowered in _HTTP:
        return Protocol.HTTP
    if lowered in _TLS:
        return Protocol.TLS
    if lowered in _TCP:
        return Protocol.TCP
    return Protocol.UDP if lowered == "udp" else Protocol.UNDECLARED


def port_protocol(*, transport: str, name: str, application: str, number: int) -> Protocol:
    """Return the protocol of a Service's port: of appProtocol, else of the name's first word, else by its number."""
    if transport.upper() == "UDP":
        return Protocol.UDP
    text = _STANDARD.get(application, application) or name
    if text.lower().startswith("grpc-web"):
        return Protocol.HTTP
    found = protocol_named(text.partition("-")[0])
    return Protocol.TCP if found is Protocol.UNDECLARED and number in _WELL_KNOWN_TCP else found


def service(manifest: Manifest, key: Key, collector: Collector, *, domain: str) -> Service:
    """Return the typed Service; its name ends in ``.svc.<domain>``."""
    spec = Fields(manifest.body.get("spec"), f"{key} spec", collector)
    ports: list[ServicePort] = []
    for item in spec.maps("ports"):
        number = item.number("port") or 0
        target = item.text("targetPort") or str(number)
        ports.append(
            ServicePort(
                name=item.text("name"),
                number=number,
                target=int(target) if target.isdigit() and target != "0" else target if target != "0" else number,
                protocol=port_protocol(
                    transport=item.text("protocol", "TCP"),
                    name=item.text("name"),
                    application=item.text("appProtocol"),
                    number=number,
                ),
            )
        )
    cluster_ip = spec.text("clusterIP")
    exports = manifest.annotations.get("networking.istio.io/exportTo", "")
    port = manifest.labels.get(_GATEWAY_PORT_LABEL, "")
    passthrough = int(port) if port.isdigit() else _GATEWAY_PORT
    return Service(
        key=key,
        hostname=f"{manifest.name}.{manifest.namespace}.svc.{domain}",
        namespace=manifest.namespace,
        ports=tuple(ports),
        kubernetes=True,
        selector=spec.labels("selector"),
        addresses=(cluster_ip,) if cluster_ip not in {"", "None"} else (),
        headless=cluster_ip == "None",
        external_name=spec.text("externalName") if spec.text("type") == "ExternalName" else "",
        export_to=tuple(part.strip() for part in exports.split(",") if part.strip()),
        balancers=(*_balancers(manifest, spec), *spec.texts("externalIPs")),
        gateway_of=manifest.labels.get(NETWORK_LABEL, "") if _listens_to_networks(ports, passthrough) else "",
        passthrough=passthrough,
    )


def _listens_to_networks(ports: Iterable[ServicePort], passthrough: int) -> bool:
    """Return whether a Service can be the way into a network: its port for that is there, or the one of ambient mode.

    Source: istio 1.29.1 pilot/pkg/serviceregistry/kube/controller/network.go, getGatewayDetails.
    """
    return any(port.number in {passthrough, _AMBIENT_GATEWAY_PORT} for port in ports)


def _balancers(manifest: Manifest, spec: Fields) -> tuple[str, ...]:
    """Return a load balancer's addresses, or its name: what it has, else the address that is asked for."""
    if spec.text("type") != "LoadBalancer":
        return ()
    status = (manifest.body.get("status") or {}).get("loadBalancer") or {}
    told = (item.get("ip") or item.get("hostname") for item in _maps(status.get("ingress")))
    found = tuple(str(item) for item in told if item)
    asked = spec.text("loadBalancerIP") or manifest.annotations.get(_BALANCER_ANNOTATION, "")
    return found or ((asked,) if asked else ())


def endpoint_slice(manifest: Manifest) -> tuple[str, tuple[Endpoint, ...]]:
    """Return the name of the Service and the addresses of a slice that somebody wrote by hand, else nothing.

    Slices of Kubernetes' own controller repeat what the selector says.
    """
    if manifest.labels.get("endpointslice.kubernetes.io/managed-by") == "endpointslice-controller.k8s.io":
        return "", ()
    ports = {
        str(item.get("name") or ""): item["port"] for item in _maps(manifest.body.get("ports")) if "port" in item
    }
    addresses = [
        str(address)
        for item in _maps(manifest.body.get("endpoints"))
        if (item.get("conditions") or {}).get("ready", True) is not False
        for address in item.get("addresses") or ()
    ]
    name = manifest.labels.get("kubernetes.io/service-name", "")
    return name, tuple(Endpoint(address=address, ports=ports) for address in addresses)


def workload(
    manifest: Manifest, key: Key, collector: Collector, *, namespaces: Mapping[str, Mapping[str, str]]
) -> Workload | None:
    """Return the workload of a Pod or of an object with a pod template; None for finished pods."""
    pod, labels, annotations = _template(manifest)
    status = manifest.body.get("status") or {}
    if manifest.kind == "Pod" and status.get("phase") in {"Succeeded", "Failed"}:
        return None
    spec = Fields(pod, f"{key} pod", collector)
    containers = [item for item in _maps(pod.get("containers")) if item.get("name") not in _OWN_CONTAINERS]
    ports = {
        str(port["name"]): int(port["containerPort"])
        for container in containers
        for port in _maps(container.get("ports"))
        if port.get("name") and port.get("containerPort") and port.get("protocol", "TCP") == "TCP"
    }
    addresses = [str(item["ip"]) for item in _maps(status.get("podIPs")) if item.get("ip")]
    if not addresses and status.get("podIP"):
        addresses = [str(status["podIP"])]
    proxy = injection.proxy_of(
        pod=pod,
        labels=labels,
        annotations=annotations,
        namespace=manifest.namespace,
        namespace_labels=namespaces.get(manifest.namespace, {}),
        running=bool(addresses),
    )
    if proxy is Proxy.SIDECAR:
        labels.setdefault(injection.TLS_MODE, "istio")
    return Workload(
        key=key,
        namespace=manifest.namespace,
        name=manifest.name,
        labels=labels,
        service_account=spec.text("serviceAccountName") or spec.text("serviceAccount") or "default",
        proxy=proxy,
        addresses=tuple(addresses),
        ports=ports,
        hostnames=_hostnames(manifest, spec),
        host_network=spec.flag("hostNetwork") is True,
        nodes=frozenset({node} if manifest.kind == "Pod" and (node := spec.text("nodeName")) else ()),
        network=labels.get(NETWORK_LABEL, ""),
        capture=injection.capture_of(annotations),
    )


def _hostnames(manifest: Manifest, pod: Fields) -> frozenset[str]:
    """Return how a pod is called below the name of a headless Service; those of a StatefulSet have any number.

    Source: Kubernetes documentation, concepts/services-networking/dns-pod-service, "Pod's hostname and subdomain
    fields"; Kubernetes 1.34 apps/v1 StatefulSetSpec.serviceName.
    """
    if manifest.kind == "StatefulSet":
        return frozenset({f"{manifest.name}-{ANY_NUMBER}.{(manifest.body.get('spec') or {}).get('serviceName')}"})
    hostname = pod.text("hostname")
    return frozenset({f"{hostname}.{pod.text('subdomain')}"} if hostname else ())


def scopes_gateways(manifest: Manifest) -> bool:
    """Return whether these are pods of an istiod for which Gateways select pods of their own namespace only."""
    pod, _, _ = _template(manifest)
    stated = [item for container in _maps(pod.get("containers")) for item in _maps(container.get("env"))]
    return any(item.get("name") == GATEWAYS_SCOPED and item.get("value") == "true" for item in stated)


def _template(manifest: Manifest) -> tuple[Mapping[str, Any], dict[str, str], dict[str, str]]:
    """Return the pod's spec, labels and annotations."""
    spec = manifest.body.get("spec") or {}
    if manifest.kind == "Pod":
        return spec, dict(manifest.labels), dict(manifest.annotations)
    if manifest.kind == "CronJob":
        spec = (spec.get("jobTemplate") or {}).get("spec") or {}
    template = spec.get("template") or {}
    metadata = template.get("metadata") or {}
    return template.get("spec") or {}, dict(metadata.get("labels") or {}), dict(metadata.get("annotations") or {})


def owner_of(item: Workload) -> str:
    """Return the name of what made a pod, without the parts that differ between replicas."""
    name = item.name
    template = item.labels.get(_REPLICA_SET_HASH, "")
    if template:
        return name.partition(f"-{template}-")[0]
    revision = item.labels.get("controller-revision-hash", "")
    return (name.rpartition("-")[0] or name) if revision else name


def network_policy(manifest: Manifest, key: Key, collector: Collector) -> NetworkPolicy:
    """Return the typed policy; without policyTypes, Egress counts when there are egress rules, an empty list is none.

    Source: Kubernetes 1.34 pkg/apis/networking/v1/defaults.go, SetDefaults_NetworkPolicy.
    """
    spec = Fields(manifest.body.get("spec"), f"{key} spec", collector)
    ingress = tuple(_rule(item, "from") for item in spec.maps("ingress"))
    egress = tuple(_rule(item, "to") for item in spec.maps("egress"))
    types = spec.texts("policyTypes") or (("Ingress", "Egress") if egress else ("Ingress",))
    return NetworkPolicy(
        key=key,
        namespace=manifest.namespace,
        pods=_selector(spec.map("podSelector")),
        ingress=ingress if "Ingress" in types else None,
        egress=egress if "Egress" in types else None,
        unmodelled=spec.rest(),
    )


def _rule(fields: Fields, side: str) -> PolicyRule:
    ports = tuple(
        PolicyPort(
            protocol=item.text("protocol", "TCP"),
            port=_port(item.text("port")),
            end=item.number("endPort"),
        )
        for item in fields.maps("ports")
    )
    return PolicyRule(peers=tuple(_peer(item) for item in fields.maps(side)), ports=ports)


def _port(text: str) -> int | str | None:
    return int(text) if text.isdigit() else text or None


def _peer(fields: Fields) -> Peer:
    block = fields.map("ipBlock")
    return Peer(
        block=block.text("cidr"),
        excepted=block.texts("except"),
        pods=_selector(fields.map("podSelector")) if fields.has("podSelector") else None,
        namespaces=_selector(fields.map("namespaceSelector")) if fields.has("namespaceSelector") else None,
    )


def _selector(fields: Fields) -> LabelSelector:
    return LabelSelector(
        labels=fields.labels("matchLabels"),
        expressions=tuple(
            Expression(key=item.text("key"), operator=item.text("operator"), values=item.texts("values"))
            for item in fields.maps("matchExpressions")
        ),
    )


def _maps(value: Any) -> list[Mapping[str, Any]]:
    return [item for item in value or () if isinstance(item, Mapping)]
