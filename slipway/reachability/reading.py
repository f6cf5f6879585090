"""From manifests to a world: every kind that decides is typed, what is not modelled is remembered."""

import dataclasses
from collections.abc import Iterable, Mapping
from typing import Any

from slipway.diagnostics import Collector, catalogue, wording
from slipway.manifests.manifest import Manifest
from slipway.manifests.nsg import NsgRule
from slipway.reachability import mesh_config as mesh_configs
from slipway.reachability import read_kubernetes, read_routes, read_security, read_traffic
from slipway.reachability.answers import Key
from slipway.reachability.objects import Endpoint, Opaque, Service, Workload
from slipway.reachability.world import Engine, World, selects

_NAMESPACE_NAME = "kubernetes.io/metadata.name"  # set by the API server on every namespace
_VERSIONS: Mapping[str, tuple[str, ...]] = {
    "": ("v1",),
    "apps": ("v1",),
    "batch": ("v1",),
    "networking.k8s.io": ("v1",),
    "discovery.k8s.io": ("v1",),
    "networking.istio.io": ("v1", "v1beta1", "v1alpha3"),
    "security.istio.io": ("v1", "v1beta1"),
}
_GROUPS: Mapping[str, str] = {
    **dict.fromkeys(("Namespace", "Pod", "Service"), ""),
    **dict.fromkeys(("Deployment", "StatefulSet", "DaemonSet", "ReplicaSet"), "apps"),
    **dict.fromkeys(("Job", "CronJob"), "batch"),
    "NetworkPolicy": "networking.k8s.io",
    "EndpointSlice": "discovery.k8s.io",
    **dict.fromkeys(
        ("Sidecar", "ServiceEntry", "WorkloadEntry", "DestinationRule", "VirtualService", "Gateway"),
        "networking.istio.io",
    ),
    **dict.fromkeys(("PeerAuthentication", "AuthorizationPolicy", "RequestAuthentication"), "security.istio.io"),
}
# Kinds that change who reaches whom in ways that are not modelled.
_OPAQUE = frozenset(
    {
        *(("networking.istio.io", "EnvoyFilter"), ("extensions.istio.io", "WasmPlugin")),
        *(("extensions.istio.io", "TrafficExtension"), ("cilium.io", "CiliumNetworkPolicy")),
        *(("cilium.io", "CiliumClusterwideNetworkPolicy"), ("crd.projectcalico.org", "NetworkPolicy")),
        *(("policy.networking.k8s.io", "AdminNetworkPolicy"), ("projectcalico.org", "NetworkPolicy")),
        *(("policy.networking.k8s.io", "BaselineAdminNetworkPolicy"), ("projectcalico.org", "GlobalNetworkPolicy")),
        *(("gateway.networking.k8s.io", kind) for kind in ("HTTPRoute", "GRPCRoute", "TCPRoute", "TLSRoute")),
    }
)  # fmt: skip
_SELECTORS = ("workloadSelector", "selector", "endpointSelector")


