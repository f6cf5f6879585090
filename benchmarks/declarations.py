"""Generated declarations as text: valid ones that use every key, and regular ones of a given size."""

import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import yaml

from slipway.mesh import azure, environment_keys, model, requests, traffic, traffic_keys

KEYS = '{"keys": [{"kty": "OKP", "crv": "Ed25519", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}]}'
HTTP = tuple(item.value for item in model.Protocol if item.is_http)
PATHS = ("*", "/", "/a", "/a/*", "/a/b-c/*", "/v1/{*}/items", "/files/{**}", "/o/{*}/x/{**}")
GRPC_METHODS = ("shop.v1.Cart/Get", "shop.v1.Cart/*", "Health/Check")
NAMESPACES = ("back-office", "data", "shop")
LONG = "-".join(["long"] * 12)
LAST_DAY = "2999-12-31"
_PER_NAMESPACE = 10
_LOCALITY = "westeurope/westeurope-1"
_EXISTING = {"resolver": "10.20.0.10", "metadata": "169.254.169.254", "vault": "10.20.3.4"}
_PLAN = {
    "pods": "10.21.0.0/16",
    "services": "10.22.0.0/16",
    "nodes": "10.20.1.0/24",
    "machines": "10.60.2.0/24",
    "controlPlane": "10.20.1.101",
    "ingress": "10.20.1.100",
}
_AZURE_PLAN = {
    **{key: _PLAN[key] for key in ("pods", "services", "nodes", "machines")},
    "infrastructure": "10.20.3.0/24",
}
_AZURE_ADDRESSES = {"vault": "10.20.3.36", "controlPlane": "10.20.3.10", "ingress": "10.20.3.11"}
_ZONES = ("1", "2", "3")
_GROUP = "6e5b1f1c-3d0f-4b7e-9a55-0d7f6a9c1e42"
_PUBLIC_KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIIHkXMB9cVqzmZ5zn3ZkqL2o1d0mF3c1qQ0Q9bqXk0aB admin@example.com"


@dataclass(frozen=True, slots=True, kw_only=True)
class Declaration:
    """The two files of one declaration, as text."""

    mesh: str
    environment: str


def generated(seed: int) -> Declaration:
    """Return the valid declaration of a seed: a handful of services, and of every other key about a third."""
    return _Maker(random.Random(seed)).declaration()  # noqa: S311 - a seed is given so that it can be repeated


def sized(services: int) -> Declaration:
    """Return a declaration of a given size: 3 to 5 callers each, up to 100 outside hosts, up to 10 on machines.

    Ten services to a namespace; half of the calls state requests; every fifth service calls an outside host.
    """
    hosts, machines = min(100, services), min(10, services)
    entries = {f"s{number}": _entry(number, services, hosts=hosts, machines=machines) for number in range(services)}
    mesh = {
        "mesh": "shop",
        "services": entries,
        "external": {f"out{number}": {"host": f"out{number}.example.com"} for number in range(hosts)},
        "ingress": {"shop": {"host": "shop.example.com", "routes": {"/": "s0"}}},
        "tracing": {"zipkin": {}},
    }
    environment = {
        "platform": "lab",
        "revision": "1-29-1",
        "machines": {f"vm{number}": {"address": f"10.60.2.{number + 11}"} for number in range(machines)},
        "phase": {"mtls": "strict", "egress": "locked", "authorization": "enforced"},
    }
    return Declaration(mesh=to_yaml(mesh), environment=to_yaml(environment))


def _entry(number: int, services: int, *, hosts: int, machines: int) -> dict[str, Any]:
    """Return a service that calls those a few numbers further on, so that each has as many callers as calls."""
    steps = (1, 7, 13, 29, 43)[: 3 + number % 3]
    calls: list[dict[str, Any]] = []
    for place, step in enumerate(steps):
        call: dict[str, Any] = {"service": f"s{(number + step) % services}"}
        if place % 2:
            call["http"] = [f"GET /api/v{number % 4}/*", "POST /api/items"]
        calls.append(call)
    if number % 5 == 0 or number < hosts:
        calls.append({"external": f"out{number % hosts}"})
    return {
        "namespace": f"ns{number // _PER_NAMESPACE}",
        "ports": {"http": 8080},
        "calls": calls,
        **({"runsOn": [f"vm{number}"], "names": [f"s{number}.corp.example"]} if number < machines else {}),
    }


