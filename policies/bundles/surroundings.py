"""What stands around a bundle: the workloads that it protects, the gateways, istiod's configuration, the networks."""

import dataclasses
from collections.abc import Iterable, Mapping
from typing import Any

from policies.bundles import bundle as bundles
from policies.bundles import gateways
from slipway.manifests.manifest import Manifest
from slipway.manifests.surroundings import GATEWAYS_SCOPED, Surroundings
from slipway.mesh import model

# What enforces NetworkPolicy on platforms that Slipway makes (lab/network, components/azure/cluster.py).
_ENFORCED_BY = {model.PlatformKind.LAB: "kube-router", model.PlatformKind.AZURE: "cilium"}
_SELECTING = frozenset({"app", "istio"})  # the labels by which the chart's Service finds its pods


def emit_surroundings(mesh: model.Mesh, bundle: bundles.Bundle) -> Surroundings:
    """Return everything around ``bundle`` by which it can be said who reaches whom.

    Slipway makes no workload in the cluster, so these are the ones that the declaration expects.
    """
    network = mesh.network
    expected = [*_gateways(bundle), *_workloads(mesh), *_system(bundle)]
    labelled = [
        Manifest(api_version="v1", kind="Namespace", name=name, labels=labels)
        for name, labels in bundle.namespace_labels.items()
    ]
    return Surroundings(
        manifests=bundles.in_order([*expected, *labelled]),
        mesh_config=bundle.mesh_config,
        nsg=bundle.nsg,
        owners=owners(mesh),
        pod_network=network.pods,
        virtual_network=tuple(
            filter(None, ("" if network.overlay else network.pods, network.nodes, network.machines))
        ),
        pods_seen_as=network.nodes if network.overlay else "",
        network_policies=_ENFORCED_BY.get(mesh.platform, ""),
        gateways_scoped=bundle.control_plane.environment.get(GATEWAYS_SCOPED) == "true",
    )


def owners(mesh: model.Mesh) -> dict[str, str]:
    """Return who answers for each host that can be called, as far as that is declared.

    A host of the ingress belongs to the owners of the services behind it.
    """
    found = {
        host: service.owner for service in mesh.services if service.owner for host in (service.host, *service.names)
    }
    for host in mesh.ingress:
        behind = sorted({mesh.service(route.service).owner for route in host.routes} - {""})
        if behind:
            found[host.host] = ", ".join(behind)
    return found


def pods_of(service: model.Service) -> Iterable[tuple[str, dict[str, str]]]:
    """Return names and further labels of the Deployments that a service in the cluster is expected to have."""
    if not service.versions:
        return [(service.name, {})]
    return [(f"{service.name}-{item.replace('.', '-')}", {"version": item}) for item in service.versions]


def _workloads(mesh: model.Mesh) -> Iterable[Manifest]:
    """Return what the teams are expected to run: pods and Services of declared services in the cluster."""
    for service in mesh.services:
        workload = service.workload
        if workload is None:
            continue
        container = {
            "name": "app",
            "ports": [{"name": f"p{port.number}", "containerPort": port.number} for port in service.ports],
        }
        pod = {"serviceAccountName": workload.service_account, "containers": [container]}
        labels = dict(workload.labels)
        for name, version in pods_of(service):
            yield _deployment(name, service.namespace, {**labels, **version}, {}, pod)
        ports = [
            {
                "name": f"{port.protocol.app_protocol}-{port.number}",
                "port": port.service_port,
                "targetPort": port.number,
                "appProtocol": port.protocol.app_protocol,
            }
            for port in service.ports
        ]
        yield _service(workload.service, service.namespace, labels, ports)


def _system(bundle: bundles.Bundle) -> Iterable[Manifest]:
    """Return Istio's own namespace where it says something: the name of the network of pods."""
    if bundle.apart is not None:
        labels = dict(bundle.apart.system_labels)
        yield Manifest(api_version="v1", kind="Namespace", name=gateways.ISTIO_NAMESPACE, labels=labels)


def _gateways(bundle: bundles.Bundle) -> Iterable[Manifest]:
    """Return what the releases of gateways install."""
    for item in bundle.gateways:
        labels = {**item.labels, "sidecar.istio.io/inject": "true"}
        annotations = {"inject.istio.io/templates": "gateway"}
        pod = {"serviceAccountName": item.release, "containers": [{"name": "istio-proxy", "image": "auto"}]}
        yield _deployment(item.release, item.namespace, labels, annotations, pod)
        ports = [
            {"name": port.name, "port": port.port, "targetPort": port.target_port, "appProtocol": "tcp"}
            for port in item.ports
        ]
        selector = {key: value for key, value in item.labels.items() if key in _SELECTING}
        yield _balanced(_service(item.release, item.namespace, selector, ports), item, bundle)


def _balanced(service: Manifest, item: bundles.GatewayDeployment, bundle: bundles.Bundle) -> Manifest:
    """Return a gateway's Service with its load balancer's address, where somebody is told to go there."""
    if bundle.apart is None or item.service_type != "LoadBalancer":
        return service
    spec = {**service.body["spec"], "type": "LoadBalancer"}
    spec |= {"loadBalancerIP": item.load_balancer_ip} if item.load_balancer_ip else {}
    return dataclasses.replace(
        service, labels=dict(item.labels), annotations=dict(item.service_annotations), body={"spec": spec}
    )


def _deployment(
    name: str, namespace: str, labels: Mapping[str, str], annotations: Mapping[str, str], pod: Mapping[str, Any]
) -> Manifest:
    template = {"metadata": {"labels": dict(labels), "annotations": dict(annotations)}, "spec": dict(pod)}
    body = {"spec": {"template": template}}
    return Manifest(api_version="apps/v1", kind="Deployment", name=name, namespace=namespace, body=body)


def _service(name: str, namespace: str, selector: Mapping[str, str], ports: list[dict[str, Any]]) -> Manifest:
    body = {"spec": {"selector": dict(selector), "ports": ports}}
    return Manifest(api_version="v1", kind="Service", name=name, namespace=namespace, body=body)
