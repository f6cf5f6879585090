"""Random Gateways with what stands behind them, and random requests to them."""

import random
from collections.abc import Mapping, Sequence
from typing import Any

from benchmarks.judge import fleet, policies, words

Object = dict[str, Any]
# Hosts that servers and VirtualServices name, and that clients ask for.
_HOSTS = ("shop.example.com", "api.example.com", "a.api.example.com", "other.example.org")
_PATTERNS = ("*", "*.example.com", "*.api.example.com", "*.com", *_HOSTS)
_PLAIN_PROTOCOLS = ("HTTP", "HTTP", "HTTP2", "GRPC")
_PORT_OF = {"HTTP": (80, 81), "HTTPS": (443,), "TLS": (444,), "TCP": (9000,)}
_MORE_PORTS = (18080, 18443)  # a server may name the port of the proxy itself


_EVERY_HOST = "*/*"  # istiod 1.29.1 does not survive another host after it: docs/reachability.md


class Gates:
    """Makes the gateway objects of one set."""

    def __init__(self, random_: random.Random, lot: fleet.Lot, security: policies.Policies) -> None:
        self._random = random_
        self._lot = lot
        self._security = security

    def make(self) -> list[Object]:
        """Return one or two Gateways, VirtualServices for them, and most times a policy for the gateway.

        No two servers or routes have one server name, or Envoy would refuse the listener.
        """
        while overlapping(found := self._some()):
            pass
        return found

    def _some(self) -> list[Object]:
        random_ = self._random
        found: list[Object] = []
        for index in range(random_.choice((1, 1, 1, 2))):
            gateway = self._gateway(
                f"gate-{index}", random_.choice((*self._lot.namespaces, self._lot.gate.namespace))
            )
            found.append(gateway)
            count = random_.choice((1, 1, 2))
            found += [self._routes(f"by-gate-{index}-{number}", gateway) for number in range(count)]
        if words.chance(random_, 0.6):
            policy = self._security.authorization("at-gate", self._lot.gate.namespace)
            policy["spec"]["selector"] = {"matchLabels": {"app": fleet.GATE}}
            found.append(policy)
        return found

    def _gateway(self, name: str, namespace: str) -> Object:
        random_ = self._random
        kinds = random_.sample(("HTTP", "HTTP", "HTTPS", "TLS", "TCP"), random_.choice((1, 2, 3)))
        servers = [self._server(index, kind) for index, kind in enumerate(kinds)]
        spec = {"selector": {"istio": self._lot.gate.labels["istio"]}, "servers": servers}
        return policies.istio("Gateway", name, namespace, spec)

    def _server(self, index: int, kind: str) -> Object:
        random_ = self._random
        number = random_.choice(_PORT_OF[kind])
        protocol = random_.choice(_PLAIN_PROTOCOLS) if kind == "HTTP" else kind
        port = {"number": number, "name": f"{kind.lower()}-{index}", "protocol": protocol}
        server: Object = {"port": port, "hosts": [self._host() for _ in range(random_.choice((1, 1, 2)))]}
        server["hosts"] = list(dict.fromkeys(server["hosts"]))
        if _EVERY_HOST in server["hosts"]:
            server["hosts"] = [_EVERY_HOST]
        if kind == "HTTP" and words.chance(random_, 0.2):
            server["tls"] = {"httpsRedirect": True}
        if kind == "HTTPS":
            mode = random_.choice(("SIMPLE", "SIMPLE", "PASSTHROUGH", "ISTIO_MUTUAL"))
            server["tls"] = {"mode": mode}
        if kind == "TLS":
            server["tls"] = {"mode": random_.choice(("SIMPLE", "PASSTHROUGH", "ISTIO_MUTUAL"))}
        if server.get("tls", {}).get("mode") == "SIMPLE":
            server["tls"]["credentialName"] = fleet.CREDENTIAL
        return server

    def _host(self) -> str:
        random_ = self._random
        name = random_.choice(_PATTERNS)
        place = random_.choice(("", "", "", "./", "*/", *(f"{item}/" for item in self._lot.namespaces)))
        return f"{place}{name}"

    def _routes(self, name: str, gateway: Object) -> Object:
        random_ = self._random
        namespace = random_.choice(self._lot.namespaces)
        title, owner = gateway["metadata"]["name"], gateway["metadata"]["namespace"]
        bound = title if owner == namespace and words.chance(random_, 0.5) else f"{owner}/{title}"
        gateways = ["mesh", bound] if words.chance(random_, 0.15) else [bound]
        host = random_.choice(gateway["spec"]["servers"])["hosts"][0].rpartition("/")[2]
        hosts = [host if words.chance(random_, 0.6) else random_.choice(_PATTERNS)]
        if "*" in hosts[0] and "mesh" in gateways:
            gateways.remove("mesh")
        spec: Object = {"hosts": hosts, "gateways": gateways}
        self._fill(spec, gateway, bound)
        if words.chance(random_, 0.15):
            spec["exportTo"] = [random_.choice((".", "*", self._lot.gate.namespace))]
        return policies.istio("VirtualService", name, namespace, spec)

    def _fill(self, spec: Object, gateway: Object, bound: str) -> None:
        random_ = self._random
        kinds = {_kind(server) for server in gateway["spec"]["servers"]}
        if "http" in kinds:
            spec["http"] = [self._http(bound) for _ in range(random_.choice((1, 1, 2)))]
            if words.chance(random_, 0.7):
                spec["http"].append({"route": [self._destination(80)]})
        if "passing" in kinds:
            spec["tls"] = [self._tls(spec["hosts"][0], bound)]
        if "tcp" in kinds:
            route: Object = {"route": [self._destination(random_.choice((9000, 80)))]}
            if words.chance(random_, 0.4):
                route["match"] = [self._for(bound, {"port": random_.choice((9000, 444))})]
            spec["tcp"] = [route]
        if not {"http", "tls", "tcp"} & set(spec):
            spec["http"] = [{"route": [self._destination(80)]}]

    def _destination(self, port: int) -> Object:
        item = self._random.choice(self._lot.everyone)
        return {"destination": {"host": item.hostname, "port": {"number": port}}}

    def _for(self, bound: str, match: Object) -> Object:
        """Return a match, seldom of one gateway alone."""
        random_ = self._random
        if words.chance(random_, 0.3):
            return {**match, "gateways": [random_.choice((bound, "mesh"))]}
        return match

    def _http(self, bound: str) -> Object:
        random_ = self._random
        match: Object = {}
        for name in words.some(random_, ("uri", "method", "headers", "authority", "port"), 2):
            if name == "uri":
                match[name] = words.text_match(random_, words.PLAIN_PATHS)
            elif name == "method":
                match[name] = words.text_match(random_, words.METHODS)
            elif name == "headers":
                match[name] = {words.HEADER: words.text_match(random_, words.HEADER_VALUES[:4])}
            elif name == "authority":
                match[name] = {"exact": random_.choice(_HOSTS)}
            else:
                match[name] = random_.choice((80, 81, 443))
        route: Object = {"match": [self._for(bound, match)]}
        kind = random_.choices(("route", "redirect", "direct"), (6, 1, 1))[0]
        if kind == "route":
            route["route"] = [self._destination(random_.choice((80, 80, 81)))]
            if words.chance(random_, 0.25):
                route["rewrite"] = random_.choice(
                    ({"uri": "/admin"}, {"uri": "/"}, {"authority": "secret.example.com"})
                )
        elif kind == "redirect":
            route["redirect"] = {"uri": "/moved"}
        else:
            route["directResponse"] = {"status": random_.choice((404, 503, 200))}
        return route

    def _tls(self, host: str, bound: str) -> Object:
        random_ = self._random
        covered = [item for item in _PATTERNS if item == host or (host.startswith("*") and item.endswith(host[1:]))]
        names = words.some(random_, covered or [host])
        match = {"sniHosts": names, **({"port": random_.choice((443, 444))} if words.chance(random_, 0.3) else {})}
        return {"match": [self._for(bound, match)], "route": [self._destination(443)]}

    def egress(self, name: str, host: str, port: int) -> list[Object]:
        """Return what leads calls to ``host`` over mutual TLS to the gateway, and on from there."""
        random_, lot = self._random, self._lot
        namespace = lot.gate.namespace
        protocol = random_.choice(("HTTPS", "HTTPS", "TLS"))
        gateway = {
            "selector": {"istio": lot.gate.labels["istio"]},
            "servers": [
                {
                    "port": {"number": 443, "name": "out", "protocol": protocol},
                    "hosts": [host],
                    "tls": {"mode": "ISTIO_MUTUAL"},
                }
            ],
        }
        tls = {"mode": "ISTIO_MUTUAL", "sni": host}
        settings = {"portLevelSettings": [{"port": {"number": 443}, "tls": tls}]}
        rule = {"host": lot.gate.hostname, "subsets": [{"name": "out", "trafficPolicy": settings}]}
        to_gate = {"destination": {"host": lot.gate.hostname, "subset": "out", "port": {"number": 443}}}
        on = {"destination": {"host": host, "port": {"number": port}}}
        kind = "http" if protocol == "HTTPS" else "tcp"
        routes = [
            {"match": [{"gateways": ["mesh"], "port": port}], "route": [to_gate]},
            {"match": [{"gateways": [name], "port": 443}], "route": [on]},
        ]
        return [
            policies.istio("Gateway", name, namespace, gateway),
            policies.istio("DestinationRule", name, namespace, rule),
            policies.istio(
                "VirtualService", name, namespace, {"hosts": [host], "gateways": ["mesh", name], kind: routes}
            ),
        ]


