"""From objects of a cluster to facts."""

import json
from collections.abc import Iterable, Mapping
from typing import Any

from slipway.diagnostics import Collector
from slipway.inventory import facts, istiod
from slipway.manifests.manifest import Manifest
from slipway.reachability import read_kubernetes
from slipway.reachability.fields import Fields
from slipway.reachability.objects import Protocol

_FINDING = frozenset({"Deployment", "StatefulSet", "DaemonSet"})
TEMPLATED = frozenset({"Deployment", "StatefulSet", "DaemonSet", "Job", "CronJob"})
_ISTIO_GROUPS = (".istio.io/", "gateway.networking.k8s.io/")
_STATUS = "sidecar.istio.io/status"  # Source: istio/istio 1.29.1 pkg/kube/inject/inject.go, on every injected pod
_INJECT = "sidecar.istio.io/inject"
_PROXY = "istio-proxy"  # Source: istio/istio 1.29.1 pkg/kube/inject/webhook.go, ProxyContainerName
_SPOKEN = {
    Protocol.HTTP: facts.Spoken.HTTP,
    Protocol.TLS: facts.Spoken.TLS,
    Protocol.TCP: facts.Spoken.TCP,
    Protocol.UDP: facts.Spoken.UDP,
    Protocol.UNDECLARED: facts.Spoken.UNDECLARED,
}
_HTTP2 = ("http2", "grpc", "kubernetes.io/h2c")


def read(manifests: Iterable[Manifest]) -> facts.Facts:
    """Return the facts of a cluster's objects, in any order; kinds that tell nothing here are passed over.

    Raises DiagnosticsError (MESH0501) for a field of a type that no API server would take.
    """
    collector = Collector()
    items = sorted(manifests, key=lambda item: (item.namespace, item.name, item.kind))
    found = facts.Facts(
        namespaces={item.name: dict(item.labels) for item in items if item.kind == "Namespace"},
        workloads=tuple(_workload(item, collector) for item in items if _is_workload(item)),
        services=tuple(_service(item, collector) for item in items if _is_core(item, "Service")),
        entries=tuple(_entry(item, collector) for item in items if item.kind == "WorkloadEntry"),
        nodes=tuple(address for item in items if _is_core(item, "Node") for address in _node(item, collector)),
        objects=tuple(item for item in items if any(group in item.api_version for group in _ISTIO_GROUPS)),
        mesh_configs=istiod.mesh_configs(items),
    )
    collector.stop_on_errors()
    return found


def _is_core(item: Manifest, kind: str) -> bool:
    return (item.api_version, item.kind) == ("v1", kind)


def _is_workload(item: Manifest) -> bool:
    if item.kind in TEMPLATED:
        return True
    status = item.body.get("status") or {}
    return _is_core(item, "Pod") and status.get("phase") not in {"Succeeded", "Failed"}


def _workload(item: Manifest, collector: Collector) -> facts.Workload:
    fields = Fields(item.body.get("spec"), f"{item.kind} {item.namespace}/{item.name} spec", collector)
    if item.kind == "Pod":
        pod, labels, annotations = fields, dict(item.labels), dict(item.annotations)
    else:
        outer = fields.map("jobTemplate").map("spec") if item.kind == "CronJob" else fields
        metadata = outer.map("template").map("metadata")
        pod, labels, annotations = (
            outer.map("template").map("spec"),
            metadata.labels("labels"),
            metadata.labels("annotations"),
        )
    status = Fields(item.body.get("status"), f"{item.kind} {item.namespace}/{item.name} status", collector)
    containers = [*pod.maps("containers"), *pod.maps("initContainers")]
    proxied = any(container.text("name") == _PROXY for container in containers)
    return facts.Workload(
        kind=item.kind,
        namespace=item.namespace,
        name=item.name,
        labels=labels,
        service_account=pod.text("serviceAccountName") or "default",
        ports={
            port.text("name"): port.number("containerPort") or 0
            for container in containers
            if container.text("name") != _PROXY
            for port in container.maps("ports")
            if port.text("name") and port.text("protocol", "TCP") == "TCP"
        },
        host_network=pod.flag("hostNetwork") is True,
        injection=labels.get(_INJECT, annotations.get(_INJECT, "")),
        sidecar=_revision(annotations) if proxied else None,
        addresses=_addresses(status, "podIPs"),
        selector=fields.map("selector").labels("matchLabels") if item.kind in _FINDING else {},
        past_sidecar=_past_sidecar(pod),
    )


