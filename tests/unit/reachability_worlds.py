"""Small random worlds of raw objects: a few workloads, and every kind of object that decides, in random shapes."""

from typing import Any

from hypothesis import strategies as st

from slipway import reachability
from slipway.manifests.manifest import Manifest

_PLACES = ("one", "two", "istio-system")
_APPS = ("a", "b", "c")
_HOSTS = [f"{app}.{place}.svc.cluster.local" for place in _PLACES[:2] for app in _APPS]
_OUTSIDE = ["api.example.com", "*.example.org", "db.example.org"]
_PORTS = (80, 5432, 7000)

_apps = st.sampled_from(_APPS)
_spots = st.sampled_from(_PLACES[:2])
_label = _apps.map(lambda app: {"app": app})
_numbers = st.sampled_from(["80", "8080", "5432", "7000"])
_hosts = st.sampled_from([*_HOSTS, *_OUTSIDE])
_exports = st.sampled_from([None, ["*"], ["."], ["one"]])


def _some(values: Any, *, least: int = 0, most: int = 2) -> st.SearchStrategy[list[Any]]:
    return st.lists(values, min_size=least, max_size=most)


def _maybe(**fields: Any) -> st.SearchStrategy[dict[str, Any]]:
    """Return maps with some of the fields, None left out."""
    stated = st.fixed_dictionaries({}, optional=fields)
    return stated.map(lambda found: {key: value for key, value in found.items() if value is not None})


def _manifest(version: str, kind: str, name: str, namespace: str, spec: Any, **more: Any) -> Manifest:
    return Manifest(api_version=version, kind=kind, name=name, namespace=namespace, body={"spec": spec}, **more)


def _objects(version: str, kind: str, spec: Any, *, places: Any = _spots, **more: Any) -> st.SearchStrategy[Manifest]:
    names = st.sampled_from(["x", "y"])
    return st.builds(lambda *found, **rest: _manifest(version, kind, *found, **rest), names, places, spec, **more)


@st.composite
def _deployments(draw: Any, app: str, place: str) -> Manifest:
    labels = {"app": app, **draw(st.sampled_from([{}, {}, {"sidecar.istio.io/inject": "false"}, {"version": "v2"}]))}
    containers = [{"name": "app", "ports": [{"name": "named", "containerPort": 8080}]}]
    account = draw(st.sampled_from([app, app, "shared"]))
    annotations = draw(
        st.sampled_from(
            [
                *({}, {}, {"traffic.sidecar.istio.io/excludeInboundPorts": "5432"}),
                {"traffic.sidecar.istio.io/excludeOutboundPorts": "7000"},
            ]
        )
    )
    template = {
        "metadata": {"labels": labels, "annotations": annotations},
        "spec": {"serviceAccountName": account, "containers": containers},
    }
    return _manifest("apps/v1", "Deployment", app, place, {"template": template})


@st.composite
def _services(draw: Any, app: str, place: str) -> Manifest:
    every = [
        {"name": "http", "port": 80, "targetPort": draw(st.sampled_from([8080, "named", 80]))},
        {"name": draw(st.sampled_from(["tcp-db", "tls-db"])), "port": 5432},
        {"name": "guess", "port": 7000},
    ]
    ports = draw(st.lists(st.sampled_from(every), min_size=1, max_size=3, unique_by=lambda item: item["port"]))
    spec = {"selector": draw(st.sampled_from([{"app": app}, {"app": app}, {"app": "a"}])), "ports": ports}
    if draw(st.sampled_from([False, False, True])):
        spec["clusterIP"] = "None"
    return _manifest("v1", "Service", app, place, spec)


