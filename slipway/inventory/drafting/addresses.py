"""The address plan of a cluster that is there, as far as its objects show it."""

import ipaddress
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from slipway.inventory import facts

_METADATA = "169.254.169.254"  # Source: Azure documentation, virtual-machines/instance-metadata-service
# Source: RFC 5737: addresses of documentation, which nobody has.
_NOBODY = ("192.0.2.0/24", "198.51.100.0/24", "203.0.113.0/24")
_UNKNOWN = "not known: state it"
_ALWAYS = frozenset({"nodes", "pods", "services"})
_WIDEST = 12
_RESOLVERS = (("kube-system", "kube-dns"), ("kube-system", "coredns"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One line of the plan and where its value comes from."""

    key: str
    value: str
    why: str


def plan(found: facts.Facts) -> tuple[Line, ...]:
    """Return the keys of ``network``: the three that are always needed, the others where the cluster shows them.

    Networks never overlap.
    """
    pods = [ip for item in found.workloads if not item.host_network for ip in item.addresses]
    services = [ip for item in found.services for ip in item.addresses]
    taken: list[ipaddress.IPv4Network] = []
    lines = [
        _network("nodes", found.nodes, "holds the nodes' addresses that are there", 24, taken),
        _network("pods", pods, "holds the pods' addresses that are there", 16, taken),
        _network("services", services, "holds the Services' addresses that are there", 16, taken),
        _network(
            "machines", [item.address for item in found.entries], "holds the WorkloadEntries' addresses", 24, taken
        ),
    ]
    known = found.services_by_name
    resolver = next((ip for key in _RESOLVERS if key in known for ip in _v4(known[key].addresses)), "")
    control = _entrance(known, "istio-system", "istio-eastwestgateway")
    ingress = _entrance(known, "istio-ingress", "istio-ingressgateway") or _entrance(
        known, "istio-system", "istio-ingressgateway"
    )
    every = (
        *lines,
        _address("resolver", resolver, "the cluster's own; machines may have another"),
        Line(key="metadata", value=_METADATA, why="Azure's and AWS' address"),
        _address("controlPlane", control, "the east-west gateway's load balancer"),
        _address("ingress", ingress, "the ingress gateway's load balancer"),
    )
    return tuple(line for line in every if line.key in _ALWAYS or line.why != _UNKNOWN)


def _network(key: str, addresses: Iterable[str], why: str, length: int, taken: list[ipaddress.IPv4Network]) -> Line:
    """Return the smallest network of at most ``length`` bits that holds ``addresses`` and overlaps no other."""
    hosts = [ipaddress.IPv4Address(ip) for ip in _v4(addresses)]
    candidates: list[ipaddress.IPv4Network] = []
    if hosts:
        wide = (ipaddress.IPv4Network(f"{hosts[0]}/{bits}", strict=False) for bits in range(length, 31))
        narrow = (
            ipaddress.IPv4Network(f"{hosts[0]}/{bits}", strict=False) for bits in range(length - 1, _WIDEST - 1, -1)
        )
        candidates = [item for item in (*wide, *narrow) if all(host in item for host in hosts)]
    free = next((item for item in candidates if not any(item.overlaps(other) for other in taken)), None)
    if free is None:
        why = _UNKNOWN
        blocks = map(ipaddress.IPv4Network, _NOBODY)
        spare = next(item for item in (*blocks, *_spares()) if not any(item.overlaps(other) for other in taken))
        free = spare
    taken.append(free)
    return Line(key=key, value=str(free), why=why)


def _spares() -> Iterable[ipaddress.IPv4Network]:
    """Source: RFC 2544, addresses for measurements, of which four are enough."""
    return ipaddress.IPv4Network("198.18.0.0/15").subnets(new_prefix=24)


def _v4(addresses: Iterable[str]) -> list[str]:
    return [ip for ip in addresses if _is_v4(ip)]


def _is_v4(text: str) -> bool:
    try:
        ipaddress.IPv4Address(text)
    except ValueError:
        return False
    return True


def _entrance(known: Mapping[tuple[str, str], facts.Service], namespace: str, name: str) -> str:
    service = known.get((namespace, name))
    return next(iter(_v4(service.entrances)), "") if service is not None else ""


def _address(key: str, value: str, why: str) -> Line:
    return Line(key=key, value=value, why=why if value else _UNKNOWN)