def _past_sidecar(pod: Fields) -> tuple[str, ...]:
    """Return the application's containers that run as the sidecar's user or group, by their own word or the pod's.

    Init containers are left out: Istio's documentation gives them this user where they need the network before the
    sidecar is there.

    Source: istio/istio 1.29.1 tools/istio-iptables/pkg/capture/run.go: packets of the proxy's user and of its group
    return from the capture; Kubernetes, SecurityContext: a container's own value wins over the pod's.
    """
    found: set[str] = set()
    for container in pod.maps("containers"):
        own = container.map("securityContext")
        for key in ("runAsUser", "runAsGroup"):
            number = own.number(key) if own.has(key) else pod.map("securityContext").number(key)
            if number == facts.PROXY_USER and container.text("name") != _PROXY:
                found.add(container.text("name"))
    return tuple(sorted(found))


def _addresses(status: Fields, key: str) -> tuple[str, ...]:
    return tuple(address for ip in status.maps(key) if (address := ip.text("ip")))


def _node(item: Manifest, collector: Collector) -> list[str]:
    status = Fields(item.body.get("status"), f"Node {item.name} status", collector)
    found = status.maps("addresses")
    return [address.text("address") for address in found if address.text("type") == "InternalIP"]


def _revision(annotations: Mapping[str, str]) -> str:
    try:
        status: Any = json.loads(annotations.get(_STATUS, "{}"))
    except json.JSONDecodeError:  # somebody else's annotation: as good as none
        return ""
    return str(status.get("revision") or "") if isinstance(status, dict) else ""


def _service(item: Manifest, collector: Collector) -> facts.Service:
    fields = Fields(item.body.get("spec"), f"Service {item.namespace}/{item.name} spec", collector)
    status = Fields(item.body.get("status"), f"Service {item.namespace}/{item.name} status", collector)
    return facts.Service(
        namespace=item.namespace,
        name=item.name,
        selector=fields.labels("selector"),
        ports=tuple(_port(port) for port in fields.maps("ports")),
        external_name=fields.text("externalName") if fields.text("type") == "ExternalName" else "",
        addresses=tuple(ip for ip in fields.texts("clusterIPs") if ip != "None"),
        entrances=_addresses(status.map("loadBalancer"), "ingress"),
    )


def _port(fields: Fields) -> facts.ServicePort:
    number, name, application = fields.number("port") or 0, fields.text("name"), fields.text("appProtocol")
    target = fields.text("targetPort") or str(number)
    spoken = _SPOKEN[
        read_kubernetes.port_protocol(
            transport=fields.text("protocol", "TCP"), name=name, application=application, number=number
        )
    ]
    if spoken is facts.Spoken.HTTP and (application or name).lower().startswith(_HTTP2):
        spoken = facts.Spoken.HTTP2
    return facts.ServicePort(
        name=name, number=number, target=int(target) if target.isdigit() else target, spoken=spoken
    )


def _entry(item: Manifest, collector: Collector) -> facts.Entry:
    fields = Fields(item.body.get("spec"), f"WorkloadEntry {item.namespace}/{item.name} spec", collector)
    return facts.Entry(
        namespace=item.namespace,
        name=item.name,
        address=fields.text("address"),
        service_account=fields.text("serviceAccount"),
        labels={**item.labels, **fields.labels("labels")},
    )