_source = _maybe(
    principals=_some(
        st.sampled_from(["cluster.local/ns/one/sa/a", "cluster.local/ns/two/sa/b", "*/sa/shared", "*"]), least=1
    ),
    notPrincipals=_some(st.sampled_from(["cluster.local/ns/one/sa/a", "cluster.local/ns/one/*"]), least=1, most=1),
    namespaces=_some(_spots, least=1, most=1),
    notNamespaces=_some(_spots, least=1, most=1),
    ipBlocks=st.just(["10.0.0.0/8"]),
    requestPrincipals=st.just(["*"]),
)
_operation = _maybe(
    methods=_some(st.sampled_from(["GET", "POST", "P*"]), least=1),
    notMethods=st.just(["GET"]),
    paths=_some(st.sampled_from(["/api/*", "/api/x", "*/end", "/t/{*}/z"]), least=1),
    notPaths=st.just(["/api/x"]),
    ports=_some(_numbers, least=1),
    notPorts=_some(_numbers, least=1, most=1),
    hosts=st.just(["a.one.svc.cluster.local:*"]),
)
_when = st.sampled_from(
    [
        {"key": "request.headers[x-who]", "values": ["me"]},
        {"key": "request.headers[:method]", "values": ["POST"]},
        {"key": "request.headers[:path]", "notValues": ["/api/x"]},
        {"key": "source.namespace", "values": ["one"]},
        {"key": "destination.port", "values": ["8080"]},
        {"key": "connection.sni", "notValues": ["other"]},
    ]
)
_rule = _maybe(
    **{
        "from": _some(_source.map(lambda item: {"source": item}), least=1),
        "to": _some(_operation.map(lambda item: {"operation": item}), least=1),
        "when": _some(_when, least=1, most=1),
    }
)
_selector = st.one_of(st.none(), _label.map(lambda labels: {"matchLabels": labels}))
_match = _maybe(
    uri=st.sampled_from([{"prefix": "/api/"}, {"exact": "/api/x"}]),
    method=st.just({"exact": "POST"}),
    headers=st.just({"x-way": {"exact": "left"}}),
    sourceLabels=_label,
)
_route = st.builds(
    lambda host, more: {"route": [{"destination": {"host": host, "port": {"number": 80}}}], **more},
    _hosts,
    _maybe(match=_some(_match, least=1, most=1), rewrite=st.just({"uri": "/api/x"})),
)
_pods = st.one_of(
    _label.map(lambda labels: {"podSelector": {"matchLabels": labels}}),
    _spots.map(lambda name: {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": name}}}),
    st.just({"ipBlock": {"cidr": "10.0.0.0/8"}}),
)
_everywhere = st.sampled_from(_PLACES)
_SECURITY, _NETWORKING = "security.istio.io/v1", "networking.istio.io/v1"
_deciding = st.one_of(
    _objects(
        _SECURITY,
        "AuthorizationPolicy",
        _maybe(
            selector=_selector,
            action=st.sampled_from(["ALLOW", "ALLOW", "DENY", "AUDIT", "CUSTOM"]),
            rules=_some(_rule, least=1),
        ),
        places=_everywhere,
        annotations=st.sampled_from([{}, {}, {"istio.io/dry-run": "true"}]),
    ),
    _objects(
        _SECURITY,
        "PeerAuthentication",
        _maybe(
            selector=_selector,
            mtls=st.sampled_from(["STRICT", "PERMISSIVE", "DISABLE"]).map(lambda mode: {"mode": mode}),
            portLevelMtls=st.just({"8080": {"mode": "STRICT"}}),
        ),
        places=_everywhere,
    ),
    _objects(_SECURITY, "RequestAuthentication", _maybe(selector=_selector, jwtRules=st.just([{"issuer": "i"}]))),
    _objects(
        _NETWORKING,
        "Sidecar",
        _maybe(
            workloadSelector=_label.map(lambda labels: {"labels": labels}),
            egress=_some(
                _some(st.sampled_from(["./*", "*/*", f"one/{_HOSTS[0]}", "~/*", "two/*"]), least=1).map(
                    lambda hosts: {"hosts": hosts}
                ),
                least=1,
                most=1,
            ),
            outboundTrafficPolicy=st.sampled_from(["REGISTRY_ONLY", "ALLOW_ANY"]).map(lambda mode: {"mode": mode}),
        ),
    ),
    _objects(
        _NETWORKING,
        "ServiceEntry",
        st.builds(
            lambda host, protocol, resolution, export: {
                "hosts": [host],
                "ports": [{"number": 80, "name": "p", "protocol": protocol}],
                "resolution": resolution,
                "location": "MESH_EXTERNAL",
                **({"exportTo": export} if export else {}),
            },
            st.sampled_from(_OUTSIDE),
            st.sampled_from(["HTTP", "TCP", "TLS"]),
            st.sampled_from(["DNS", "NONE"]),
            _exports,
        ),
    ),
    _objects(
        _NETWORKING,
        "VirtualService",
        st.builds(
            lambda host, routes, export: {
                "hosts": [host],
                "http": routes,
                **({"exportTo": export} if export else {}),
            },
            _hosts,
            _some(_route, least=1),
            _exports,
        ),
    ),
    _objects(
        _NETWORKING,
        "DestinationRule",
        st.builds(
            lambda host, mode: {"host": host, "trafficPolicy": {"tls": {"mode": mode}}},
            _hosts,
            st.sampled_from(["DISABLE", "ISTIO_MUTUAL", "SIMPLE"]),
        ),
    ),
    _objects(
        "networking.k8s.io/v1",
        "NetworkPolicy",
        st.builds(
            lambda pods, rules, types: {"podSelector": pods, "policyTypes": types, "ingress": rules, "egress": rules},
            st.sampled_from([{}, {"matchLabels": {"app": "a"}}, {"matchLabels": {"app": "b"}}]),
            _some(
                _maybe(
                    **{
                        "from": _some(_pods, least=1),
                        "to": _some(_pods, least=1),
                        "ports": st.sampled_from(
                            [[{"port": 8080}], [{"port": "named"}], [{"port": 80, "endPort": 9000}]]
                        ),
                    }
                )
            ),
            st.sampled_from([["Ingress"], ["Egress"], ["Ingress", "Egress"]]),
        ),
    ),
    _objects(_NETWORKING, "EnvoyFilter", _maybe(workloadSelector=_label.map(lambda labels: {"labels": labels}))),
)


@st.composite
def manifests(draw: Any) -> list[Manifest]:
    """Return the objects of a small world, no two of one kind and name."""
    found: list[Manifest] = []
    for place in _PLACES:
        labels = {"istio-injection": "enabled"} if place != _PLACES[1] or draw(st.booleans()) else {}
        found.append(Manifest(api_version="v1", kind="Namespace", name=place, labels=labels))
    for place in _PLACES[:2]:
        for app in draw(st.lists(_apps, min_size=1, max_size=3, unique=True)):
            found.append(draw(_deployments(app, place)))
            found.append(draw(_services(app, place)))
    found += draw(st.lists(_deciding, max_size=8))
    return list({item.key: item for item in found}.values())


@st.composite
def changed(draw: Any, found: list[Manifest]) -> list[Manifest]:
    """Return the objects after a change: some left out, some added or written anew."""
    kept = [item for item in found if item.kind == "Namespace" or draw(st.integers(0, 9)) > 0]
    return list({item.key: item for item in [*kept, *draw(st.lists(_deciding, max_size=3))]}.values())


def world(found: list[Manifest], **mesh_config: Any) -> reachability.World:
    """Return the world of these objects."""
    return reachability.read(found, mesh_config=mesh_config)