def read(
    manifests: Iterable[Manifest],
    *,
    mesh_config: Mapping[str, Any],
    nsg: Mapping[str, tuple[NsgRule, ...]] | None = None,
    origins: Mapping[tuple[str, str, str], str] | None = None,
    engine: Engine = Engine.UNKNOWN,
    pod_network: str = "",
    virtual_network: tuple[str, ...] = (),
    pods_seen_as: str = "",
    gateways_scoped: bool = False,
) -> World:
    """Return the world of these objects, in any order.

    ``mesh_config`` is istiod's; ``nsg`` are the rules at machines, by the machine's name; ``origins`` says where an
    object (by :attr:`Manifest.key`) was read, as ``file:line``; the rest as for :class:`World`, where
    ``gateways_scoped`` also holds once an istiod's pod says so itself. Kinds that change nothing about who reaches
    whom are passed over. Raises DiagnosticsError: MESH0501 for a field of a wrong type, MESH0502 for a version that
    no cluster takes, MESH0503 for an object that is there twice.
    """
    reader = _Reader(origins or {})
    items = sorted(manifests, key=lambda item: item.key)
    reader.namespaces_of(items)
    mesh = mesh_configs.read(mesh_config, reader.collector)
    for item in items:
        reader.take(item)
    reader.collector.stop_on_errors()
    return World(
        mesh=mesh,
        namespaces=reader.namespaces,
        workloads=_merged(reader.found["workloads"], reader.templates),
        services=tuple(_with_slices(item, reader.slices) for item in reader.found["services"]),
        peer_authentications=tuple(reader.found["PeerAuthentication"]),
        authorization_policies=tuple(reader.found["AuthorizationPolicy"]),
        request_authentications=tuple(reader.found["RequestAuthentication"]),
        sidecars=tuple(reader.found["Sidecar"]),
        destination_rules=tuple(reader.found["DestinationRule"]),
        virtual_services=tuple(reader.found["VirtualService"]),
        gateways=tuple(reader.found["Gateway"]),
        gateways_scoped=gateways_scoped or reader.gateways_scoped,
        network_policies=tuple(reader.found["NetworkPolicy"]),
        opaque=tuple(reader.found["opaque"]),
        nsg=nsg or {},
        engine=engine,
        pod_network=pod_network,
        virtual_network=virtual_network,
        pods_seen_as=pods_seen_as,
    )


def is_read(api_version: str, kind: str) -> bool:
    """Return whether objects of a kind can change who reaches whom; :func:`read` passes over all others."""
    group = api_version.rpartition("/")[0]
    return (group, kind) in _OPAQUE or _GROUPS.get(kind) == group


_TYPED = {
    "PeerAuthentication": read_security.peer_authentication,
    "AuthorizationPolicy": read_security.authorization_policy,
    "RequestAuthentication": read_security.request_authentication,
    "Sidecar": read_traffic.sidecar,
    "DestinationRule": read_traffic.destination_rule,
    "Gateway": read_traffic.gateway,
    "NetworkPolicy": read_kubernetes.network_policy,
}


class _Reader:
    """Gathers typed objects and the mistakes in them."""

    def __init__(self, origins: Mapping[tuple[str, str, str], str]) -> None:
        self.collector = Collector()
        self.found: dict[str, list[Any]] = {name: [] for name in (*_TYPED, "VirtualService")}
        self.found |= {"workloads": [], "services": [], "opaque": []}
        self.templates: list[Workload] = []
        self.slices: dict[tuple[str, str], list[Endpoint]] = {}
        self.namespaces: dict[str, dict[str, str]] = {}
        self.gateways_scoped = False
        self._origins = origins
        self._keys: set[tuple[str, str, str, str]] = set()

    def namespaces_of(self, items: list[Manifest]) -> None:
        """Take every namespace's labels first: injection depends on them."""
        for item in items:
            name = item.name if item.kind == "Namespace" else item.namespace
            labels = dict(item.labels) if item.kind == "Namespace" else {}
            self.namespaces.setdefault(name, {_NAMESPACE_NAME: name}).update(labels)

    def take(self, item: Manifest) -> None:
        """Take one object."""
        group, _, version = item.api_version.rpartition("/")
        if (group, item.kind) in _OPAQUE:
            self.found["opaque"].append(_opaque(item, self._key(item)))
            return
        if _GROUPS.get(item.kind) != group:
            return
        if version not in _VERSIONS[group]:
            self._report(
                catalogue.OBJECT_VERSION, item, "apiVersion", f"write {_written(group, _VERSIONS[group][0])}"
            )
            return
        identity = (group, *item.key)
        if identity in self._keys:
            self._report(catalogue.OBJECT_TWICE, item, "metadata.name", "remove one of them, or rename it")
            return
        self._keys.add(identity)
        self._typed(item)

    def _typed(self, item: Manifest) -> None:
        key, collector = self._key(item), self.collector
        match item.kind:
            case "Namespace":
                pass
            case "Service":
                self.found["services"].append(read_kubernetes.service(item, key, collector, domain="cluster.local"))
            case "ServiceEntry":
                self.found["services"].extend(read_traffic.service_entry(item, key, collector))
            case "WorkloadEntry":
                self.found["workloads"].append(read_traffic.workload_entry(item, key, collector))
            case "EndpointSlice":
                name, endpoints = read_kubernetes.endpoint_slice(item)
                self.slices.setdefault((item.namespace, name), []).extend(endpoints)
            case "VirtualService":
                self.found["VirtualService"].append(read_routes.virtual_service(item, key, collector))
            case kind if kind in _TYPED:
                self.found[kind].append(_TYPED[kind](item, key, collector))
            case _:
                self.gateways_scoped |= read_kubernetes.scopes_gateways(item)
                found = read_kubernetes.workload(item, key, collector, namespaces=self.namespaces)
                if found is not None:
                    (self.found["workloads"] if item.kind == "Pod" else self.templates).append(found)

    def _key(self, item: Manifest) -> Key:
        origin = self._origins.get(item.key, "")
        return Key(kind=item.kind, namespace=item.namespace, name=item.name, origin=origin)

    def _report(self, code: catalogue.Code, item: Manifest, path: str, hint: str) -> None:
        key = self._key(item)
        sentence = f"{key}: {code.title}"
        found = wording.shown(item.api_version)
        self.collector.report(code, sentence, span=key.span, path=path, found=found, hint=hint)