class _Maker:
    """Makes one declaration; every choice comes from ``random`` in a fixed order."""

    def __init__(self, source: random.Random) -> None:
        self._random = source
        self._names = [self._name(f"s{index}") for index in range(source.randint(2, 8))]
        self._machines: dict[str, dict[str, Any]] = {}
        self._weights: dict[str, dict[str, int]] = {}
        self._runs_on: dict[str, list[str]] = {}
        self._hosts: dict[str, str] = {}
        self._external = self._externals()
        self._ports = {name: self._ports_of() for name in self._names}
        self._where = {name: self._places(name) for name in self._names}

    def declaration(self) -> Declaration:
        shared = self._maybe(0.5)
        services = {name: self._service(name, shared=shared) for name in self._names}
        services |= {f"plain-{index}": self._plain_caller(index) for index in range(self._random.randint(0, 2))}
        mesh: dict[str, Any] = {"mesh": "shop", "services": services}
        if shared:
            mesh |= {"owner": "platform", "namespace": "shop"}
        if self._external:
            mesh["external"] = self._external
        if ingress := self._ingress():
            mesh["ingress"] = ingress
        if self._maybe(0.6):
            mesh["tracing"] = {"zipkin": self._zipkin()}
        return Declaration(mesh=to_yaml(mesh), environment=to_yaml(self._environment(services)))

    def _maybe(self, share: float) -> bool:
        return self._random.random() < share

    def _some(self, items: Sequence[Any], *, least: int = 0, most: int = 3) -> list[Any]:
        most = min(most, len(items))
        return self._random.sample(list(items), self._random.randint(min(least, most), most))

    def _part(self, makers: Mapping[str, Callable[[], Any]], *, share: float = 0.35) -> dict[str, Any]:
        """Return a map with some of the keys."""
        return {key: make() for key, make in makers.items() if self._maybe(share)}

    def _name(self, short: str) -> str:
        return f"{short}-{LONG}"[:63].strip("-") if self._maybe(0.08) else short

    def _ports_of(self) -> dict[str, tuple[str, Any]]:
        """Return protocol and entry of each port by its name."""
        found: dict[str, tuple[str, Any]] = {}
        protocols = [item.value for item in model.Protocol]
        for index, protocol in enumerate(self._some(protocols, most=3)):
            number = 8080 + index
            if self._maybe(0.6):
                found[protocol] = (protocol, number)
                continue
            named = self._maybe(0.5)
            entry: dict[str, Any] = {"port": number, **({"protocol": protocol} if named else {})}
            if self._maybe(0.5):
                entry["service"] = 80 + index
            found[f"p{index}" if named else protocol] = (protocol, entry)
        return found

    def _places(self, name: str) -> list[str]:
        count = self._random.choice([0, 0, 0, 1, 2])
        machines = [self._name(f"{name[:40].strip('-')}-vm{index}") for index in range(count)]
        for machine in machines:
            self._machines[machine] = self._machine(name)
        return [*machines, "cluster"] if not machines or self._maybe(0.4) else machines

    def _machine(self, service: str) -> dict[str, Any]:
        found: dict[str, Any] = {"address": f"10.60.2.{len(self._machines) + 11}", "locality": _LOCALITY}
        if self._maybe(0.3):
            found["cloudConfig"] = "machines/app.yaml"
        if any(protocol == "postgres" for protocol, _ in self._ports[service].values()):
            found["database"] = {"name": "app", "users": ["app", "report"][: self._random.randint(0, 2)]}
        return found

    def _service(self, name: str, *, shared: bool) -> dict[str, Any]:
        found: dict[str, Any] = {}
        if not shared or self._maybe(0.5):
            found["namespace"] = self._random.choice(NAMESPACES)
        if self._maybe(0.3):
            found["owner"] = self._random.choice(["orders", "billing"])
        if self._ports[name]:
            found["ports"] = {key: entry for key, (_, entry) in self._ports[name].items()}
        if calls := self._calls(name):
            found["calls"] = calls
        self._place(name, found)
        if self._maybe(0.3):
            found["names"] = [f"{name}.corp.example", f"{name}.old.corp.example"][: self._random.randint(1, 2)]
        if self._maybe(0.1):
            return found | {"traffic": "external"}
        found |= self._traffic(name)
        if len(places := self._split(name, found)) > 1 and self._maybe(0.5):
            self._weights[name] = self._percentages(places)
        return found

    def _place(self, name: str, found: dict[str, Any]) -> None:
        """State where a service runs, here or in the environment, and what there is to say about its pods."""
        places = self._where[name]
        if places != ["cluster"]:
            if self._maybe(0.3):
                self._runs_on[name] = places
            else:
                found["runsOn"] = places
        if "cluster" in places:
            if self._maybe(0.3):
                found["workload"] = self._workload(name)
            if self._maybe(0.3):
                found["versions"] = ["v1", "2.0"][: self._random.randint(1, 2)]

    def _workload(self, name: str) -> dict[str, Any]:
        labels = {"app": name, "example.com/tier": "back"}
        makers = {
            "labels": lambda: labels,
            "serviceAccount": lambda: f"{name}.pods",
            "service": lambda: f"{name[:58]}-api",
        }
        return self._part(makers, share=0.6) or {"labels": labels}

    def _split(self, name: str, found: Mapping[str, Any]) -> list[str]:
        places = self._where[name]
        if "versions" not in found:
            return places
        return [item for item in places if item != "cluster"] + found["versions"]

    def _percentages(self, places: Sequence[str]) -> dict[str, int]:
        cuts = sorted(self._random.randint(0, 100) for _ in places[1:])
        return {place: high - low for place, low, high in zip(places, [0, *cuts], [*cuts, 100], strict=True)}

    def _traffic(self, name: str) -> dict[str, Any]:
        is_http = any(protocol in HTTP for protocol, _ in self._ports[name].values())
        found = self._part({"outlierDetection": self._outliers, "connections": lambda: self._connections(is_http)})
        if is_http:
            found |= self._part({"timeout": lambda: "5s", "retries": self._retries})
        if self._maybe(0.4):
            found["balance"] = self._balance(is_http, "outlierDetection" in found)
        return found

    def _balance(self, is_http: bool, outliers: bool) -> Any:
        by = self._random.choice([item for item in traffic.Balancing if is_http or not item.is_named])
        if not by.is_hash and self._maybe(0.5):
            return by.value
        found: dict[str, Any] = {"by": by.value}
        if by.is_named:
            found["name"] = "x-user" if by is traffic.Balancing.HEADER else "user"
        if by is traffic.Balancing.COOKIE:
            found |= self._part({"cookieTtl": lambda: "1h"}, share=0.5)
        if by in {traffic.Balancing.LEAST_REQUEST, traffic.Balancing.ROUND_ROBIN}:
            found |= self._part({"warmUp": lambda: "1m"}, share=0.5)
        if outliers and not by.is_hash:
            found["locality"] = self._maybe(0.8)
        return found

    def _retries(self) -> dict[str, Any]:
        if self._maybe(0.2):
            return {"attempts": 0}
        conditions = self._some(traffic_keys.RETRY_CONDITIONS, least=1)
        more = self._part({"perTryTimeout": lambda: "500ms", "retryOn": lambda: conditions}, share=0.5)
        return {"attempts": self._random.randint(1, 10), **more}

    def _outliers(self) -> dict[str, Any]:
        return self._part({
            "consecutive5xxErrors": lambda: self._random.choice([0, 5]),
            "consecutiveGatewayErrors": lambda: 3,
            "interval": lambda: "5s",
            "baseEjectionTime": lambda: "1m",
            "maxEjectionPercent": lambda: self._random.choice([0, 50, 100]),
            "minHealthPercent": lambda: self._random.choice([0, 20, 100]),
        })  # fmt: skip

    def _connections(self, is_http: bool) -> dict[str, Any]:
        found = self._part({
            "maxConnections": lambda: 100,
            "connectTimeout": lambda: "500ms",
            "idleTimeout": lambda: "15m",
        })  # fmt: skip
        if is_http:
            keys = ("maxPendingRequests", "maxRequests", "maxRequestsPerConnection")
            found |= self._part({key: lambda: 50 for key in keys})
        return found

    def _calls(self, caller: str) -> list[dict[str, Any]]:
        callees = [name for name in self._names if name != caller and self._ports[name]]
        calls = [self._call(name) for name in self._some(callees)]
        return calls + [{"external": name} for name in self._some(list(self._external))]

    def _call(self, callee: str, *, mysql: bool = True) -> dict[str, Any]:
        ports = [(key, item) for key, (item, _) in self._ports[callee].items() if mysql or item != "mysql"]
        key, protocol = self._random.choice(ports)
        found: dict[str, Any] = {"service": callee, "port": key}
        if protocol in HTTP:
            methods = ("*", *requests.METHODS)
            pairs = [f"{method} {path}" for method in methods for path in PATHS]
            found |= self._part({"http": lambda: self._some(pairs, least=1), "headers": self._headers})
            if protocol != "http":
                found |= self._part({"grpc": lambda: self._some(GRPC_METHODS, least=1)})
        return found

    def _headers(self) -> dict[str, list[str]]:
        return {
            name: self._some(["gold", "silver plate", "7"], least=1)
            for name in self._some(["x-tenant", "X-Role"], least=1)
        }

    def _plain_caller(self, index: int) -> dict[str, Any]:
        found: dict[str, Any] = {"sidecar": "none", "from": f"10.99.{index}.0/24", "until": LAST_DAY}
        found |= self._part({"owner": lambda: "monolith", "namespace": lambda: "shop"})
        callees = [name for name in self._names if any(item != "mysql" for item, _ in self._ports[name].values())]
        return found | {"calls": [self._call(name, mysql=False) for name in self._some(callees)]}

    def _externals(self) -> dict[str, dict[str, Any]]:
        makers = (self._tls_host, self._http_host, self._tcp_host, self._wildcard)
        return {
            self._name(f"out{index}"): self._random.choice(makers)(index)
            for index in range(self._random.randint(0, 5))
        }

    def _tls_host(self, index: int) -> dict[str, Any]:
        host = f"{LONG}.{LONG}.{LONG}.tls{index}.example.net" if self._maybe(0.1) else f"tls{index}.example.net"
        return {
            "host": host,
            **self._part({"protocol": lambda: "tls", "port": lambda: self._random.choice([443, 8443])}),
        }

    def _http_host(self, index: int) -> dict[str, Any]:
        found = {"host": f"http{index}.example.net", "protocol": "http", **self._part({"port": lambda: 8080})}
        secret = self._random.choice([{}, {"certificate": "client"}, {"authority": "authority"}])
        long = {**self._part({"port": lambda: 8443}), **secret}
        return found | self._part({"originateTls": lambda: self._random.choice([True, False, long])}, share=0.6)

    def _tcp_host(self, index: int) -> dict[str, Any]:
        addresses = [f"203.0.113.{index * 8 + step}" for step in range(self._random.randint(1, 3))]
        return {
            "host": f"tcp{index}.example.net",
            "protocol": "tcp",
            "port": 9000 + index % 2,
            "addresses": addresses,
        }

    def _wildcard(self, index: int) -> dict[str, Any]:
        return {"host": f"*.wild{index}.example.net", "servedBy": f"wild{index}.example.net"}

    def _ingress(self) -> dict[str, dict[str, Any]]:
        found: dict[str, dict[str, Any]] = {}
        for index in range(self._random.randint(0, 4)):
            tls = self._random.choice(list(model.IngressTls))
            passed = tls is model.IngressTls.PASSTHROUGH
            wanted = ("tls", "tcp") if passed else HTTP
            targets = [
                (name, key)
                for name, ports in self._ports.items()
                for key, (item, _) in ports.items()
                if item in wanted
            ]
            if targets:
                name = self._name(f"in{index}")
                found[name] = self._ingress_host(index, tls, targets)
                self._host_by_environment(name, found[name])
        return found

    def _all_ports(self) -> list[tuple[str, str, str]]:
        return [(name, key, item) for name, ports in self._ports.items() for key, (item, _) in ports.items()]

    def _ingress_host(self, index: int, tls: model.IngressTls, targets: Sequence[tuple[str, str]]) -> dict[str, Any]:
        passed = tls is model.IngressTls.PASSTHROUGH
        prefixes = ["/"] if passed else self._some(["/", "/api", "/api/v1", "/x"], least=1)
        found: dict[str, Any] = {
            "host": f"in{index}.example.com",
            "routes": {item: self._route(targets) for item in prefixes},
        }
        if tls is not model.IngressTls.TERMINATE or self._maybe(0.3):
            found["tls"] = tls.value
        if tls in {model.IngressTls.MUTUAL, model.IngressTls.OPTIONAL_MUTUAL}:
            found["clientAuthority"] = "authority"
        found |= self._part({"redirectHttp": lambda: self._maybe(0.5)})
        if not passed:
            certificate = f"certificate-{index}"
            found |= self._part({"certificate": lambda: certificate, "hstsSeconds": lambda: 600})
            found |= self._part({"endUser": lambda: self._end_user(index)})
        return found

    def _route(self, targets: Sequence[tuple[str, str]]) -> Any:
        service, port = self._random.choice(targets)
        return {"service": service, "port": port} if len(self._ports[service]) > 1 or self._maybe(0.5) else service

    def _end_user(self, index: int) -> dict[str, Any]:
        keys = {"jwks": KEYS} if self._maybe(0.5) else {"jwksUri": f"https://login{index}.example.com/keys"}
        return {
            "issuer": f"https://login{index}.example.com",
            **keys,
            **self._part({"audiences": lambda: ["shop", "back"]}),
        }

    def _host_by_environment(self, name: str, entry: dict[str, Any]) -> None:
        if self._maybe(0.3) and name not in self._external:
            self._hosts[name] = f"here-{entry.pop('host')}"

    def _zipkin(self) -> dict[str, Any]:
        return self._part({
            "samplePercent": lambda: self._random.choice([0, 0.5, 100]),
            "service": lambda: "jaeger",
            "namespace": lambda: "tracing",
            "port": lambda: 9412,
        })  # fmt: skip

    def _environment(self, services: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
        platform = self._random.choice(list(model.PlatformKind))
        network = self._network(platform)
        namespaces = {entry.get("namespace", "shop") for entry in services.values() if "sidecar" not in entry}
        places = sorted({*self._names, *namespaces})
        found: dict[str, Any] = {"platform": platform.value, "revision": "1-29-1", "phase": self._phase(places)}
        parts = (
            ("machines", self._machines),
            ("hosts", self._hosts),
            ("runsOn", self._runs_on),
            ("weights", self._weights),
            ("network", network),
        )
        found |= {key: value for key, value in parts if value}
        if platform is model.PlatformKind.AZURE:
            found["azure"] = self._azure(locked=found["phase"]["egress"] == model.EgressMode.LOCKED.value)
        if platform is model.PlatformKind.EXISTING:
            found |= self._part({"sidecar": lambda: _package("https://packages.example.com")})
        if platform is not model.PlatformKind.LAB:
            for machine in self._machines.values():
                machine.update(self._part({"ssh": self._ssh}))
        return found | self._part({"trustDomain": lambda: "shop.example.org"})

    def _network(self, platform: model.PlatformKind) -> dict[str, str]:
        match platform:
            case model.PlatformKind.LAB:
                return self._part({"podNetwork": self._pod_network})
            case model.PlatformKind.EXISTING:
                stated = self._part({"podNetwork": self._pod_network})
                egress = {"egress": "10.20.1.102"} if stated.get("podNetwork") == environment_keys.OVERLAY else {}
                return _PLAN | _EXISTING | stated | egress
            case model.PlatformKind.AZURE:
                return _AZURE_PLAN | self._part(
                    {key: lambda key=key: _AZURE_ADDRESSES[key] for key in _AZURE_ADDRESSES}
                )

    def _pod_network(self) -> str:
        return self._random.choice([environment_keys.ROUTED, environment_keys.OVERLAY])

    def _ssh(self) -> str | dict[str, Any]:
        bastion = "10.0.0.0/26"
        return bastion if self._maybe(0.5) else {"from": bastion, **self._part({"port": lambda: 2222})}

    def _azure(self, *, locked: bool) -> dict[str, Any]:
        """Return the settings of Azure, and give machines those that mean something there only."""
        found: dict[str, Any] = {"region": "swedencentral", "kubernetes": "1.34", "admins": [_GROUP]}
        found |= self._part(
            {
                "istio": lambda: "1.29.1",
                "api": lambda: ["203.0.113.16/28"],
                "zones": lambda: sorted(self._some(_ZONES, least=1)),
                "pools": lambda: self._part(
                    dict.fromkeys(("system", "workloads", "gateways"), self._pool), share=0.7
                ),
                "maintenance": lambda: self._part(
                    {"day": lambda: self._random.choice(list(azure.Day)).value, "hour": lambda: 22}
                ),
                "vault": lambda: "kv-shop-generated",
                "peers": lambda: ["10.0.0.0/16"],
                "options": lambda: [item.value for item in self._some(list(azure.Option))],
                "keepData": lambda: self._maybe(0.5),
                "archive": lambda: "walshopexample",
                "charts": lambda: self._random.choice(["oci://registry.example.com/istio", "vendor/charts"]),
                "hub": lambda: "registry.example.com/istio",
                "relayImage": lambda: "registry.example.com/python:3.12",
                "stacks": lambda: self._random.choice(list(azure.Stacks)).value,
                "prices": lambda: "prices/swedencentral.yaml",
            }
        )
        if self._maybe(0.5):
            found["pods"] = self._random.choice(list(azure.PodNetwork)).value
        if self._machines:
            found["machines"] = self._machine_image(locked=locked)
        for machine in self._machines.values():
            settings = self._part(
                {
                    "size": lambda: "Standard_D4s_v5",
                    "zone": lambda: self._random.choice(found.get("zones", _ZONES)),
                    "diskGib": lambda: self._random.choice([4, 64, 32767]),
                }
            )
            machine.update(settings)
        return found

    def _pool(self) -> dict[str, Any]:
        return self._part({"size": lambda: "Standard_D8ds_v5", "minimum": lambda: 2, "maximum": lambda: 8})

    def _machine_image(self, *, locked: bool) -> dict[str, Any]:
        """Return what machines are made from; a locked one cannot fetch the sidecar's package."""
        place = "file:///opt/packages" if locked or self._maybe(0.5) else "https://packages.example.com"
        return {
            "image": "Canonical:ubuntu-24_04-lts:server:24.04.202609040",
            "sidecar": _package(place),
            "adminKey": _PUBLIC_KEY,
        }

    def _phase(self, places: Sequence[str]) -> dict[str, Any]:
        return {
            "mtls": self._position(model.MtlsMode, places),
            "egress": self._random.choice(list(model.EgressMode)).value,
            "authorization": self._position(model.AuthorizationMode, places),
        }

    def _position(self, mode: Any, places: Sequence[str]) -> Any:
        positions = [item.value for item in mode]
        default = self._random.choice(positions)
        if self._maybe(0.5):
            return default
        found: dict[str, Any] = {"default": default}
        for name in self._some(places):
            exception = {"name": name, "owner": "billing", "until": LAST_DAY} if self._maybe(0.4) else name
            found.setdefault(self._random.choice(positions), []).append(exception)
        return found


def to_yaml(value: Any) -> str:
    """Return a plain value as YAML, in its own order."""
    return yaml.safe_dump(value, sort_keys=False, allow_unicode=True)


def _package(place: str) -> dict[str, str]:
    return {"url": f"{place}/istio-sidecar_1.29.1_amd64.deb", "sha256": "9f" * 32}
