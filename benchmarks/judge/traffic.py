"""Random Sidecars, routes, DestinationRules, ServiceEntries, Services and NetworkPolicies."""

import random
from collections.abc import Mapping
from typing import Any

from benchmarks.judge import fleet, words
from benchmarks.judge.policies import istio

_SYSTEM = "istio-system/*"
_INGRESS = (
    (8080, "HTTP", 8080),
    (8080, "HTTP", 8081),
    (9000, "TCP", 9000),
    (9000, "HTTP", 9000),
)
_NAME = "kubernetes.io/metadata.name"


class Traffic:
    """Makes the traffic objects of one set. ``addresses`` are the applications' pods, by namespace and name."""

    def __init__(self, random_: random.Random, lot: fleet.Lot, addresses: Mapping[str, str]) -> None:
        self._random = random_
        self._lot = lot
        self._addresses = addresses

    def sidecar(self, name: str, namespace: str) -> dict[str, Any]:
        """Return a Sidecar of a namespace, or of one workload."""
        random_ = self._random
        first, second = self._lot.namespaces
        item = random_.choice(self._lot.everyone)
        hosts = ("./*", f"{first}/*", f"{second}/*", f"*/{item.hostname}", "*/*", f"{fleet.PLAIN}/*", "~/*")
        chosen = words.some(random_, hosts, 3)
        spec: dict[str, Any] = {"egress": [{"hosts": chosen if "~/*" not in chosen else ["~/*"]}]}
        if words.chance(random_, 0.5):
            spec["outboundTrafficPolicy"] = {"mode": random_.choice(("ALLOW_ANY", "REGISTRY_ONLY"))}
        if words.chance(random_, 0.4):
            own = [other for other in self._lot.applications if other.namespace == namespace]
            spec["workloadSelector"] = {"labels": {"app": random_.choice(own).name}}
        if words.chance(random_, 0.1):
            number, protocol, target = random_.choice(_INGRESS)
            port = {"number": number, "protocol": protocol, "name": "in"}
            spec["ingress"] = [{"port": port, "defaultEndpoint": f"127.0.0.1:{target}"}]
        return istio("Sidecar", name, namespace, spec)

    def routes(self, name: str, namespace: str) -> dict[str, Any]:
        """Return a VirtualService for one application of the lot."""
        random_ = self._random
        item = random_.choice(self._lot.everyone)
        short = item.namespace == namespace and words.chance(random_, 0.3)
        spec: dict[str, Any] = {"hosts": [item.name if short else item.hostname]}
        if words.chance(random_, 0.15):
            spec = self._server_names(item)
        elif words.chance(random_, 0.75):
            spec["http"] = [self._http_route() for _ in range(random_.choice((1, 2, 3)))]
            if words.chance(random_, 0.7):
                spec["http"].append({"route": [self._destination(item)]})
        else:
            match = {"match": [{"port": 9000}]} if words.chance(random_, 0.7) else {}
            spec["tcp"] = [{**match, "route": [self._destination(None, port=9000)]}]
        if words.chance(random_, 0.15):
            spec["exportTo"] = [random_.choice((".", "*", *self._lot.namespaces))]
        return istio("VirtualService", name, namespace, spec)

    def _server_names(self, item: fleet.Application) -> dict[str, Any]:
        """Return routes of TLS by server names, some of which cover others."""
        random_ = self._random
        wild = f"*.{item.namespace}.{fleet.DOMAIN}"
        names = words.some(random_, (item.hostname, wild), 2)
        routes = [
            {"match": [{"port": fleet.TLS_PORT, "sniHosts": [name]}], "route": [self._destination(None, port=443)]}
            for name in names
        ]
        return {"hosts": names, "tls": routes}

    def _destination(self, item: fleet.Application | None, port: int | None = None) -> dict[str, Any]:
        random_ = self._random
        target = item or random_.choice(self._lot.everyone)
        found: dict[str, Any] = {"host": target.hostname}
        if port is not None or item is None or words.chance(random_, 0.3):
            found["port"] = {"number": port or random_.choice((80, 81, 80))}
        return {"destination": found}

    def _http_route(self) -> dict[str, Any]:
        random_ = self._random
        route: dict[str, Any] = {"match": [self._match() for _ in range(random_.choice((1, 1, 2)))]}
        kind = random_.choices(("route", "redirect", "direct"), (5, 1, 2))[0]
        if kind == "redirect":
            route["redirect"] = {"uri": "/moved", **({"redirectCode": 302} if words.chance(random_, 0.3) else {})}
        elif kind == "direct":
            route["directResponse"] = {"status": random_.choice((404, 503, 403, 200))}
        else:
            route["route"] = [self._destination(None)]
            if words.chance(random_, 0.4):
                route["rewrite"] = random_.choice(
                    ({"uri": "/admin"}, {"uri": "/api/v2"}, {"authority": "secret.example.com"}, {"uri": "/"})
                )
        return route

    def _match(self) -> dict[str, Any]:
        random_ = self._random
        found: dict[str, Any] = {}
        for name in words.some(random_, ("uri", "method", "headers", "sourceLabels", "withoutHeaders", "port"), 2):
            if name == "uri":
                found["uri"] = words.text_match(random_, words.PLAIN_PATHS)
                if words.chance(random_, 0.3):
                    found["uri"] = {kind: text.upper() for kind, text in found["uri"].items()}
                    found["ignoreUriCase"] = True
            elif name == "method":
                found["method"] = words.text_match(random_, words.METHODS)
            elif name == "sourceLabels":
                found[name] = {"app": random_.choice(self._lot.applications).name}
            elif name == "port":
                found[name] = random_.choice((80, 81))
            else:
                found[name] = {words.HEADER: words.text_match(random_, words.HEADER_VALUES[:4])}
        return found

    def rule(self, name: str, namespace: str) -> dict[str, Any]:
        """Return a DestinationRule for one application."""
        random_ = self._random
        item = random_.choice(self._lot.everyone)
        modes = ("DISABLE", "ISTIO_MUTUAL", "DISABLE")
        spec: dict[str, Any] = {"host": item.hostname}
        policy: dict[str, Any] = {"tls": {"mode": random_.choice(modes)}} if words.chance(random_, 0.7) else {}
        if words.chance(random_, 0.3):
            port: dict[str, Any] = {"port": {"number": random_.choice((80, 9000))}}
            if words.chance(random_, 0.7):
                port["tls"] = {"mode": random_.choice(modes)}
            else:
                port["connectionPool"] = {"tcp": {"maxConnections": 1000}}
            policy["portLevelSettings"] = [port]
        spec["trafficPolicy"] = policy or {"loadBalancer": {"simple": "ROUND_ROBIN"}}
        if words.chance(random_, 0.15):
            spec["exportTo"] = [random_.choice((".", "*", *self._lot.namespaces))]
        return istio("DestinationRule", name, namespace, spec)

    def entry(self, name: str, namespace: str, number: int) -> dict[str, Any]:
        """Return a ServiceEntry with an address of its own, inside of the mesh or outside of it."""
        random_ = self._random
        address = f"10.99.{self._lot.number}.{number}"
        if words.chance(random_, 0.5):
            own = [item for item in self._lot.applications if item.namespace == namespace]
            where = {"workloadSelector": {"labels": {"app": random_.choice(own).name}}}
            location = "MESH_INTERNAL"
        else:
            target = random_.choice((*fleet.BARE, random_.choice(self._lot.applications)))
            where = {"endpoints": [{"address": self._addresses[target.place]}]}
            location = random_.choice(("MESH_EXTERNAL", "MESH_INTERNAL"))
        protocol = random_.choice(("HTTP", "TCP", "HTTP"))
        spec = {
            "hosts": [f"{name}.{namespace}.example"],
            "addresses": [address],
            "location": location,
            "resolution": "STATIC",
            "ports": [
                {"number": 80, "name": "http", "protocol": protocol, "targetPort": random_.choice((8080, 8081, 9000))}
            ],
            **where,
        }
        if words.chance(random_, 0.2):
            spec["exportTo"] = [random_.choice((".", "*", *self._lot.namespaces))]
        return istio("ServiceEntry", name, namespace, spec)

    def service(self, name: str, namespace: str) -> dict[str, Any]:
        """Return one more Service over an application; two that disagree about a port are a matter of their age."""
        random_ = self._random
        own = [item for item in self._lot.applications if item.namespace == namespace]
        target, title = random_.choice(((8080, "http-x"), (8081, "http-x"), (9000, "tcp-x"), (7500, "http-x")))
        ports = [{"name": title, "port": 80, "targetPort": target}]
        spec: dict[str, Any] = {"selector": {"app": random_.choice(own).name}, "ports": ports}
        return {
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": {"name": name, "namespace": namespace},
            "spec": spec,
        }

    def headless(self, name: str, namespace: str) -> dict[str, Any]:
        """Return a headless Service over an application, of ports at which that listens."""
        random_ = self._random
        own = [item for item in self._lot.applications if item.namespace == namespace]
        titles = {fleet.HTTP: "http-x", fleet.HTTP_TOO: "http-y", fleet.TCP: "tcp-x", fleet.GUESSED: "guess-x"}
        chosen = random_.sample(sorted(titles), random_.randint(1, 3))
        ports = [{"name": titles[number], "port": number} for number in chosen]
        spec = {"clusterIP": fleet.HEADLESS, "selector": {"app": random_.choice(own).name}, "ports": ports}
        return {
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": {"name": name, "namespace": namespace},
            "spec": spec,
        }

    def network(self, name: str, namespace: str) -> dict[str, Any]:
        """Return a NetworkPolicy for applications of one namespace; proxies keep their ways to istiod and DNS."""
        random_ = self._random
        own = [item.name for item in self._lot.applications if item.namespace == namespace]
        selectors: tuple[dict[str, Any], ...] = (
            *({"matchLabels": {"app": name}} for name in own),
            {"matchExpressions": [{"key": "app", "operator": "NotIn", "values": [fleet.GATE]}]},
        )
        spec: dict[str, Any] = {
            "podSelector": random_.choice(selectors),
            "policyTypes": ["Ingress"],
            "ingress": [self._network_rule("from") for _ in range(random_.choice((0, 1, 1, 2)))],
        }
        if words.chance(random_, 0.4):
            system = [
                {"namespaceSelector": {"matchLabels": {_NAME: place}}} for place in ("istio-system", "kube-system")
            ]
            spec["policyTypes"] = ["Ingress", "Egress"] if words.chance(random_, 0.5) else ["Egress"]
            spec["egress"] = [{"to": system}, self._network_rule("to")]
            if "Ingress" not in spec["policyTypes"]:
                del spec["ingress"]
        return {
            "apiVersion": "networking.k8s.io/v1",
            "kind": "NetworkPolicy",
            "metadata": {"name": name, "namespace": namespace},
            "spec": spec,
        }

    def _network_rule(self, side: str) -> dict[str, Any]:
        random_ = self._random
        first, second = self._lot.namespaces
        item = random_.choice(self._lot.everyone)
        peers: tuple[dict[str, Any], ...] = (
            {"podSelector": {"matchLabels": {"app": item.name}}},
            {"namespaceSelector": {"matchLabels": {_NAME: random_.choice((first, second, fleet.PLAIN))}}},
            {"ipBlock": {"cidr": f"{self._addresses[item.place]}/32"}},
            {"ipBlock": {"cidr": "10.61.0.0/16", "except": [f"{self._addresses[item.place]}/32"]}},
            {"namespaceSelector": {}, "podSelector": {"matchLabels": {"tier": "front"}}},
        )
        found: dict[str, Any] = {}
        if words.chance(random_, 0.85):
            found[side] = words.some(random_, peers)
        if words.chance(random_, 0.5):
            found["ports"] = [{"port": random_.choice((8080, 9000, 8081))}]
        return found