def _kind(server: Mapping[str, Any]) -> str:
    protocol, mode = server["port"]["protocol"], server.get("tls", {}).get("mode", "")
    if mode == "PASSTHROUGH":
        return "passing"
    return "tcp" if protocol in {"TLS", "TCP"} else "http"


def overlapping(objects: Sequence[Object]) -> bool:
    """Return whether two servers that take TLS off, or one and a route of TLS, may have a server name in common."""
    taken = [
        {host.rpartition("/")[2] for host in server["hosts"]}
        for server in servers(objects)
        if server.get("tls", {}).get("mode", "PASSTHROUGH") != "PASSTHROUGH"
    ]
    routes = [route for item in objects if item["kind"] == "VirtualService" for route in item["spec"].get("tls", ())]
    passing = {name for route in routes for match in route["match"] for name in match["sniHosts"]}
    every = [name for names_ in (*taken, passing) for name in names_]
    return len(every) != len(set(every))


def servers(objects: Sequence[Object]) -> list[Mapping[str, Any]]:
    """Return the servers of all Gateways among objects."""
    return [server for item in objects if item["kind"] == "Gateway" for server in item["spec"]["servers"]]


def names(random_: random.Random, server: Mapping[str, Any]) -> str:
    """Return a name that a client asks a server for: most times one of its own."""
    host = random_.choice(server["hosts"]).rpartition("/")[2]
    own = [name for name in _HOSTS if name == host or (host.startswith("*") and name.endswith(host[1:]))]
    return random_.choice(own) if own and words.chance(random_, 0.8) else random_.choice(_HOSTS)
