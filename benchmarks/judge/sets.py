"""Random sets: the objects of one lot, and the requests that are sent there."""

import random
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from benchmarks.judge import fleet, gates, policies, traffic, words

Object = dict[str, Any]
_ADDRESS = re.compile(r"\d+(?:\.\d+){3}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Http:
    """The HTTP part of a request; headers in order, names may repeat."""

    method: str
    path: str
    host: str
    headers: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """One request: from an application, to a Service (``host`` its name) or the address of a pod.

    ``pod`` is namespace and name of the pod called by its address, empty when a name is called; ``host`` is the name
    called otherwise, or an address as a number. ``http`` None sends bytes that are no HTTP. ``sni`` None means no TLS
    of the application's own. The source :data:`fleet.OUTSIDE` is a client that no object tells of.
    """

    source: str
    host: str = ""
    pod: str = ""
    port: int = 0
    http: Http | None = None
    sni: str | None = None

    @property
    def address(self) -> str:
        """The address called, where it is called as a number."""
        return self.host if _ADDRESS.fullmatch(self.host) else ""


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicySet:
    """The objects of one lot, those of the root namespace apart, since all lots of a round share them.

    ``requests`` are to be sent whatever else is: those that a rare field decides.
    """

    number: int
    lot: fleet.Lot
    objects: tuple[Object, ...]
    requests: tuple[Request, ...] = field(default=())


def make(random_: random.Random, number: int, lot: fleet.Lot, addresses: Mapping[str, str]) -> PolicySet:
    """Return a set of random objects. ``addresses`` are the pods', by namespace and name."""
    known = [addresses[item.place] for item in lot.everyone]
    security = policies.Policies(random_, lot, known)
    roads = traffic.Traffic(random_, lot, addresses)
    found = [
        security.authorization(f"rule-{index}", random_.choice(lot.namespaces))
        for index in range(random_.randint(1, 4))
    ]
    makers = (
        (0.5, "peer", security.peer),
        (0.25, "peer-too", security.peer),
        (0.08, "tokens", security.tokens),
        (0.3, "scope", roads.sidecar),
        (0.3, "routes", roads.routes),
        (0.25, "client", roads.rule),
        (0.12, "more", roads.service),
        (0.15, "headless", roads.headless),
        (0.12, "network", roads.network),
    )
    for share, name, maker in makers:
        if words.chance(random_, share):
            made = maker(name, random_.choice(lot.namespaces))
            if not _ambiguous(made, found):
                found.append(made)
    if words.chance(random_, 0.25):
        found.append(roads.entry("entry", random_.choice(lot.namespaces), number % 200 + 10))
    if words.chance(random_, 0.25):
        found += gates.Gates(random_, lot, security).make()
    if words.chance(random_, 0.12):
        # Not the shared applications: several lots' routes for one host are a matter of their age.
        host, port = random_.choice((*_entered(found), (random_.choice(lot.applications).hostname, 80)))
        found += gates.Gates(random_, lot, security).egress("out", host, port)
    rewriting = [
        route for item in found if item["kind"] == "VirtualService" for route in item["spec"].get("http", ())
    ]
    about = [security.about_rewriting(f"rewritten-{index}", route) for index, route in enumerate(rewriting)]
    found += [item for item in about if item is not None]
    return PolicySet(number=number, lot=lot, objects=tuple(found))


def _entered(found: list[Object]) -> list[tuple[str, int]]:
    """Return host and port of the ServiceEntries among objects."""
    entries = [item["spec"] for item in found if item["kind"] == "ServiceEntry"]
    return [(spec["hosts"][0], spec["ports"][0]["number"]) for spec in entries]


def _ambiguous(item: Object, others: list[Object]) -> bool:
    """Return whether the age of two policies would decide, which manifests do not say."""
    if item["kind"] != "PeerAuthentication":
        return False
    return any(
        other["kind"] == item["kind"]
        and other["metadata"]["namespace"] == item["metadata"]["namespace"]
        and ("selector" in other["spec"]) == ("selector" in item["spec"])
        for other in others
    )


def requests(random_: random.Random, policy_set: PolicySet, count: int) -> list[Request]:
    """Return random requests of a set."""
    return [_request(random_, policy_set) for _ in range(count)]


def _request(random_: random.Random, policy_set: PolicySet) -> Request:
    lot = policy_set.lot
    opened = gates.servers(policy_set.objects)
    if opened and words.chance(random_, 0.4):
        return _to_gate(random_, lot, random_.choice(opened))
    source = random_.choice((*lot.applications, *lot.applications, *lot.applications, fleet.BARE[0], fleet.BARE[0]))
    target = random_.choice(
        [item for item in (*lot.applications, *lot.applications, fleet.BARE[1]) if item != source]
    )
    others = [item for item in policy_set.objects if item["kind"] in {"ServiceEntry", "Service"}]
    other = random_.choice(others) if others and words.chance(random_, 0.2) else None
    # The addresses of ServiceEntries exist for proxies only.
    if other is not None and (source.sidecar or other["kind"] == "Service"):
        return _to_other(random_, source, other)
    if words.chance(random_, 0.15):
        return _to_pod(random_, source, target)
    port = random_.choices((80, 81, 9000, 7000, 443), (10, 3, 4, 1, 0.5))[0]
    if port == fleet.TLS_PORT:
        return Request(source=source.place, host=target.hostname, port=port, sni=target.hostname)
    http = port in {80, 81} or words.chance(random_, 0.1)
    if port in {80, 81} and words.chance(random_, 0.03):
        http = False
    return Request(
        source=source.place,
        host=target.hostname,
        port=port,
        http=_http(random_, words.header_hosts(random_, target, port)) if http else None,
    )


def _http(random_: random.Random, host: str) -> Http:
    path = random_.choice(words.PLAIN_PATHS if words.chance(random_, 0.7) else words.PATHS)
    headers: tuple[tuple[str, str], ...] = ()
    if words.chance(random_, 0.35):
        headers = ((words.HEADER, random_.choice(words.HEADER_VALUES)),)
    if words.chance(random_, 0.03):
        headers = ((words.HEADER, "user"), (words.HEADER, "admin"))
    return Http(method=random_.choice(words.METHODS), path=path, host=host, headers=headers)


def _to_pod(random_: random.Random, source: fleet.Application, target: fleet.Application) -> Request:
    port = random_.choice((fleet.HTTP, fleet.TCP, fleet.HTTP, fleet.UNDECLARED))
    http = None
    if port != fleet.TCP or words.chance(random_, 0.2):
        http = _http(random_, random_.choice((target.hostname, "10.0.0.1:8080", "secret.example.com")))
    return Request(source=source.place, pod=target.place, port=port, http=http)


def _to_gate(random_: random.Random, lot: fleet.Lot, server: Mapping[str, Any]) -> Request:
    """Return a request to a server of the lot's gateway: most times from outside, and as the server wants it."""
    inside = random_.choice((*lot.applications, fleet.BARE[0])).place
    source = fleet.OUTSIDE if words.chance(random_, 0.6) else inside
    number, name, mode = server["port"]["number"], gates.names(random_, server), server.get("tls", {}).get("mode")
    target = next(target for port, _, target in fleet.GATE_PORTS if port == number)
    is_bytes, carried = server["port"]["protocol"] == "TCP", None
    # No application of the fleet takes TLS at the ports that bytes are led to.
    encrypted = mode is not None if is_bytes or words.chance(random_, 0.95) else mode is None
    read = mode != "PASSTHROUGH" and not is_bytes
    if read or words.chance(random_, 0.2):
        odd = random_.choice((name.upper(), f"{name}:{number}", "nobody.example.net"))
        carried = _http(random_, name if words.chance(random_, 0.85) else odd)
    if not encrypted and number in {80, 81} and words.chance(random_, 0.03):
        carried = None
    sni = name if encrypted else None
    if source == fleet.OUTSIDE or words.chance(random_, 0.3):
        return Request(source=source, pod=lot.gate.place, port=target, http=carried, sni=sni)
    return Request(source=source, host=lot.gate.hostname, port=number, http=carried, sni=sni)


def _to_other(random_: random.Random, source: fleet.Application, item: Object) -> Request:
    metadata, spec = item["metadata"], item["spec"]
    if item["kind"] == "Service":
        host = f"{metadata['name']}.{metadata['namespace']}.{fleet.DOMAIN}"
    else:
        host = spec["hosts"][0]
    if spec.get("clusterIP") == fleet.HEADLESS:
        return _to_headless(random_, source, host, item)
    called = spec["addresses"][0] if "addresses" in spec and words.chance(random_, 0.2) else host
    http = _http(random_, called) if words.chance(random_, 0.85) else None
    return Request(source=source.place, host=host, port=80, http=http)


def _to_headless(random_: random.Random, source: fleet.Application, host: str, item: Object) -> Request:
    """Return a request to the name of a headless Service, or to its pod's own address."""
    port = random_.choice(item["spec"]["ports"])
    http = None
    if words.chance(random_, 0.85 if port["name"].startswith("http") else 0.2):
        http = _http(random_, random_.choice((host, f"{host}:{port['port']}", f"one.{host}")))
    if words.chance(random_, 0.3):
        pod = f"{item['metadata']['namespace']}/{item['spec']['selector']['app']}"
        return Request(source=source.place, pod=pod, port=port["port"], http=http)
    return Request(source=source.place, host=host, port=port["port"], http=http)
