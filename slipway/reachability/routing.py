"""Which route of a VirtualService a request takes, for clients that may differ in their labels.

Source: istio 1.29.1 pilot/pkg/networking/core/route/route.go (matches become Envoy's routes, in order; prefixes end
at a slash only when they say so), tls.go for TLS and TCP.
"""

import dataclasses
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from slipway.reachability import paths, strings
from slipway.reachability.answers import Answer, Hop, Key, Outcome, Seen
from slipway.reachability.callers import Callers, Some, members
from slipway.reachability.objects import Route, RouteDestination, RouteMatch, Service, TextMatch, VirtualService
from slipway.reachability.request import UNSTATED, Http, Request
from slipway.reachability.split import answer, unknown
from slipway.reachability.visibility import most_specific
from slipway.reachability.world import selects

_REDIRECTS = {301: Seen.REDIRECT_301}
_STATUSES = {403: Seen.FORBIDDEN_403, 404: Seen.NOT_FOUND_404, 503: Seen.UNAVAILABLE_503, 401: Seen.UNAUTHORIZED_401}
_SUCCESS = range(200, 300)
_UNSURE = None
Truth = bool | None  # None: the question does not say


@dataclass(frozen=True, slots=True, kw_only=True)
class Chosen:
    """The callers that take a route by one of its matches: surely, or possibly; ``match`` None is a route without."""

    callers: Some
    route: Route
    match: RouteMatch | None


def gateways_allow(match: RouteMatch, gateways: frozenset[str]) -> bool:
    """Return whether a match holds at one of these gateways (``mesh`` for sidecars)."""
    return not match.gateways or bool(gateways & set(match.gateways))


def present(service: VirtualService, *, port: int, gateways: frozenset[str], callers: Callers, mask: int) -> int:
    """Return the callers of ``mask`` whose proxies have HTTP routes of a VirtualService at all.

    Ports, gateways and clients are compared when istiod writes the routes; where nothing is left of them, the
    VirtualService is as good as absent. Source: istio 1.29.1 pilot/pkg/networking/core/route/route.go,
    BuildHTTPRoutesForVirtualService and buildSidecarVirtualHostsForVirtualService.
    """
    return written(service.http, port, gateways=gateways, callers=callers, mask=mask, http=True)


def written(
    routes: Iterable[Route], port: int, *, gateways: frozenset[str], callers: Callers, mask: int, http: bool
) -> int:
    """Return the callers of ``mask`` whose proxies have any of these routes."""
    found = 0
    for route in routes:
        for match in route.matches or (None,):
            found |= _written(match, port, gateways=gateways, callers=callers, mask=mask, http=http)
    return found


def http_routes(
    service: VirtualService,
    request: Http,
    *,
    port: int,
    gateways: frozenset[str],
    callers: Callers,
    mask: int,
    normalization: str,
) -> list[Chosen]:
    """Return the routes that callers of ``mask`` take, in order; callers in none of them get 404."""
    path = paths.normalized(request.path, normalization) or ""

    def holds(match: RouteMatch) -> Truth:
        return _http(match, request, path)

    return _in_turn(service.http, holds, port, gateways=gateways, callers=callers, mask=mask, http=True)


def connection_routes(
    routes: Iterable[Route],
    request: Request,
    *,
    port: int,
    gateways: frozenset[str],
    callers: Callers,
    mask: int,
    beside: Iterable[Route],
) -> list[Chosen]:
    """Return the TLS or TCP routes that callers of ``mask`` take; ``beside`` are all of the listener, these too.

    Server names of TLS are matches of filter chains, of which Envoy takes the most specific one, in whatever order
    they are. Source: istio 1.29.1 pilot/pkg/networking/core/tls.go; envoyproxy/envoy 1.37
    api/envoy/config/listener/v3/listener_components.proto, FilterChainMatch.server_names.
    """
    matches = [
        match
        for route in beside
        for match in route.matches
        if gateways_allow(match, gateways) and match.port in {None, port}
    ]
    best = most_specific(request.sni, (host for match in matches for host in match.sni_hosts))
    for_some = any(best in match.sni_hosts and (match.source_labels or match.source_namespace) for match in matches)

    def holds(match: RouteMatch) -> Truth:
        return _connection(match, request, best, for_some=for_some)

    return _in_turn(routes, holds, port, gateways=gateways, callers=callers, mask=mask, http=False)


