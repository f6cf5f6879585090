"""Generated declarations: a few services in a few namespaces, in the cluster and on machines, in any phase."""

import dataclasses

from bundle_example import NETWORK, PHASES, call, example, http_port, machine, service, tcp_port
from hypothesis import strategies as st

from slipway.mesh import model

NAMESPACES = ("back", "data", "shop")
METHODS = ("*", "GET", "POST")
PATHS = ("*", "/a", "/a/*", "/b")
EXTERNALS = ("mail", "payments")
PORTS = (("http", http_port(8080)), ("admin", http_port(8081, name="admin")), ("tcp", tcp_port(5432, name="tcp")))


@st.composite
def _calls(draw, ports_of) -> tuple[model.ServiceCall, ...]:
    if not ports_of:
        return ()
    found = {}
    for callee in draw(st.lists(st.sampled_from(sorted(ports_of)), max_size=3)):
        port = draw(st.sampled_from(ports_of[callee]))
        requests = st.lists(st.tuples(st.sampled_from(METHODS), st.sampled_from(PATHS)), max_size=3, unique=True)
        found[callee, port.name] = call(callee, port.name, *(draw(requests) if port.protocol.is_http else ()))
    return tuple(found[key] for key in sorted(found))


@st.composite
def _service(draw, index, ports, ports_of) -> model.Service:
    name = f"s{index}"
    machines = tuple(f"{name}-vm{number}" for number in range(draw(st.integers(0, 2))))
    return service(
        name,
        draw(st.sampled_from(NAMESPACES)),
        ports=ports,
        calls=draw(_calls({other: found for other, found in ports_of.items() if other != name})),
        externals=draw(st.lists(st.sampled_from(EXTERNALS), unique=True, max_size=2)),
        machines=machines,
        cluster=not machines or draw(st.booleans()),
        names=draw(st.sampled_from([(), (f"{name}.corp.local",)])),
    )


@st.composite
def phases(draw, services):
    places = sorted({item.name for item in services} | {item.namespace for item in services})
    exceptions = st.lists(st.sampled_from(places), unique=True, max_size=2)
    return model.Phases(
        mtls=draw(st.sampled_from(model.MtlsMode)),
        mtls_exceptions=tuple((name, draw(st.sampled_from(model.MtlsMode))) for name in draw(exceptions)),
        egress=draw(st.sampled_from(model.EgressMode)),
        authorization=draw(st.sampled_from(model.AuthorizationMode)),
        authorization_exceptions=tuple(
            (name, draw(st.sampled_from(model.AuthorizationMode))) for name in draw(exceptions)
        ),
    )


def _machines(services) -> tuple[model.Machine, ...]:
    found = [(name, item) for item in services for name in item.machines]
    return tuple(
        machine(name, item.namespace, f"10.60.2.{index + 11}", [item.name])
        for index, (name, item) in enumerate(found)
    )


@st.composite
def _ingress(draw, services) -> tuple[model.IngressHost, ...]:
    routed = [(item.name, port.name) for item in services for port in item.ports if port.protocol.is_http]
    if not routed or not draw(st.booleans()):
        return ()
    prefixes = draw(st.lists(st.sampled_from(["/", "/api", "/b/c"]), min_size=1, unique=True))
    routes = [model.IngressRoute(prefix=item, service=(to := draw(st.sampled_from(routed)))[0], port=to[1])
              for item in sorted(prefixes, key=len, reverse=True)]  # fmt: skip
    host = dataclasses.replace(example().ingress[0], routes=tuple(routes), redirect_http=draw(st.booleans()))
    return (host,)


@st.composite
def meshes(draw, *, enforced=False):
    """Any declaration; ``enforced`` keeps every phase at its end."""
    count = draw(st.integers(1, 5))
    ports_of = {
        f"s{index}": [
            port for _, port in draw(st.lists(st.sampled_from(PORTS), min_size=1, unique_by=lambda p: p[0]))
        ]
        for index in range(count)
    }
    services = tuple(draw(_service(index, ports_of[f"s{index}"], ports_of)) for index in range(count))
    outside = example().externals[0]
    hosts = (("mail", "mail.example.net", 465), ("payments", "payments.example.com", 443))
    return example(
        services=services,
        externals=tuple(dataclasses.replace(outside, name=n, host=host, port=port) for n, host, port in hosts),
        ingress=draw(_ingress(services)),
        machines=_machines(services),
        network=NETWORK,
        tracing=draw(st.sampled_from([None, example().tracing])),
        phases=PHASES if enforced else draw(phases(services)),
    )
