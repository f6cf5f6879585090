"""VirtualServices from manifests, with every name written out in full."""

from slipway.diagnostics import Collector
from slipway.manifests.manifest import Manifest
from slipway.reachability.answers import Key
from slipway.reachability.fields import Fields
from slipway.reachability.objects import Route, RouteDestination, RouteMatch, TextMatch, VirtualService

MESH = "mesh"
_DOMAIN = "svc.cluster.local"
_HTTP_SUCCESS_REDIRECT = 301
# What a route adds to an answer or a request without changing where it goes.
_DECORATION = ("name", "headers", "corsPolicy", "timeout", "retries", "mirror", "mirrors", "mirrorPercentage")


def full_name(host: str, namespace: str) -> str:
    """Return the full name of a host: a name without dots is a Service of the object's own namespace.

    Source: istio 1.29.1 pilot/pkg/model/conversion.go, ResolveShortnameToFQDN.
    """
    if not host or "." in host or "*" in host:
        return host
    return f"{host}.{namespace}.{_DOMAIN}" if namespace else host


def gateway_name(name: str, namespace: str) -> str:
    """Return ``namespace/name`` of a gateway.

    Source: istio 1.29.1 pilot/pkg/model/gateway.go, resolveGatewayName.
    """
    if name == MESH:
        return MESH
    if "/" in name:
        first, _, second = name.partition("/")
        return f"{namespace}/{second}" if first == "." else name
    if "." in name:
        parts = name.split(".")
        return f"{parts[1]}/{parts[0]}"
    return f"{namespace}/{name}"


def virtual_service(manifest: Manifest, key: Key, collector: Collector) -> VirtualService:
    """Return the typed object; routes keep their order."""
    spec = Fields(manifest.body.get("spec"), f"{key} spec", collector)
    namespace = manifest.namespace
    gateways = spec.texts("gateways") or (MESH,)
    hosts = tuple(full_name(host, namespace) for host in spec.texts("hosts"))
    exports = spec.texts("exportTo")
    http, tls, tcp = (tuple(_route(item, namespace) for item in spec.maps(name)) for name in ("http", "tls", "tcp"))
    inside = {path for route in (*http, *tls, *tcp) for path in route.unmodelled}
    return VirtualService(
        key=key,
        namespace=namespace,
        hosts=hosts,
        gateways=tuple(gateway_name(name, namespace) for name in gateways),
        export_to=exports,
        http=http,
        tls=tls,
        tcp=tcp,
        fatal=any(map(_ends_istiod, (*tls, *tcp))),
        unmodelled=tuple(path for path in spec.rest() if path not in inside),
    )


def _ends_istiod(route: Route) -> bool:
    """Return whether connections have nowhere to go: istiod then looks for the first of no clusters.

    Source: istio 1.29.1 pilot/pkg/networking/core/networkfilter.go, buildOutboundNetworkFiltersWithWeightedClusters.
    """
    return len(route.destinations) != 1 and not any(item.weight for item in route.destinations)


def _route(fields: Fields, namespace: str) -> Route:
    fields.ignore(*_DECORATION)
    rewrite, redirect, direct = fields.map("rewrite"), fields.map("redirect"), fields.map("directResponse")
    redirect.ignore("uri", "authority", "port", "derivePort", "scheme")
    direct.ignore("body")
    matches = tuple(_match(item, namespace) for item in fields.maps("match"))
    destinations = tuple(_destination(item, namespace) for item in fields.maps("route"))
    fault = fields.has("fault")
    fields.ignore("fault")
    return Route(
        matches=matches,
        destinations=destinations,
        redirect=(redirect.number("redirectCode") or _HTTP_SUCCESS_REDIRECT) if fields.has("redirect") else None,
        direct=direct.number("status") if fields.has("directResponse") else None,
        rewrite_uri=rewrite.text("uri"),
        rewrite_authority=rewrite.text("authority"),
        fault=fault,
        unmodelled=fields.rest(),
    )


def _destination(fields: Fields, namespace: str) -> RouteDestination:
    fields.ignore("headers")
    target = fields.map("destination")
    weight = fields.number("weight")
    return RouteDestination(
        host=full_name(target.text("host"), namespace),
        subset=target.text("subset"),
        port=target.map("port").number("number"),
        weight=weight or 0,
    )


def _match(fields: Fields, namespace: str) -> RouteMatch:
    fields.ignore("name", "statPrefix")
    return RouteMatch(
        gateways=tuple(gateway_name(name, namespace) for name in fields.texts("gateways")),
        port=fields.number("port"),
        sni_hosts=fields.texts("sniHosts"),
        destination_subnets=fields.texts("destinationSubnets"),
        source_labels=fields.labels("sourceLabels"),
        source_namespace=fields.text("sourceNamespace"),
        uri=_text(fields.map("uri")),
        ignore_uri_case=fields.flag("ignoreUriCase") is True,
        method=_text(fields.map("method")),
        authority=_text(fields.map("authority")),
        headers={name.lower(): _text(item) for name, item in fields.keyed("headers").items()},
        without_headers={name.lower(): _text(item) for name, item in fields.keyed("withoutHeaders").items()},
        query={name: _text(item) for name, item in fields.keyed("queryParams").items()},
        unmodelled=fields.rest(),
    )


def _text(fields: Fields) -> TextMatch | None:
    for kind in ("exact", "prefix", "regex"):
        if fields.has(kind):
            return TextMatch(kind=kind, text=fields.text(kind))
    return None
