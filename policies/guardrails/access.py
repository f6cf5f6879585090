"""Rules about who may come in and go out: policies that allow everything, listeners, gateways, raw filters."""

import datetime
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from policies.guardrails.rule import Resource, ResourceRule, StackRule, items, maps, section

POSITION = "slipway.dev/position"
_ANYWHERE = frozenset({"*", "0.0.0.0/0", "::/0", "internet", "any"})
_PUBLIC_GATEWAYS = frozenset({"istio-ingressgateway", "istio-eastwestgateway"})
_INGRESS_NAMESPACE = "istio-ingress"
_GATEWAYS = frozenset({_INGRESS_NAMESPACE, "istio-egress"})
_LOCK, _KNOWN_ONLY = "slipway-egress", "REGISTRY_ONLY"
_INTERNAL = "service.beta.kubernetes.io/azure-load-balancer-internal"
_FILTERS = frozenset({"EnvoyFilter", "WasmPlugin", "TrafficExtension"})


def _allows_all(resource: Resource, _today: datetime.date) -> Iterable[str]:
    """Yield an ALLOW without conditions, unless a phase has not come that far for this workload."""
    if resource.kind != "AuthorizationPolicy" or resource.spec.get("action", "ALLOW") != "ALLOW":
        return
    on_the_way = resource.annotation(POSITION) in {"off", "observed"} and resource.spec.get("selector")
    if any(not rule for rule in items(resource.spec, "rules")) and not on_the_way:
        yield "has a rule without conditions, which allows everybody everything"


def _listeners(resource: Resource, _today: datetime.date) -> Iterable[str]:
    """Yield what is reachable from outside without being declared as a way in."""
    if resource.kind == "Service" and resource.spec.get("type") in {"LoadBalancer", "NodePort"}:
        internal = resource.annotation(_INTERNAL) == "true"
        if resource.namespace != _INGRESS_NAMESPACE and not internal:
            yield f"is a `{resource.spec.get('type')}` that nobody declared; ways in are declared under `ingress`"
    if resource.kind == "Release" and str(resource.inputs.get("chart", "")).rstrip("/").endswith("gateway"):
        service = section(section(resource.inputs, "values"), "service")
        name = str(resource.inputs.get("name", ""))
        if _names_callers(service):
            return
        if service.get("type", "LoadBalancer") != "ClusterIP" and name not in _PUBLIC_GATEWAYS:
            yield f"installs the gateway `{name}` with a public Service, and it is no declared way in"


def _names_callers(service: Mapping[str, Any]) -> bool:
    """Whether a load balancer takes packets of stated networks only, none of them everybody's."""
    ranges = {str(item) for item in items(service, "loadBalancerSourceRanges")}
    return bool(ranges) and not ranges & _ANYWHERE


def _gateway_hosts(resource: Resource, _today: datetime.date) -> Iterable[str]:
    for server in maps(resource.spec, "servers") if resource.kind == "Gateway" else ():
        for host in map(str, items(server, "hosts")):
            namespace, slash, name = host.rpartition("/")
            if name == "*":
                yield f"the host `{host}` serves every name"
            if not slash or namespace == "*":
                yield f"the host `{host}` may be taken by routes of any namespace; write `./{name}`"
        wild = [item for item in map(str, items(server, "hosts")) if "*" in item]
        if wild and section(server, "tls").get("mode") == "AUTO_PASSTHROUGH":
            yield f"`AUTO_PASSTHROUGH` with `{min(wild)}` opens every service of the mesh by its name; name each"


def _filters(resource: Resource, _today: datetime.date) -> Iterable[str]:
    if resource.kind in _FILTERS:
        yield f"is a `{resource.kind}`: nothing here can say what it opens, and one mistake stops the whole mesh"


def _network_security(resource: Resource, _today: datetime.date) -> Iterable[str]:
    """Yield inbound rules from anywhere.

    Source: Azure REST reference, Microsoft.Network networkSecurityGroups/securityRules.
    """
    rules: list[Any] = []
    if resource.type.endswith(":NetworkSecurityGroup"):
        rules = list(maps(resource.inputs, "securityRules"))
    elif resource.type.endswith(":SecurityRule"):
        rules = [resource.inputs]
    for rule in rules:
        sources = {str(rule.get("sourceAddressPrefix", "")), *map(str, items(rule, "sourceAddressPrefixes"))}
        anywhere = sources & {item for item in sources if item.lower() in _ANYWHERE}
        if rule.get("direction") == "Inbound" and rule.get("access") == "Allow" and anywhere:
            yield f"lets in `{min(anywhere)}`; state the networks of the callers"


def _registry_only(resources: Sequence[Resource]) -> Iterable[str]:
    """Yield what is locked by its policies while its sidecars would still send anything anywhere.

    The mesh's configuration may say it for everybody; else each namespace with sidecars does by a Sidecar of its own,
    and every other Sidecar, since a Sidecar without a word takes the mesh's. Gateways take no Sidecar and know no
    other destinations than those of their routes.
    Source: istio/istio 1.29.1 pilot/pkg/model/sidecar.go `convertToSidecarScope`, push_context.go `getSidecarScope`.
    """
    locked = {item.namespace for item in resources if _is_lock(item)} - _GATEWAYS
    if not locked:
        return
    locked |= {item.namespace for item in resources if item.kind in {"WorkloadGroup", "WorkloadEntry"}}
    by_default = _KNOWN_ONLY if any(_mesh_mode(item) == _KNOWN_ONLY for item in resources) else ""
    scopes = [item for item in resources if item.kind == "Sidecar" and item.namespace in locked]
    for item in scopes:
        mode = section(item.spec, "outboundTrafficPolicy").get("mode", by_default)
        if mode != _KNOWN_ONLY:
            yield f"`{item.name}` sends what it does not know anywhere, and its namespace is locked"
    own = {item.namespace for item in scopes if not item.spec.get("workloadSelector")}
    for namespace in sorted(locked - own if not by_default else ()):
        yield f"the namespace `{namespace}` is locked, and it has no Sidecar of its own that says {_KNOWN_ONLY}"


def _is_lock(resource: Resource) -> bool:
    return resource.kind == "NetworkPolicy" and resource.metadata.get("name") == _LOCK


def _mesh_mode(resource: Resource) -> Any:
    values = section(resource.inputs, "values") if resource.kind == "Release" else {}
    return section(section(values, "meshConfig"), "outboundTrafficPolicy").get("mode")


RULES = (
    ResourceRule(name="no-allow-all", description="No ALLOW is without conditions for good.", check=_allows_all),
    ResourceRule(name="only-declared-listeners", description="Only declared gateways are public.", check=_listeners),
    ResourceRule(
        name="gateways-serve-declared-hosts",
        description="Gateways name their hosts and whose routes may use them.",
        check=_gateway_hosts,
    ),
    ResourceRule(name="no-raw-filters", description="Nothing changes Envoy behind Istio's back.", check=_filters),
    ResourceRule(
        name="no-rule-from-anywhere",
        description="Network security groups let in known networks only.",
        check=_network_security,
    ),
)
STACK_RULES = (
    StackRule(
        name="locked-means-registry-only",
        description="In a locked environment sidecars send nothing to hosts that they do not know.",
        check=_registry_only,
    ),
)
