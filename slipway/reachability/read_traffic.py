"""Sidecar, ServiceEntry, WorkloadEntry, DestinationRule, VirtualService and Gateway from manifests."""

import itertools

from slipway.diagnostics import Collector
from slipway.manifests.manifest import Manifest
from slipway.reachability import injection, read_routes
from slipway.reachability.answers import Key
from slipway.reachability.fields import Fields
from slipway.reachability.objects import (
    PLAIN_HTTP,
    DestinationRule,
    EgressListener,
    Endpoint,
    Gateway,
    IngressListener,
    Proxy,
    Resolution,
    Server,
    Service,
    ServicePort,
    Sidecar,
    Subset,
    TlsSettings,
    TrafficPolicy,
    Workload,
)
from slipway.reachability.read_kubernetes import NETWORK_LABEL, protocol_named

# Source: istio 1.29.1 pilot/pkg/controllers/ipallocate (on by default) and pilot/pkg/model/service.go,
# GetAddressForProxy.
_ALLOCATION = "networking.istio.io/enable-autoallocate-ip"
_RESOLUTIONS = {
    "NONE": Resolution.NONE,
    "STATIC": Resolution.STATIC,
    "DNS": Resolution.DNS,
    "DNS_ROUND_ROBIN": Resolution.DNS,
}
# Settings of a traffic policy that change which endpoint answers, or how long, never whether one may.
_BALANCING = ("connectionPool", "outlierDetection", "tunnel", "proxyProtocol", "retryBudget")


def sidecar(manifest: Manifest, key: Key, collector: Collector) -> Sidecar:
    """Return the typed Sidecar; an empty outboundTrafficPolicy is REGISTRY_ONLY, as its enumeration starts there."""
    spec = Fields(manifest.body.get("spec"), f"{key} spec", collector)
    policy = spec.map("outboundTrafficPolicy")
    mode = policy.text("mode", "REGISTRY_ONLY")
    spec.ignore("inboundConnectionPool")
    return Sidecar(
        key=key,
        namespace=manifest.namespace,
        selector=spec.map("workloadSelector").labels("labels"),
        egress=tuple(_egress(item) for item in spec.maps("egress")),
        ingress=tuple(_ingress(item) for item in spec.maps("ingress")),
        registry_only=mode == "REGISTRY_ONLY" if spec.has("outboundTrafficPolicy") else None,
        unmodelled=spec.rest(),
    )


def _egress(fields: Fields) -> EgressListener:
    port = fields.map("port")
    port.ignore("name", "targetPort")
    fields.ignore("captureMode")
    number = port.number("number")
    return EgressListener(
        hosts=fields.texts("hosts"), port=number or None, protocol=port.text("protocol"), bind=fields.text("bind")
    )


def _ingress(fields: Fields) -> IngressListener:
    port = fields.map("port")
    port.ignore("name", "targetPort")
    fields.ignore("captureMode", "bind", "connectionPool", "defaultEndpoint")
    own_tls = fields.has("tls")
    fields.ignore("tls")
    return IngressListener(
        port=port.number("number") or 0,
        protocol=protocol_named(port.text("protocol")),
        own_tls=own_tls,
    )


def service_entry(manifest: Manifest, key: Key, collector: Collector) -> tuple[Service, ...]:
    """Return one service per host."""
    spec = Fields(manifest.body.get("spec"), f"{key} spec", collector)
    ports = tuple(
        ServicePort(
            name=item.text("name"),
            number=item.number("number") or 0,
            target=item.number("targetPort") or item.number("number") or 0,
            protocol=protocol_named(item.text("protocol")),
        )
        for item in spec.maps("ports")
    )
    endpoints = tuple(_endpoint(item) for item in spec.maps("endpoints"))
    selector = spec.map("workloadSelector").labels("labels")
    resolution = _RESOLUTIONS.get(spec.text("resolution", "NONE"), Resolution.OTHER)
    external = spec.text("location", "MESH_EXTERNAL") == "MESH_EXTERNAL"
    addresses, exports = spec.texts("addresses"), spec.texts("exportTo")
    names = spec.texts("subjectAltNames")
    hosts = spec.texts("hosts")
    allocated = manifest.labels.get(_ALLOCATION) != "false"
    rest = spec.rest()
    return tuple(
        Service(
            key=key,
            hostname=host,
            namespace=manifest.namespace,
            ports=ports,
            kubernetes=False,
            selector=selector,
            addresses=addresses,
            export_to=exports,
            resolution=resolution,
            external=external,
            endpoints=endpoints,
            subject_alt_names=names,
            allocated=allocated and not addresses and resolution is not Resolution.NONE and "*" not in host,
            unmodelled=rest,
        )
        for host in hosts
    )


def _endpoint(fields: Fields) -> Endpoint:
    ports = {name: int(number) for name, number in _numbers(fields, "ports").items()}
    fields.ignore("locality", "weight")
    labels = fields.labels("labels")
    return Endpoint(
        address=fields.text("address"),
        ports=ports,
        labels=labels,
        network=fields.text("network") or labels.get(NETWORK_LABEL, ""),
        service_account=fields.text("serviceAccount"),
    )


