"""How requests reach a service: what is stated, resolved, and what excludes or needs something else."""

from collections.abc import Iterable

from slipway.diagnostics import Collector, catalogue, wording
from slipway.mesh import durations, model, traffic, traffic_keys
from slipway.mesh.reading import Found

_HTTP_CONNECTIONS = ("maxPendingRequests", "maxRequests", "maxRequestsPerConnection")


def read_traffic(
    found: Found,
    *,
    ports: Iterable[model.Port],
    weights: tuple[tuple[str, int], ...],
    collector: Collector,
) -> traffic.Traffic:
    """Return what one service states; reports MESH0202, MESH0324 and MESH0325."""
    external = found.text_of("traffic") == "external"
    if external:
        _check_external(found, weights, collector)
    if not any(port.protocol.is_http for port in ports):
        _check_http(found, collector)
    outliers = found.get("outlierDetection")
    return traffic.Traffic(
        external=external,
        balance=_balance(found.get("balance"), outliers, collector),
        timeout=found.text_of("timeout"),
        retries=_retries(found, collector),
        outlier_detection=_outlier_detection(outliers),
        connections=_connections(found.get("connections")),
        weights=weights,
    )


def _number(found: Found, key: str) -> int | None:
    item = found.get(key)
    return item.scalar if item is not None and isinstance(item.scalar, int) else None


def _conflict(found: Found, sentence: str, hint: str, collector: Collector) -> None:
    collector.report(
        catalogue.SETTINGS_CONFLICT, sentence, span=found.key, path=found.path, found=found.raw, hint=hint
    )


def _needs(found: Found, key: str, why: str, hint: str, collector: Collector) -> None:
    sentence = f"{why} needs the key {wording.quoted(key)}"
    collector.report(catalogue.MISSING_KEY, sentence, span=found.key, path=found.path, hint=hint)


def _check_external(found: Found, weights: tuple[tuple[str, int], ...], collector: Collector) -> None:
    stated = [item for key in traffic_keys.routing_keys() if (item := found.get(key)) is not None]
    for item in stated:
        sentence = "`traffic: external` leaves routing to others, and this is routing"
        _conflict(item, sentence, "remove this key, or remove `traffic: external`", collector)
    if weights:
        sentence = "`traffic: external` leaves routing to others, and the environment states weights"
        stated_external = found.get("traffic") or found
        _conflict(stated_external, sentence, "remove the weights, or remove `traffic: external`", collector)


def _check_http(found: Found, collector: Collector) -> None:
    """Report settings of requests at a service whose ports carry connections only."""
    stated = [found.get("timeout"), found.get("retries")]
    connections = found.get("connections")
    if connections is not None:
        stated += [connections.get(key) for key in _HTTP_CONNECTIONS]
    balance = found.get("balance")
    if balance is not None and _balancing(balance) is not None and traffic.Balancing(_by(balance)).is_named:
        stated.append(balance.get("by"))
    for item in stated:
        if item is not None:
            sentence = "this acts on HTTP requests, and the service has no HTTP port"
            hint = "remove it, or give a port the protocol `http`, `http2` or `grpc`"
            collector.report(catalogue.NEEDS_HTTP, sentence, span=item.key, path=item.path, found=item.raw, hint=hint)


def _by(balance: Found) -> str:
    return balance.text or balance.text_of("by")


def _balancing(balance: Found) -> traffic.Balancing | None:
    return traffic.Balancing(_by(balance)) if _by(balance) else None


def _balance(found: Found | None, outliers: Found | None, collector: Collector) -> traffic.Balance | None:
    if found is None:
        return None
    by = _balancing(found)
    locality = found.get("locality")
    balance = traffic.Balance(
        by=by,
        name=found.text_of("name"),
        cookie_ttl=found.text_of("cookieTtl"),
        warm_up=found.text_of("warmUp"),
        locality=locality is not None and bool(locality.scalar),
    )
    _check_balance(found, balance, collector)
    if locality is not None and balance.locality and outliers is None:
        hint = "add `outlierDetection: {}`: without it no endpoint is known to fail, and nothing fails over"
        _needs(locality, "outlierDetection", "preferring near endpoints", hint, collector)
    return balance


