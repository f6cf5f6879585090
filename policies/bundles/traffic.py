"""DestinationRule and VirtualService of services: balancing, limits, timeouts, retries and weights.

Both stand in the service's namespace, where every caller's proxy looks for them, once per name by which the service
is called. Source: istio/istio 1.29.1 pilot/pkg/model/push_context.go, `destinationRule`: the client's namespace, the
service's, the root namespace.
"""

from dataclasses import dataclass
from typing import Any

from policies.bundles import gateways, objects, overlay, routes
from slipway.manifests.manifest import Manifest
from slipway.mesh import model, names, traffic

_SIMPLE = {
    traffic.Balancing.LEAST_REQUEST: "LEAST_REQUEST",
    traffic.Balancing.ROUND_ROBIN: "ROUND_ROBIN",
    traffic.Balancing.RANDOM: "RANDOM",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class _Name:
    """One name of a service: ``ports`` are those of the service with the number that callers of this name use."""

    service: model.Service
    host: str
    object_name: str
    ports: tuple[tuple[model.Port, int], ...]


def _names(mesh: model.Mesh, service: model.Service) -> tuple[_Name, ...]:
    """Return the Service's name and, as far as anybody calls them, the names of today."""
    ports = sorted(service.ports, key=lambda item: (item.number, item.name))
    kubernetes = tuple((port, port.service_port) for port in ports)
    today = tuple((port, port.number) for port in ports)
    own = _Name(service=service, host=service.host, object_name=service.name, ports=kubernetes)
    return (
        own,
        *(
            _Name(service=service, host=host, object_name=names.subdomain(service.name, host), ports=today)
            for host in (service.names if mesh.callers(service.name) else ())
        ),
    )


def _consistent_hash(balance: traffic.Balance) -> dict[str, Any]:
    """Return what is hashed. Source: istio/api networking/v1/destination_rule.proto, `ConsistentHashLB`."""
    match balance.by:
        case traffic.Balancing.HEADER:
            return {"httpHeaderName": balance.name}
        case traffic.Balancing.QUERY:
            return {"httpQueryParameterName": balance.name}
        case traffic.Balancing.COOKIE:
            ttl = {"ttl": balance.cookie_ttl} if balance.cookie_ttl else {}
            return {"httpCookie": {"name": balance.name, **ttl}}
        case _:
            return {"useSourceIp": True}


def _load_balancer(balance: traffic.Balance | None, outliers: traffic.OutlierDetection | None) -> dict[str, Any]:
    """Return how endpoints are chosen.

    The preference for near endpoints is on by default as soon as outliers are detected, and machines without a
    locality would then be the far ones: it is turned off unless it was asked for.
    Source: istio/istio 1.29.1 pilot/pkg/networking/core/cluster_traffic_policy.go `applyLoadBalancer`; meshConfig
    `localityLbSetting`.
    """
    found: dict[str, Any] = {}
    if balance is not None:
        by = balance.by or traffic.Balancing.LEAST_REQUEST
        found = {"consistentHash": _consistent_hash(balance)} if by.is_hash else {"simple": _SIMPLE[by]}
        if balance.warm_up:
            found["warmup"] = {"duration": balance.warm_up}
    if outliers is not None or found:
        found["localityLbSetting"] = {"enabled": balance is not None and balance.locality}
    return found


def _outlier_detection(stated: traffic.OutlierDetection) -> dict[str, Any]:
    found = {
        "consecutive5xxErrors": 5 if stated.consecutive_5xx_errors is None else stated.consecutive_5xx_errors,
        "consecutiveGatewayErrors": stated.consecutive_gateway_errors,
        "interval": stated.interval or None,
        "baseEjectionTime": stated.base_ejection_time or None,
        "maxEjectionPercent": stated.max_ejection_percent,
        "minHealthPercent": stated.min_health_percent,
    }
    return {key: value for key, value in found.items() if value is not None}


def _connection_pool(stated: traffic.Connections) -> dict[str, Any]:
    tcp = {
        "maxConnections": stated.max_connections,
        "connectTimeout": stated.connect_timeout or None,
        "idleTimeout": stated.idle_timeout or None,
    }
    http = {
        "http1MaxPendingRequests": stated.max_pending_requests,
        "http2MaxRequests": stated.max_requests,
        "maxRequestsPerConnection": stated.max_requests_per_connection,
        "idleTimeout": stated.idle_timeout or None,
    }
    kept = {"tcp": tcp, "http": http}
    found = {key: {name: item for name, item in part.items() if item is not None} for key, part in kept.items()}
    return {key: part for key, part in found.items() if part}


def _policy(stated: traffic.Traffic, balance: traffic.Balance | None) -> dict[str, Any]:
    found = {
        "loadBalancer": _load_balancer(balance, stated.outlier_detection),
        "outlierDetection": None
        if stated.outlier_detection is None
        else _outlier_detection(stated.outlier_detection),
        "connectionPool": None if stated.connections is None else _connection_pool(stated.connections),
    }
    return {key: value for key, value in found.items() if value}


def _traffic_policy(name: _Name) -> dict[str, Any]:
    """Return the policy of one name: a hash of requests for its HTTP ports only, where there are others too.

    The settings of a port replace those of the host as a whole.
    Source: istio/api networking/v1/destination_rule.proto, `port_level_settings`.
    """
    stated = name.service.traffic
    balance = stated.balance
    hashed = balance is not None and balance.by is not None and balance.by.is_named
    if not hashed or all(port.protocol.is_http for port, _ in name.ports):
        return _policy(stated, balance)
    per_port = [
        {"port": {"number": number}, **_policy(stated, balance)}
        for port, number in name.ports
        if port.protocol.is_http
    ]
    return {**_policy(stated, None), "portLevelSettings": per_port}


def _visible_in(mesh: model.Mesh, name: _Name) -> list[str]:
    """Return the namespaces of the callers and the service's own; the ingress gateway knows the Service only.

    So does the east-west gateway, where it passes calls of machines on: a subset's too, if it knows that.
    """
    service = name.service
    found = {service.namespace, *(caller.namespace for caller, _ in mesh.callers(service.name))}
    routed = {route.service for host in mesh.ingress for route in host.routes}
    if name.host == service.host and service.name in routed:
        found.add(gateways.INGRESS.namespace)
    if service in overlay.passed_through(mesh):
        found.add(gateways.ISTIO_NAMESPACE)
    return sorted(found)


def _destination_rule(mesh: model.Mesh, name: _Name) -> tuple[Manifest, ...]:
    service = name.service
    policy = _traffic_policy(name)
    subsets = [
        {"name": routes.subset_name(place), "labels": routes.place_labels(service, place)}
        for place, _ in service.traffic.weights
    ]
    if not policy and not subsets:
        return ()
    spec = {
        "host": name.host,
        "exportTo": _visible_in(mesh, name),
        **({"trafficPolicy": policy} if policy else {}),
        **({"subsets": subsets} if subsets else {}),
    }
    return (_object("DestinationRule", name, spec),)


def _virtual_service(mesh: model.Mesh, name: _Name) -> tuple[Manifest, ...]:
    """Return the routes of one name, one per port; while calls are not enforced other ports keep working too.

    A destination without a port is the port that was called.
    Source: istio/istio 1.29.1 pilot/pkg/networking/core/route/route.go, `GetDestinationCluster`.
    """
    service = name.service
    settings = routes.settings(service)
    http: list[dict[str, Any]] = []
    tcp: list[dict[str, Any]] = []
    for port, number in name.ports:
        route = {
            "match": [{"port": number}],
            "route": routes.destinations(service, host=name.host, port=number),
        }
        if port.protocol.is_http and (settings or service.traffic.weights):
            http.append({**route, **settings})
        elif not port.protocol.is_http and service.traffic.weights:
            tcp.append(route)
    mode = mesh.phases.authorization_of(namespace=service.namespace, service=service.name)
    if http and mode is not model.AuthorizationMode.ENFORCED:
        http.append({"route": [{"destination": {"host": name.host}}]})
    if not http and not tcp:
        return ()
    spec = {
        "hosts": [name.host],
        "exportTo": _visible_in(mesh, name),
        **({"http": http} if http else {}),
        **({"tcp": tcp} if tcp else {}),
    }
    return (_object("VirtualService", name, spec),)


def _object(kind: str, name: _Name, spec: dict[str, Any]) -> Manifest:
    service = name.service
    return objects.manifest(
        kind,
        name=name.object_name,
        namespace=service.namespace,
        declared_at=objects.clause(service.span, f"services.{service.name}"),
        spec=spec,
    )


def emit_traffic(mesh: model.Mesh) -> tuple[Manifest, ...]:
    """Return how requests reach each service, for every name by which it is called.

    Nothing for a service whose declaration says nothing about it, or that leaves routing to others.
    """
    called = [name for service in mesh.services if not service.traffic.external for name in _names(mesh, service)]
    return tuple(item for name in called for item in (*_destination_rule(mesh, name), *_virtual_service(mesh, name)))
