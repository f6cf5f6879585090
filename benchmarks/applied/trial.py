"""What is measured under one declaration: the plan of `slipway verify`, and the servers' word for refusals."""

import dataclasses
from collections.abc import Iterable, Iterator, Sequence

from benchmarks.applied import meshes
from policies.bundles import positions
from slipway.mesh import model
from slipway.rollout import (
    access_log,
    expectations,
    findings,
    ground,
    measuring,
    plan,
    probes,
    senders,
    sources,
    stand_ins,
)
from slipway.rollout.checks import check
from slipway.world import kubernetes

GROUPS = (
    check.Group.DECLARED,
    check.Group.CALLER,
    check.Group.SERVER,
    check.Group.METHOD,
    check.Group.PATH,
    check.Group.PLAINTEXT,
    check.Group.OUTSIDE,
    check.Group.OUTSIDE_CALLER,
    check.Group.BYPASS,
)
LOGGED = "refusals in the server's own log"
_FLUSHED_S = 20.0
_SINCE_S = 600
_PATIENT_MS = 10_000
_GREETING = "applied\n"


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One thing that was measured, under the heading that counts it."""

    heading: str
    told: str
    difference: str


def measure(mesh: model.Mesh, *, cluster: kubernetes.Kubernetes, place: ground.Ground) -> list[Line]:
    """Send every request of the plan and say of each whether it came to what the declaration says."""
    around = place.surroundings()
    planned = plan.compile_plan(
        mesh, known=meshes.known(mesh), internet=around.internet, ingress_authority=around.ingress_authority
    )
    checks = [_patient(_sharpened(mesh, item)) for item in planned if item.group in GROUPS]
    ready = stand_ins.standing_in(
        cluster,
        senders.needed_pods(checks),
        namespaces=mesh.namespaces,
        revision=mesh.revision,
        outbound=positions.outbound_mode(mesh),
        surroundings=around,
    )
    logs = _Logs(mesh, cluster=cluster, place=place)
    with ready:
        sender = senders.Senders(cluster, place, mesh)
        egress = measuring.egress_addresses(cluster)
        found = measuring.measure(checks, sender.measure, egress=egress)
        lines = [_line(item) for item in found]
        return lines + logs.refusals(checks)


def _line(item: findings.Finding) -> Line:
    told = f"{item.subject}: expected {item.expected}, measured {item.measured}"
    return Line(heading=item.group.value, told=told, difference=item.difference)


def _sharpened(mesh: model.Mesh, item: check.Check) -> check.Check:
    """Return a declared TCP call with something to say, so that the answer tells who gave it."""
    if item.group is not check.Group.DECLARED or item.request.kind is not probes.Kind.TCP:
        return item
    callee = _callee(mesh, item)
    if callee is None or callee.workload is None:
        return item
    expected = expectations.works(contains=f'"place": "{callee.namespace}/{callee.name}"')
    return dataclasses.replace(item, request=dataclasses.replace(item.request, send=_GREETING), expected=expected)


def _patient(item: check.Check) -> check.Check:
    """Return a check with time for its end on a busy computer, where silence is not what is expected."""
    if not item.expected.unmet(probes.Result(outcome="timeout")):
        return item
    return dataclasses.replace(item, request=dataclasses.replace(item.request, timeout_ms=_PATIENT_MS))


def _callee(mesh: model.Mesh, item: check.Check) -> model.Service | None:
    """Return the declared service that a request goes to by one of its names."""
    target = item.request.target
    if not isinstance(target, probes.Address):
        return None
    for service in mesh.services:
        short = service.host.removesuffix(".svc.cluster.local")
        if target.host in {service.host, short, short.split(".", maxsplit=1)[0], *service.names}:
            return service
    return None


class _Logs:
    """What the servers' proxies say about whom they refused."""

    def __init__(self, mesh: model.Mesh, *, cluster: kubernetes.Kubernetes, place: ground.Ground) -> None:
        self._mesh, self._cluster, self._place = mesh, cluster, place
        self._since = {machine.name: self._clock(machine.name) for machine in mesh.machines}

    def refusals(self, checks: Iterable[check.Check]) -> list[Line]:
        """Return a line for each refusal without an answer: an end alone could be anybody's doing."""
        wanted: set[tuple[str, int, str]] = set()
        for item in checks:
            callee = _callee(self._mesh, item)
            expected = item.expected == expectations.closed()
            if item.group is check.Group.SERVER and expected and callee is not None and item.source.identity:
                port = next(one.number for one in callee.ports if one.service_port == _port(item.request.target))
                wanted.add((callee.name, port, self._principal(item.source.identity)))
        found: set[tuple[str, int, str]] = set()

        def missing() -> str:
            for name, port in sorted({(name, port) for name, port, _ in wanted}):
                found.update((name, port, caller) for caller in self._refused(self._mesh.service(name), port))
            return ", ".join(f"{caller} at {name}:{port}" for name, port, caller in sorted(wanted - found))

        try:
            kubernetes.wait_until("the servers' logs", missing, timeout_s=_FLUSHED_S, pause_s=1)
        except kubernetes.NotMetError:
            missing()
        return [
            Line(
                heading=LOGGED,
                told=f"{caller} refused at {name}:{port}",
                difference="" if (name, port, caller) in found else "the log has no such refusal",
            )
            for name, port, caller in sorted(wanted)
        ]

    def _principal(self, identity: sources.Identity) -> str:
        domain = self._mesh.trust_domain
        return f"spiffe://{domain}/ns/{identity.namespace}/sa/{identity.service_account}"

    def _refused(self, service: model.Service, port: int) -> Iterator[str]:
        for text, since in self._texts(service):
            for entry in access_log.entries(text, port=port, since=since):
                if access_log.is_denied(entry):
                    yield str(entry.get("caller"))

    def _texts(self, service: model.Service) -> Iterator[tuple[str, str]]:
        for machine in service.machines:
            yield self._place.run_on_machine(machine, ["cat", access_log.LOG_FILE]), self._since[machine]
        if service.workload is not None:
            labels = ",".join(f"{name}={value}" for name, value in service.workload.labels)
            for pod in self._cluster.list(kubernetes.POD, namespace=service.namespace, labels=labels):
                name = pod["metadata"]["name"]
                text = self._cluster.logs(service.namespace, name, stand_ins.PROXY_CONTAINER, since_s=_SINCE_S)
                yield text, ""

    def _clock(self, machine: str) -> str:
        return self._place.run_on_machine(machine, access_log.CLOCK).strip()


def _port(target: probes.Address | probes.PodAddress) -> int:
    return target.port


def failed(lines: Sequence[Line]) -> list[Line]:
    """Return the lines that differ from the declaration."""
    return [item for item in lines if item.difference]