def _written(group: str, version: str) -> str:
    return f"{group}/{version}" if group else version


def _opaque(item: Manifest, key: Key) -> Opaque:
    spec = item.body.get("spec") or {}
    selector: dict[str, str] = {}
    for name in _SELECTORS:
        stated = spec.get(name) if isinstance(spec, Mapping) else None
        if isinstance(stated, Mapping):
            labels = stated.get("labels") or stated.get("matchLabels") or {}
            selector = {str(label): str(value) for label, value in labels.items()}
    return Opaque(key=key, namespace=item.namespace, selector=selector)


def _with_slices(item: Service, slices: Mapping[tuple[str, str], list[Endpoint]]) -> Service:
    if not item.kubernetes:
        return item
    endpoints = slices.get((item.namespace, item.key.name))
    return dataclasses.replace(item, endpoints=tuple(endpoints)) if endpoints else item


def _merged(pods: list[Workload], templates: list[Workload]) -> tuple[Workload, ...]:
    """Return workloads with equal pods as one, and templates that run already left out."""
    groups: dict[Any, list[Workload]] = {}
    for item in pods:
        owner = item.name if item.machine else read_kubernetes.owner_of(item)
        own = {key: value for key, value in item.labels.items() if key not in read_kubernetes.REPLICA_LABELS}
        labels = tuple(sorted((own if owner != item.name else item.labels).items()))
        identity = (item.namespace, owner, labels, item.service_account, item.proxy, item.capture, item.host_network)
        groups.setdefault((item.machine, *identity), []).append(item)
    found: dict[tuple[str, str], Workload] = {}
    for (_, namespace, owner, *_), members in groups.items():
        name = owner if (namespace, owner) not in found else members[0].name
        found[namespace, name] = dataclasses.replace(
            members[0],
            name=name,
            names=tuple(item.name for item in members if item.name != name),
            addresses=tuple(address for item in members for address in item.addresses),
            nodes=_nodes(members),
            hostnames=frozenset(name for item in members for name in item.hostnames),
        )
    running = [item for item in found.values() if not item.machine]
    by_place: dict[str, list[Workload]] = {}
    for item in running:
        by_place.setdefault(item.namespace, []).append(item)
    for item in templates:
        others = by_place.get(item.namespace, [])
        if not any(selects(item.labels, other.labels) for other in others):
            name = item.name if (item.namespace, item.name) not in found else f"{item.name}.{item.key.kind.lower()}"
            found[item.namespace, name] = dataclasses.replace(item, name=name)
    return tuple(found[key] for key in sorted(found))


def _nodes(pods: list[Workload]) -> frozenset[str]:
    """Return where pods run, none unless that is known of each."""
    known = all(item.nodes for item in pods)
    return frozenset(node for item in pods for node in item.nodes if known)