def _numbers(fields: Fields, key: str) -> dict[str, int]:
    values = fields.map(key)
    return {name: values.number(name) or 0 for name in values.names()}


def workload_entry(manifest: Manifest, key: Key, collector: Collector) -> Workload:
    """Return a machine: its proxy is there when it has a service account and is not marked otherwise."""
    spec = Fields(manifest.body.get("spec"), f"{key} spec", collector)
    labels = {**manifest.labels, **spec.labels("labels")}
    account = spec.text("serviceAccount")
    network = spec.text("network") or labels.get(NETWORK_LABEL, "")
    spec.ignore("locality", "weight")
    address = spec.text("address")
    plain = labels.get(injection.TLS_MODE) == "disabled" or not account
    ports = _numbers(spec, "ports")
    proxy = Proxy.UNKNOWN if spec.rest() else Proxy.NONE if plain else Proxy.SIDECAR
    return Workload(
        key=key,
        namespace=manifest.namespace,
        name=manifest.name,
        labels=labels,
        service_account=account or "default",
        proxy=proxy,
        addresses=(address,) if address else (),
        ports=ports,
        machine=True,
        network=network,
        capture=injection.capture_of(manifest.annotations),
    )


def destination_rule(manifest: Manifest, key: Key, collector: Collector) -> DestinationRule:
    """Return the typed rule; what only balances between endpoints is left out."""
    spec = Fields(manifest.body.get("spec"), f"{key} spec", collector)
    return DestinationRule(
        key=key,
        namespace=manifest.namespace,
        host=read_routes.full_name(spec.text("host"), manifest.namespace),
        export_to=spec.texts("exportTo"),
        selector=spec.map("workloadSelector").labels("matchLabels"),
        policy=_policy(spec.map("trafficPolicy")) if spec.has("trafficPolicy") else None,
        subsets=tuple(
            Subset(
                name=item.text("name"),
                labels=item.labels("labels"),
                policy=_policy(item.map("trafficPolicy")) if item.has("trafficPolicy") else None,
            )
            for item in spec.maps("subsets")
        ),
        unmodelled=spec.rest(),
    )


def _policy(fields: Fields) -> TrafficPolicy:
    _balance(fields)
    ports: dict[int, TlsSettings | None] = {}
    for item in fields.maps("portLevelSettings"):
        _balance(item)
        number = item.map("port").number("number")
        if number is not None:
            ports[number] = _tls(item.map("tls")) if item.has("tls") else None
    return TrafficPolicy(tls=_tls(fields.map("tls")) if fields.has("tls") else None, ports=ports)


def _balance(fields: Fields) -> None:
    """Pass over what only balances; a policy that goes on to the address dialled leads elsewhere."""
    fields.ignore(*_BALANCING)
    balancer = fields.map("loadBalancer")
    balancer.ignore(*balancer.names())
    if balancer.text("simple") == "PASSTHROUGH":
        balancer.leave("simple")


def _tls(fields: Fields) -> TlsSettings:
    fields.ignore("credentialName", "caCertificates", "clientCertificate", "privateKey", "caCrl")
    return TlsSettings(
        mode=fields.text("mode", "DISABLE"), sni=fields.text("sni"), subject_alt_names=fields.texts("subjectAltNames")
    )


_EVERY_HOST = "*/*"  # of every namespace


def gateway(manifest: Manifest, key: Key, collector: Collector) -> Gateway:
    """Return the typed Gateway; certificates stay unread."""
    spec = Fields(manifest.body.get("spec"), f"{key} spec", collector)
    servers = tuple(_server(item) for item in spec.maps("servers"))
    return Gateway(
        key=key,
        namespace=manifest.namespace,
        selector=spec.labels("selector"),
        servers=servers,
        unmodelled=spec.rest(),
        fatal=next(filter(None, (_fatal(item.hosts) for item in servers)), ""),
    )


def _fatal(hosts: tuple[str, ...]) -> str:
    """Return the host that istiod does not survive, empty when there is none.

    Of ``*/*`` it makes a list of one host, into which it then writes at the place of a later one.
    Source: istio 1.29.1 pilot/pkg/model/gateway.go, sanitizeServerHostNamespace.
    """
    behind = itertools.dropwhile(lambda item: item != _EVERY_HOST, hosts)
    return next((item for item in behind if item != _EVERY_HOST and item.startswith(("./", "*/"))), "")


def _server(fields: Fields) -> Server:
    port, tls = fields.map("port"), fields.map("tls")
    port.ignore("name", "targetPort")
    fields.ignore("name", "defaultEndpoint")
    tls.ignore("credentialName", "credentialNames", "minProtocolVersion", "maxProtocolVersion", "cipherSuites")
    tls.ignore("serverCertificate", "privateKey", "caCertificates", "caCertCredentialName")
    has_tls, protocol = fields.has("tls"), port.text("protocol").upper()
    mode = tls.text("mode", "PASSTHROUGH")
    return Server(
        port=port.number("number") or 0,
        protocol=protocol,
        hosts=fields.texts("hosts"),
        tls=mode if has_tls and protocol not in PLAIN_HTTP else "",
        has_tls=has_tls,
        redirect=tls.flag("httpsRedirect") is True,
    )