def _check_balance(found: Found, balance: traffic.Balance, collector: Collector) -> None:
    """Report parts that Istio would refuse or ignore together.

    Source: istio/api networking/v1/destination_rule.proto, `LoadBalancerSettings`: `warmup` is for ROUND_ROBIN and
    LEAST_REQUEST only; istio.io, Locality Load Balancing, on consistent hashes.
    """
    by = balance.by or traffic.Balancing.LEAST_REQUEST
    name, ttl, warm_up, locality = (found.get(key) for key in ("name", "cookieTtl", "warmUp", "locality"))
    if by.is_named and name is None:
        hint = f"add `name: ...`, the {by.value} whose value is hashed"
        _needs(found.get("by") or found, "name", f"balancing by {by.value}", hint, collector)
    if name is not None and not by.is_named:
        sentence = f"balancing by `{by.value}` reads no header, cookie or query parameter"
        _conflict(name, sentence, "remove `name`, or balance by `header`, `cookie` or `query`", collector)
    if ttl is not None and by is not traffic.Balancing.COOKIE:
        _conflict(ttl, f"balancing by `{by.value}` sets no cookie", "remove `cookieTtl`", collector)
    if warm_up is not None and by not in {traffic.Balancing.LEAST_REQUEST, traffic.Balancing.ROUND_ROBIN}:
        hint = "remove `warmUp`, or balance by `leastRequest` or `roundRobin`"
        _conflict(warm_up, f"balancing by `{by.value}` has no warm-up", hint, collector)
    if locality is not None and balance.locality and by.is_hash:
        sentence = f"balancing by `{by.value}` and preferring near endpoints send one key to several endpoints"
        _conflict(locality, sentence, "remove one of the two", collector)


def _is_longer(one: str, other: str) -> bool:
    return durations.seconds(one) > durations.seconds(other)


def _retries(found: Found, collector: Collector) -> traffic.Retries | None:
    stated = found.get("retries")
    if stated is None:
        return None
    per_try, timeout = stated.get("perTryTimeout"), found.text_of("timeout")
    if per_try is not None and per_try.text and timeout and _is_longer(per_try.text, timeout):
        sentence = f"one try may take {per_try.text}, and all of them together {timeout}"
        _conflict(per_try, sentence, "make `timeout` longer or `perTryTimeout` shorter", collector)
    for key in ("perTryTimeout", "retryOn"):
        item = stated.get(key)
        if item is not None and _number(stated, "attempts") == 0:
            _conflict(item, "with `attempts: 0` nothing is sent again", f"remove `{key}`", collector)
    return traffic.Retries(
        attempts=stated.whole_of("attempts", 0),
        per_try_timeout="" if per_try is None else per_try.text,
        on=tuple(sorted(item.text for item in stated.list("retryOn"))),
    )


def _outlier_detection(found: Found | None) -> traffic.OutlierDetection | None:
    if found is None:
        return None
    return traffic.OutlierDetection(
        consecutive_5xx_errors=_number(found, "consecutive5xxErrors"),
        consecutive_gateway_errors=_number(found, "consecutiveGatewayErrors"),
        interval=found.text_of("interval"),
        base_ejection_time=found.text_of("baseEjectionTime"),
        max_ejection_percent=_number(found, "maxEjectionPercent"),
        min_health_percent=_number(found, "minHealthPercent"),
    )


def _connections(found: Found | None) -> traffic.Connections | None:
    if found is None:
        return None
    return traffic.Connections(
        max_connections=_number(found, "maxConnections"),
        connect_timeout=found.text_of("connectTimeout"),
        idle_timeout=found.text_of("idleTimeout"),
        max_pending_requests=_number(found, "maxPendingRequests"),
        max_requests=_number(found, "maxRequests"),
        max_requests_per_connection=_number(found, "maxRequestsPerConnection"),
    )
