"""Servers of Gateways that meet on one port of a gateway, and what is left of them."""

import pytest

from benchmarks.judge import asking, cases, standin
from slipway import reachability
from slipway.reachability import chains
from slipway.reachability.listeners import Listener, listener

GATE = cases.LOT.gate
SELECTOR = {"istio": GATE.labels["istio"]}


def gateway(name, *servers, namespace="judge-0-a", selector=SELECTOR):
    return {
        "apiVersion": "networking.istio.io/v1",
        "kind": "Gateway",
        "metadata": {"name": name, "namespace": namespace},
        "spec": {"selector": selector, "servers": list(servers)},
    }


def server(number, protocol, *hosts, tls=None):
    found = {
        "port": {"number": number, "name": f"{protocol.lower()}-{hosts[0]}", "protocol": protocol},
        "hosts": list(hosts),
    }
    return {**found, "tls": tls} if tls else found


def listening(port, *objects) -> Listener:
    world = asking.world([*standin.stand_in(), *objects], cases.MESH)
    workload = next(item for item in world.workloads if (item.namespace, item.name) == (GATE.namespace, GATE.name))
    return listener(world, workload, port)


def names(servers):
    return [(item.gateway.name, *item.hosts) for item in servers]


def test_a_server_names_the_port_of_the_service_or_the_proxys_own():
    objects = [gateway("some", server(80, "HTTP", "a.example"), server(7000, "HTTP", "b.example"))]
    assert names(listening(18080, *objects).plain) == [("judge-0-a/some", "a.example")]
    assert names(listening(7000, *objects).plain) == [("judge-0-a/some", "b.example")]
    assert listening(80, *objects) == Listener()
    assert (
        listening(18080, gateway("other", server(80, "HTTP", "a.example"), selector={"istio": "none"})).opened == ()
    )


def test_a_gateway_without_a_selector_is_for_every_gateway_and_hosts_are_written_out():
    hosts = ("./a.example", "*/b.example", "judge-0-b/*", "c.example")
    found = listening(18080, gateway("some", server(80, "GRPC", *hosts), selector={}))
    (only,) = found.plain
    assert only.hosts == ("judge-0-a/a.example", "b.example", "judge-0-b/*", "c.example")
    assert only.hosts_for("judge-0-b") == ["b.example", "*", "c.example"]
    assert only.meets("*.example", "judge-0-b")
    assert only.meets("a.example", "judge-0-a")
    assert not only.meets("d.example", "judge-0-a")


def test_plaintext_http_shares_a_port_and_of_one_gateway_the_first_server_stays():
    http, more = server(80, "HTTP", "a.example"), server(80, "HTTP2", "b.example")
    tcp = server(80, "TCP", "*")
    found = listening(18080, gateway("some", http, tcp, more))
    assert names(found.plain) == [("judge-0-a/some", "a.example"), ("judge-0-a/some", "b.example")]
    assert found.lost is None
    found = listening(18080, gateway("some", tcp, http))
    assert [item.server.protocol for item in found.plain] == ["TCP"]
    assert found.lost is None


@pytest.mark.parametrize(
    ("first", "second"),
    [
        (server(80, "HTTP", "a.example"), server(80, "TCP", "*")),
        (
            server(443, "TLS", "a.example", tls={"mode": "PASSTHROUGH"}),
            server(443, "TLS", "a.example", tls={"mode": "PASSTHROUGH"}),
        ),
        (
            server(80, "HTTP", "a.example", tls={"httpsRedirect": True}),
            server(80, "HTTP", "a.example", tls={"httpsRedirect": True}),
        ),
    ],
)
def test_which_of_two_gateways_stays_is_a_matter_of_age(first, second):
    port = 18080 if first["port"]["number"] == 80 else 18443
    apart = listening(port, gateway("first", first), gateway("second", second, namespace="judge-0-b"))
    assert apart.lost is not None
    assert apart.lost.name == "second"
    assert listening(port, gateway("both", first, second)).lost is None


def test_plaintext_beside_tls_is_left_open():
    tls = server(443, "HTTPS", "a.example", tls={"mode": "SIMPLE", "credentialName": "some"})
    plain = server(443, "HTTP", "b.example")
    assert listening(18443, gateway("some", tls, plain)).lost is not None
    found = listening(18443, gateway("some", plain, tls))  # the first is plaintext, so TLS has no place there
    assert (len(found.plain), len(found.tls), found.lost) == (1, 0, None)


def test_the_most_specific_server_name_is_chosen_and_one_that_comes_twice_is_told():
    servers = [
        server(443, "HTTPS", "*.example.com", tls={"mode": "SIMPLE", "credentialName": "some"}),
        server(443, "HTTPS", "a.example.com", tls={"mode": "ISTIO_MUTUAL"}),
        server(443, "HTTPS", "*", tls={"mode": "SIMPLE", "credentialName": "some"}),
    ]
    world = asking.world([*standin.stand_in(), gateway("some", *servers)], cases.MESH)
    workload = next(item for item in world.workloads if (item.namespace, item.name) == (GATE.namespace, GATE.name))
    known = chains.of_tls(world, listener(world, workload, 18443), GATE.namespace)
    assert chains.choose(known, "a.example.com").server.server.tls == "ISTIO_MUTUAL"
    assert chains.choose(known, "b.example.com").names == ("*.example.com",)
    assert chains.choose(known, "").names == ("*",)
    assert chains.choose(known[:2], "example.org") is None
    assert chains.repeated(known) == ""
    assert chains.repeated([*known, known[1]]) == "a.example.com"


