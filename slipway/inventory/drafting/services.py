"""Which services a cluster runs: one per Kubernetes Service with own pods, one per workload that only calls."""

import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass

from slipway.inventory import facts
from slipway.inventory.drafting import parts
from slipway.mesh import names, values
from slipway.mesh.shape import Rejected

_DEFAULT = "default"
_APP_LABELS = ("app", "app.kubernetes.io/name", "k8s-app")
_REPLICA_LABELS = frozenset({"pod-template-hash", "controller-revision-hash", "version"})
_CALLING = frozenset({"Deployment", "StatefulSet", "DaemonSet", "CronJob"})
_PORT_KEY = re.compile(r"[a-z0-9]([a-z0-9-]{0,13}[a-z0-9])?")
_STATED = {facts.Spoken.HTTP: "http", facts.Spoken.HTTP2: "http2", facts.Spoken.TLS: "tls", facts.Spoken.TCP: "tcp"}
# Well-known ports of servers whose protocol Istio does not know, or guesses.
_USUAL = {5432: "postgres", 3306: "mysql", 27017: "mongo", 6379: "redis", 443: "tls", 8443: "tls", 50051: "grpc"}
_HTTP_NAMES = frozenset({"web", "api", "rest", "metrics", "ui"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """Services as they will be written, sorted by name, and what was said about Services and workloads left out."""

    services: tuple[parts.Service, ...]
    notes: tuple[parts.Note, ...]


@dataclass(slots=True, kw_only=True)
class _Candidate:
    """Pods that may become a service."""

    namespace: str
    kind: str
    name: str
    labels: Mapping[str, str]
    service: facts.Service | None
    pods: list[facts.Workload]

    @property
    def rank(self) -> tuple[bool, bool, int, str]:
        """The best Service over the same pods: named as they are, with an address of its own, short."""
        known = {item.labels.get(key) for item in self.pods for key in _APP_LABELS}
        known |= {item.service_account for item in self.pods}
        headless = self.service is not None and not self.service.addresses
        return (self.name not in known, headless, len(self.name), self.name)


def choose(
    found: facts.Facts, *, namespaces: Collection[str], spoken_http: Collection[tuple[str, str, int]]
) -> Found:
    """Return the services of ``namespaces``.

    ``spoken_http`` are namespace, ServiceAccount and workload port of which logs show HTTP.
    """
    notes: list[parts.Note] = []
    chosen: list[_Candidate] = []
    for namespace in sorted(namespaces):
        chosen += _of_namespace(found, namespace, notes)
    unique = _unique_names(chosen)
    taken: dict[tuple[str, str], str] = {}
    services = [
        _service(item, name, taken, spoken_http)
        for item, name in sorted(unique, key=lambda pair: (not _has_own_account(pair[0]), pair[1]))
    ]
    return Found(services=tuple(sorted(services, key=lambda item: item.name)), notes=tuple(notes))


def _of_namespace(found: facts.Facts, namespace: str, notes: list[parts.Note]) -> list[_Candidate]:
    chosen: list[_Candidate] = []
    for item in sorted(_by_service(found, namespace), key=lambda candidate: candidate.rank):
        reason = _refused(item, chosen)
        if reason:
            notes.append(_left(item, reason))
        else:
            chosen.append(item)
    for item in _by_workload(found, namespace):
        if any(facts.selects(other.labels, item.pods[0].labels) for other in chosen):
            continue
        reason = _refused(item, chosen)
        if reason:
            notes.append(_left(item, reason))
        else:
            chosen.append(item)
    for pod in found.workloads_in.get(namespace, []):
        if pod.kind in {"Pod", "Job"} and not any(facts.selects(item.labels, pod.labels) for item in chosen):
            reason = "nothing that is drafted selects it; declare it if it calls anybody"
            notes.append(_note(namespace, pod.kind, pod.name, reason))
    return chosen


def _by_service(found: facts.Facts, namespace: str) -> Iterator[_Candidate]:
    for service in found.services:
        if service.namespace == namespace:
            pods = found.selected(namespace, service.selector)
            yield _Candidate(
                namespace=namespace,
                kind="Service",
                name=service.name,
                labels=service.selector,
                service=service,
                pods=pods,
            )


def _by_workload(found: facts.Facts, namespace: str) -> Iterator[_Candidate]:
    for item in found.workloads_in.get(namespace, []):
        if item.kind in _CALLING:
            labels = item.selector or {k: v for k, v in item.labels.items() if k not in _REPLICA_LABELS}
            yield _Candidate(
                namespace=namespace, kind=item.kind, name=item.name, labels=labels, service=None, pods=[item]
            )


def _refused(item: _Candidate, chosen: Iterable[_Candidate]) -> str:
    """Return why a candidate cannot be a service beside those chosen already, or nothing."""
    service = item.service
    alias = "" if service is None else service.external_name
    reasons = (
        (alias, f"another name for {alias}; declare that under `external` or in `names`"),
        (
            service is not None and not _is_service(item.name),
            "its name does not start with a letter; rename it to declare it",
        ),
        (
            not item.labels,
            "it selects no pods" if service is not None else "its pods have no label to select them by",
        ),
        (not item.pods, "no pod has the labels that it selects"),
        (all(pod.injection == "false" or pod.host_network for pod in item.pods), "its pods never get a sidecar"),
    )
    alone = next((reason for holds, reason in reasons if holds), "")
    return alone or next(filter(None, (_shared(item, other) for other in chosen)), "")


def _shared(item: _Candidate, other: _Candidate) -> str:
    if any(pod in other.pods for pod in item.pods):
        return f"its pods are those of {other.name}"
    mine, theirs = item.labels.items(), other.labels.items()
    if mine <= theirs or theirs <= mine:
        return f"its labels also select pods of {other.name}; give one label a value of its own in each"
    return ""


def _note(namespace: str, kind: str, name: str, reason: str) -> parts.Note:
    return parts.Note(namespace=namespace, kind=kind, name=name, verdict=parts.Verdict.LEFT_ALONE, reason=reason)


def _left(item: _Candidate, reason: str) -> parts.Note:
    return _note(item.namespace, item.kind, item.name, reason)


def _unique_names(chosen: list[_Candidate]) -> list[tuple[_Candidate, str]]:
    """Return candidates with names of services: their own where it is one and nobody else's, else with a prefix."""
    count: dict[str, int] = {}
    for item in chosen:
        count[item.name] = count.get(item.name, 0) + 1
    pairs: list[tuple[_Candidate, str]] = []
    used: set[str] = set()
    for item in chosen:
        name = item.name if count[item.name] == 1 and _is_service(item.name) else ""
        if not name or name in used:
            name = names.label(*([] if _is_service(item.namespace) else ["in"]), item.namespace, item.name)
        while name in used or (name != item.name and name in count):
            name = names.label(name, item.kind.lower())
        used.add(name)
        pairs.append((item, name))
    return pairs


def _is_service(text: str) -> bool:
    try:
        names.parse_service(text)
    except Rejected:
        return False
    return True


def _has_own_account(item: _Candidate) -> bool:
    return any(pod.service_account == item.name for pod in item.pods)


def _service(
    item: _Candidate,
    name: str,
    taken: dict[tuple[str, str], str],
    spoken_http: Collection[tuple[str, str, int]],
) -> parts.Service:
    accounts = tuple(sorted({pod.service_account for pod in item.pods}))
    remarks: list[str] = []
    account = next((found for found in accounts if found != _DEFAULT and (item.namespace, found) not in taken), "")
    for other in accounts:
        owner = taken.get((item.namespace, other), "")
        if other == _DEFAULT:
            remarks.append(f"its pods run as `default`, which is everybody: give them the ServiceAccount {name}")
        elif owner:
            remarks.append(f"its pods run as {other}, as those of {owner} do: give them the ServiceAccount {name}")
        elif other != account:
            remarks.append(f"some of its pods run as {other} instead")
    account = account or name
    if (item.namespace, account) in taken:
        account = names.label(name, "own")
    taken[item.namespace, account] = name
    service = item.service
    found_ports, port_remarks = _ports(item, accounts, spoken_http) if service is not None else ((), [])
    return parts.Service(
        name=name,
        namespace=item.namespace,
        kubernetes_service="" if service is None else service.name,
        labels=item.labels,
        account=account,
        accounts=accounts,
        ports=found_ports,
        remarks=(*remarks, *port_remarks),
    )


def _ports(
    item: _Candidate, accounts: Collection[str], spoken_http: Collection[tuple[str, str, int]]
) -> tuple[tuple[parts.Port, ...], list[str]]:
    found: list[parts.Port] = []
    remarks: list[str] = []
    service = item.service
    for port in service.ports if service is not None else ():
        number = _number(port, item.pods)
        same = [other for other in found if number == other.number or port.number == other.service]
        if port.spoken is facts.Spoken.UDP:
            remarks.append(f"its UDP port {port.number} is left out: sidecars do not take UDP")
        elif number in values.RESERVED_PORTS or port.number in values.RESERVED_PORTS:
            remarks.append(f"its port {port.number} is left out: sidecars listen on 15000 to 15090 themselves")
        elif same:
            remarks.append(f"its port {port.number} is left out: it leads to port {number} like {same[0].service}")
        else:
            http = any((item.namespace, account, number) in spoken_http for account in accounts)
            found.append(_port(port, number, found, http=http))
    return tuple(found), remarks


def _number(port: facts.ServicePort, pods: Iterable[facts.Workload]) -> int:
    if isinstance(port.target, int):
        return port.target
    return next((pod.ports[port.target] for pod in pods if port.target in pod.ports), port.number)


def _port(port: facts.ServicePort, number: int, others: Collection[parts.Port], *, http: bool) -> parts.Port:
    protocol, guess = _protocol(port, number, http=http)
    keys = {other.key for other in others}
    key = protocol
    if key in keys:
        key = port.name if _PORT_KEY.fullmatch(port.name) else f"{protocol}-{number}"
    if key in keys or (key != protocol and key in _STATED.values()):
        key = f"{protocol}-{number}"
    return parts.Port(key=key, protocol=protocol, number=number, service=port.number, guess=guess)


def _protocol(port: facts.ServicePort, number: int, *, http: bool) -> tuple[str, str]:
    """Return a port's protocol, and why it is only a guess."""
    usual = _USUAL.get(number) or _USUAL.get(port.number)
    stated = _STATED.get(port.spoken)
    words = port.name.lower().split("-")
    if stated == "http2" and "grpc" in words:
        stated = "grpc"
    if stated == "tcp" and usual not in {None, "tls", "grpc"}:
        stated = usual
    guesses = (
        (stated, ""),
        ("http" if http else None, "the access log shows HTTP"),
        (usual, f"that is what usually listens on {number}"),
        ("http" if words[0] in _HTTP_NAMES else None, f"the port is called {port.name}"),
        ("tcp", "neither `appProtocol` nor the port's name says it"),
    )
    return next((protocol, why) for protocol, why in guesses if protocol is not None)