def _in_turn(
    routes: Iterable[Route],
    holds: Callable[[RouteMatch], Truth],
    port: int,
    *,
    gateways: frozenset[str],
    callers: Callers,
    mask: int,
    http: bool,
) -> list[Chosen]:
    """Return who takes which route: the first one of which a match holds."""
    rest = Some(must=mask, may=mask)
    found: list[Chosen] = []
    for route, match in ((item, match) for item in routes for match in item.matches or (None,)):
        chosen = _takers(match, holds, port, gateways=gateways, callers=callers, mask=rest.may, http=http) & rest
        if chosen.may:
            found.append(Chosen(callers=chosen, route=route, match=match))
            rest = Some(must=rest.must & ~chosen.may, may=rest.may & ~chosen.must)
    return found


def _takers(
    match: RouteMatch | None,
    holds: Callable[[RouteMatch], Truth],
    port: int,
    *,
    gateways: frozenset[str],
    callers: Callers,
    mask: int,
    http: bool,
) -> Some:
    group = _written(match, port, gateways=gateways, callers=callers, mask=mask, http=http)
    truth = holds(match) if match is not None and group else True
    if truth is False:
        return Some(must=0, may=0)
    sure = truth is True and (match is None or not match.unmodelled)
    return Some(must=group if sure else 0, may=group)


def _written(
    match: RouteMatch | None, port: int, *, gateways: frozenset[str], callers: Callers, mask: int, http: bool
) -> int:
    """Return the callers whose proxies have a match; in HTTP routes a match that names gateways asks no clients.

    Source: istio 1.29.1 pilot/pkg/networking/core/route/route.go, sourceMatchHTTP, and tls.go, matchTCP, matchTLS.
    """
    if match is None:
        return mask
    if not gateways_allow(match, gateways) or (match.port is not None and match.port != port):
        return 0
    if http and match.gateways:
        return mask
    return _clients(match, callers, mask)


def _clients(match: RouteMatch, callers: Callers, mask: int) -> int:
    if not match.source_labels and not match.source_namespace:
        return mask
    found = 0
    for index in members(mask):
        caller = callers.list[index]
        if match.source_namespace in {"", caller.namespace} and selects(match.source_labels, caller.labels):
            found |= 1 << index
    return found


def _connection(match: RouteMatch, request: Request, best: str | None, *, for_some: bool) -> Truth:
    """Return whether a match holds; ``for_some`` tells that not all clients have the ``best`` server name."""
    if match.sni_hosts and not any(strings.host_covers(host, request.sni) for host in match.sni_hosts):
        return False
    if match.sni_hosts and best not in match.sni_hosts:
        return _UNSURE if for_some else False
    return _UNSURE if match.destination_subnets else True


def _http(match: RouteMatch, request: Http, path: str) -> Truth:
    truths: list[Truth] = []
    if match.uri is not None:
        truths.append(_compare(*_without_case(match.uri, path) if match.ignore_uri_case else (match.uri, path)))
    if match.method is not None:
        truths.append(_compare(match.method, request.method))
    if match.authority is not None:
        truths.append(_compare(match.authority, request.host))
    truths += [_headers(name, item, request.headers) for name, item in match.headers.items()]
    truths += [_inverse(_headers(name, item, request.headers)) for name, item in match.without_headers.items()]
    query = _query(request.path)
    truths += [_parameter(query.get(name), item) for name, item in match.query.items()]
    if False in truths:
        return False
    return _UNSURE if None in truths else True


def _without_case(match: TextMatch, path: str) -> tuple[TextMatch, str]:
    """Return both as they compare without case; a regex keeps its own.

    Source: istio.io/docs/reference/config/networking/virtual-service, HTTPMatchRequest.ignoreUriCase.
    """
    if match.kind == "regex":
        return match, path
    return TextMatch(kind=match.kind, text=match.text.lower()), path.lower()