def test_of_two_gateways_with_routes_for_one_host_the_older_one_comes_first():
    def routes(name, bound, route) -> dict:
        spec = {
            "hosts": ["a.example"],
            "gateways": [bound],
            "http": [{"match": [{"uri": {"prefix": "/api"}}], **route}],
        }
        metadata = {"name": name, "namespace": "judge-0-a"}
        return {"apiVersion": "networking.istio.io/v1", "kind": "VirtualService", "metadata": metadata, "spec": spec}

    leading = {"route": [{"destination": {"host": "web.judge-0-a.svc.cluster.local", "port": {"number": 80}}}]}
    first, second = (gateway(name, server(80, "HTTP", "a.example")) for name in ("first", "second"))
    there = [routes("leading", "first", leading)]
    answering = {"directResponse": {"status": 503}}
    assert outcome(first, *there, routes("answering", "first", {**answering, "name": "x"})) == "unknown"
    assert outcome(first, second, *there, routes("answering", "second", answering)) == "unknown"
    assert outcome(first, second, *there, routes("answering", "second", leading)) == "allowed"


def outcome(*objects) -> str:
    world = asking.world([*standin.stand_in(), *objects], cases.MESH)
    question = reachability.Question(
        source=reachability.Outside(gateway=GATE.place),
        destination=reachability.Host(name="a.example"),
        port=80,
        path="/api",
    )
    return reachability.decide(world, question).outcome.value


def test_routes_of_tls_with_one_server_name_leave_it_to_their_age():
    def routes(name, *names, namespace="judge-0-a", export_to=("*",)) -> dict:
        destination = {"host": "web.judge-0-a.svc.cluster.local", "port": {"number": 443}}
        spec = {
            "hosts": ["*"],
            "gateways": ["judge-0-a/some"],
            "exportTo": list(export_to),
            "tls": [{"match": [{"sniHosts": list(names)}], "route": [{"destination": destination}]}],
        }
        metadata = {"name": name, "namespace": namespace}
        return {
            "apiVersion": "networking.istio.io/v1",
            "kind": "VirtualService",
            "metadata": metadata,
            "spec": spec,
        }

    def known(*objects, hosts=("*",)) -> dict:
        servers = [server(443, "TLS", host, tls={"mode": "PASSTHROUGH"}) for host in hosts]
        world = asking.world([*standin.stand_in(), gateway("some", *servers), *objects], cases.MESH)
        workload = next(
            item for item in world.workloads if (item.namespace, item.name) == (GATE.namespace, GATE.name)
        )
        found = chains.of_tls(world, listener(world, workload, 18443), GATE.namespace)
        assert chains.repeated(found) == ""
        return {item.names: item.open for item in found}

    first, second = routes("first", "a.example", "b.example"), routes("second", "b.example", "c.example")
    assert known(first, routes("second", "c.example")) == {("a.example", "b.example"): False, ("c.example",): False}
    assert known(first, second) == {("a.example", "b.example"): True, ("b.example", "c.example"): True}
    hidden = routes("hidden", "b.example", export_to=["."])
    assert known(first, hidden) == {("b.example",): False}
    assert set(known(routes("both", "b.example"), hosts=("*.example", "b.example")).values()) == {True}


@pytest.mark.parametrize(
    ("hosts", "fatal"),
    [
        (("*/*", "*/*.com"), True),  # seen: istiod 1.29.1 ends in a panic whenever the gateway asks it
        (("*/*", "judge-0-b/a.example", "./b.example"), True),
        (("*/*.com", "*/*"), False),
        (("*/*", "*/*"), False),
        (("*/*", "a.example", "judge-0-b/a.example"), False),
        (("*", "./a.example"), False),
    ],
)
def test_nothing_is_known_of_a_mesh_whose_istiod_does_not_survive_a_gateway(hosts, fatal):
    question = reachability.Question(
        source=reachability.Workload(namespace="judge-0-a", name="web"),
        destination=reachability.Host(name="api.judge-0-b.svc.cluster.local"),
        port=80,
    )
    for selector, ends in ((SELECTOR, fatal), ({"istio": "nobody"}, False)):
        objects = [gateway("wide", server(80, "HTTP", *hosts), selector=selector)]
        found = reachability.decide(asking.world([*standin.stand_in(), *objects], cases.MESH), question)
        assert (found.outcome is reachability.Outcome.UNKNOWN) == ends
        assert not ends or "Gateway judge-0-a/wide: istiod 1.29.1 ends at once" in found.reasons[0]


def test_an_istiod_may_scope_gateways_to_their_own_namespace():
    variable = {"name": "PILOT_SCOPE_GATEWAY_TO_NAMESPACE", "value": "true"}
    istiod = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "istiod-1", "namespace": "istio-system", "labels": {"app": "istiod"}},
        "spec": {"containers": [{"name": "discovery", "env": [variable]}]},
        "status": {"podIP": "10.61.0.240"},
    }
    elsewhere = gateway("some", server(80, "HTTP", "*"), namespace="judge-0-b")
    assert listening(18080, elsewhere).opened
    assert not listening(18080, elsewhere, istiod).opened
    assert listening(18080, gateway("some", server(80, "HTTP", "*")), istiod).opened
