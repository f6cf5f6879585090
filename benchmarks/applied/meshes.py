"""Small generated declarations that a lab can carry: its two machines, a few services, its part of the internet."""

import random
from collections.abc import Mapping
from typing import Any

from benchmarks import declarations
from benchmarks.judge import words
from slipway.lab import instance as instances
from slipway.mesh import model
from slipway.rollout import samples

NAMESPACES = ("applied-a", "applied-b")
AUTHORITY = "applied-authority"  # the Secret with the authority of the lab's internet
TLS_HOST, TCP_HOST = instances.INTERNET_NAMES
ON_MACHINES = ("billing", "orders-db")
# By protocol and by a name of its own, as the short and the long form.
_PORTS: Mapping[str, Any] = {
    "http": 8080,
    "admin": {"protocol": "http", "port": 8081, "service": 81},
    "tcp": 9000,
    "redis": {"port": 6379, "service": 6380},
}
_HTTP_PORTS = frozenset({"http", "admin"})
_REQUESTS = (
    "GET /a",
    "GET /a/*",
    "POST /orders",
    "* /files/*",
    "GET /v1/{*}/items",
    "DELETE /o/{**}",
    "PUT /x/{*}/y/{**}",
    "PATCH /only",
)
_OF_BILLING = "GET /healthz"
_TCP_PORT = 9090  # where the lab's internet answers without TLS


def generated(seed: int) -> declarations.Declaration:
    """Return the declaration of a seed; the same one always.

    The applications on the machines are the example's, so their names, ports and namespaces stay what they are.
    """
    return _Maker(random.Random(f"applied/{seed}")).declaration()  # noqa: S311 - repeatable on purpose


def known(mesh: model.Mesh) -> samples.Samples:
    """Return the requests that the applications answer, and what tells their answers apart."""
    http: dict[tuple[str, str], samples.Http] = {}
    for service in mesh.services:
        for _, call in mesh.callers(service.name):
            if service.workload is not None:
                answer = f'"place": "{service.namespace}/{service.name}"'
                http |= {(service.name, declared): samples.Http(answer=answer) for declared in _declared(call)}
            elif service.port(call.port).protocol.is_http:
                http |= {(service.name, item): samples.Http(path="/healthz", answer="ok") for item in _declared(call)}
    return samples.Samples(http=http)


def _declared(call: model.ServiceCall) -> list[str]:
    return [f"{item.method} {item.path}" for item in call.http] or ["* *"]


class _Maker:
    """Makes one declaration; every choice comes from ``random_`` in a fixed order."""

    def __init__(self, random_: random.Random) -> None:
        self._random = random_
        in_cluster = [f"s{number}" for number in range(random_.randint(2, 4))]
        self._ports = {name: words.some(random_, tuple(_PORTS), 2) for name in in_cluster}
        self._ports |= {"billing": ["http"], "orders-db": ["postgres"]}
        self._external = self._externals()

    def declaration(self) -> declarations.Declaration:
        mesh: dict[str, Any] = {
            "mesh": "shop",
            "services": {name: self._service(name) for name in self._ports},
            "tracing": {"zipkin": {"samplePercent": 100}},
        }
        if self._external:
            mesh["external"] = self._external
        folder = "../examples/shop/machines"
        environment = {
            "platform": "lab",
            "machines": {
                "billing-vm": {"address": "10.60.2.11", "cloudConfig": f"{folder}/billing-vm.yaml"},
                "db-vm": {
                    "address": "10.60.2.12",
                    "cloudConfig": f"{folder}/db-vm.yaml",
                    "database": {"name": "shop", "users": ["orders", "billing"]},
                },
            },
            "phase": self._phase(),
            "revision": "1-29-1",
        }
        return declarations.Declaration(
            mesh=declarations.to_yaml(mesh), environment=declarations.to_yaml(environment)
        )

    def _service(self, name: str) -> dict[str, Any]:
        if name == "billing":
            where: dict[str, Any] = {"namespace": "back-office", "runsOn": ["billing-vm"], "ports": {"http": 9090}}
        elif name == "orders-db":
            where = {"namespace": "data", "runsOn": ["db-vm"], "ports": {"postgres": 5432}}
        else:
            ports = {key: _PORTS[key] for key in self._ports[name]}
            where = {"namespace": self._random.choice(NAMESPACES), "ports": ports}
        if words.chance(self._random, 0.3):
            where["names"] = [f"{name}.corp.local"]
        calls = self._calls(name)
        return where | ({"calls": calls} if calls else {})

    def _calls(self, caller: str) -> list[dict[str, Any]]:
        found = [
            self._call(callee, port)
            for callee, ports in self._ports.items()
            for port in ports
            if callee != caller and words.chance(self._random, 0.4)
        ]
        return found + [{"external": name} for name in self._external if words.chance(self._random, 0.4)]

    def _call(self, callee: str, port: str) -> dict[str, Any]:
        call: dict[str, Any] = {"service": callee, "port": port}
        if callee == "billing":
            return call | ({"http": [_OF_BILLING]} if words.chance(self._random, 0.6) else {})
        if port in _HTTP_PORTS:
            if words.chance(self._random, 0.7):
                call["http"] = words.some(self._random, _REQUESTS, 3)
            if words.chance(self._random, 0.2):
                call["headers"] = {"x-tenant": ["gold", "silver"]}
        return call

    def _externals(self) -> dict[str, dict[str, Any]]:
        """Return some of the outside hosts: by TLS and SNI, by HTTP with TLS from the gateway, by plain TCP."""
        found: dict[str, dict[str, Any]] = {}
        match self._random.choice(("tls", "http", "none", "tls")):
            case "tls":
                found["pay"] = {"host": TLS_HOST}
            case "http":
                found["pay"] = {"host": TLS_HOST, "protocol": "http", "originateTls": {"authority": AUTHORITY}}
            case _:
                pass
        if words.chance(self._random, 0.4):
            address = instances.INTERNET_NAMES[TCP_HOST]
            found["raw"] = {"host": TCP_HOST, "protocol": "tcp", "port": _TCP_PORT, "addresses": [address]}
        return found

    def _phase(self) -> dict[str, Any]:
        """Return phases: strict, locked and enforced, with an exception now and then."""
        found: dict[str, Any] = {"mtls": "strict", "egress": "locked", "authorization": "enforced"}
        if words.chance(self._random, 0.2):
            found["mtls"] = {"default": "strict", "permissive": [self._random.choice(list(self._ports))]}
        if words.chance(self._random, 0.2):
            found["authorization"] = {"default": "enforced", "observed": [self._random.choice(list(self._ports))]}
        return found