def _inverse(truth: Truth) -> Truth:
    return None if truth is None else not truth


def _headers(name: str, match: TextMatch | None, headers: Mapping[str, str]) -> Truth:
    if name.startswith("@request.auth."):
        return _UNSURE
    value = headers.get(name)
    if value is None:
        return _UNSURE if name in UNSTATED else False
    return True if match is None else _compare(match, value)


def _parameter(value: str | None, match: TextMatch | None) -> Truth:
    if value is None:
        return False
    return True if match is None else _compare(match, value)


def _query(path: str) -> dict[str, str]:
    text = path.partition("?")[2].partition("#")[0]
    pairs = [part.partition("=") for part in text.split("&") if part]
    return {name: value for name, _, value in reversed(pairs)}


def _compare(match: TextMatch, value: str) -> Truth:
    if match.kind == "exact":
        return value == match.text
    if match.kind == "prefix":
        return value.startswith(match.text)
    compiled = strings.regex(match.text)
    return _UNSURE if compiled is None else compiled.fullmatch(value) is not None


def immediate_answer(route: Route, key: Key, hop: Hop) -> Answer | None:
    """Return the answer of a route that a proxy gives itself, None for one that leads on."""
    if route.unmodelled or route.fault:
        what = "injects faults" if route.fault else f"has fields that are not modelled: {', '.join(route.unmodelled)}"
        return unknown(hop, f"a route of {key} {what}", key=key)
    if route.redirect is not None:
        seen = _REDIRECTS.get(route.redirect, Seen.OTHER_STATUS)
        return answer(Outcome.DENIED, hop, f"{key} redirects ({route.redirect})", seen=seen, key=key)
    if route.direct is not None:
        seen = Seen.ANSWER if route.direct in _SUCCESS else _STATUSES.get(route.direct, Seen.OTHER_STATUS)
        return answer(Outcome.DENIED, hop, f"{key} answers itself ({route.direct})", seen=seen, key=key)
    if not route.destinations:
        # Source: istio 1.29.1 pkg/config/validation/validation.go, validateHTTPRoute: admission refuses such a route.
        reason = f"a route of {key} has no destination, redirect or direct response; no API server takes it"
        return unknown(hop, reason, key=key)
    return None


def used(destinations: tuple[RouteDestination, ...]) -> list[RouteDestination]:
    """Return the destinations that get requests: with several, those without weight get none."""
    if len(destinations) == 1:
        return list(destinations)
    return [item for item in destinations if item.weight] or list(destinations)


def rewritten(request: Request, chosen: Chosen, *, normalization: str) -> Request:
    """Return the request as a route's rewrite leaves it.

    Envoy replaces what the route's match compared, in the path as it was normalized before: a prefix (``/`` where
    none is stated), else the whole path.
    Source: istio 1.29.1 pilot/pkg/networking/core/route/route.go, applyHTTPRouteDestination (prefix_rewrite).
    """
    route = chosen.route
    if request.http is None or not (route.rewrite_authority or route.rewrite_uri):
        return request
    path = request.http.path
    if route.rewrite_uri:
        uri = chosen.match.uri if chosen.match is not None else None
        plain, mark, query = path.partition("?")
        plain = paths.normalized(plain, normalization) or plain
        matched = plain if uri is not None and uri.kind != "prefix" else uri.text if uri is not None else "/"
        path = f"{route.rewrite_uri}{plain[len(matched) :]}{mark}{query}"
    http = Http(
        method=request.http.method,
        path=path,
        host=route.rewrite_authority or request.http.host,
        headers=request.http.headers,
        repeated=request.http.repeated,
    )
    return dataclasses.replace(request, http=http)


def destination_port(item: RouteDestination, service: Service, dialled: int) -> int:
    """Return the port that a route leads to: stated, the only one of the service, or the one dialled."""
    if item.port is not None:
        return item.port
    return service.ports[0].number if len(service.ports) == 1 else dialled
