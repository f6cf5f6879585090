"""Prove an environment: send every request of the plan, compare, tell."""

import contextlib
import time
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

from slipway.mesh import model
from slipway.rollout import (
    access_log,
    findings,
    ground,
    measuring,
    outage,
    plan,
    rows,
    samples,
    senders,
    sources,
    tracing,
)
from slipway.rollout.checks import check, spoken
from slipway.rollout.checks import outage as outage_checks
from slipway.world import kubernetes, zipkin

Progress = Callable[[str], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What to measure: ``groups``, and of them only checks whose name holds one of ``only`` (empty: all).

    The groups OUTAGE and BOOT take every machine down for some seconds.
    """

    groups: frozenset[check.Group] = frozenset(check.Group)
    only: tuple[str, ...] = ()

    def chooses(self, item: check.Check) -> bool:
        """Whether a check is wanted."""
        named = not self.only or any(text in item.name for text in self.only)
        return item.group in self.groups and named


class Verification:
    """One run over one environment."""

    def __init__(
        self,
        mesh: model.Mesh,
        *,
        known: samples.Samples,
        cluster: kubernetes.Kubernetes,
        place: ground.Ground,
        options: Options,
        progress: Progress,
    ) -> None:
        """Keep what is asked; nothing is sent."""
        self._mesh, self._known, self._cluster, self._place = mesh, known, cluster, place
        self._options, self._progress = options, progress
        self._surroundings = place.surroundings()
        self._senders = senders.Senders(cluster, place, mesh)
        self._stages: list[tuple[str, float]] = []

    def run(self) -> findings.Report:
        """Measure everything that was chosen; no pod of ours is left afterwards, also after Ctrl-C.

        Raises KubernetesError or GroundError when the environment cannot be used at all.
        """
        checks = [item for item in self._plan() if self._options.chooses(item)]
        found: list[findings.Finding] = []
        with contextlib.ExitStack() as pods:
            with self._timed("machines as they should be"):
                for machine in self._mesh.machines:
                    outage.restore(self._place, machine)
            with self._timed("rows before"):
                before = [(machine, database, self._digests(machine, database)) for machine, database in self._rows()]
            marks = [(*place, self._log_mark(place[0])) for place in self._logs()]
            with self._timed("probing pods"):
                pods.enter_context(self._standing_in(checks))
            with self._timed(f"{len(checks)} requests"):
                found += measuring.measure(
                    checks, self._senders.measure, egress=measuring.egress_addresses(self._cluster)
                )
            with self._timed("trace"):
                found += self._traced()
            with self._timed("access log"):
                found += [finding for mark in marks for finding in self._judged_log(*mark)]
            found += self._outages()
            with self._timed("rows after"):
                found += [rows.compare(machine, then, self._digests(machine, db)) for machine, db, then in before]
        order = {group: index for index, group in enumerate(check.Group)}
        found.sort(key=lambda item: order[item.group])
        return findings.Report(findings=tuple(found), stages=tuple(self._stages))

    def _plan(self) -> tuple[check.Check, ...]:
        return plan.compile_plan(
            self._mesh,
            known=self._known,
            internet=self._surroundings.internet,
            ingress_authority=self._surroundings.ingress_authority,
        )

    @contextlib.contextmanager
    def _timed(self, stage: str) -> Generator[None]:
        self._progress(stage)
        started = time.monotonic()
        yield
        self._stages.append((stage, time.monotonic() - started))

    def _standing_in(self, checks: Sequence[check.Check]) -> contextlib.AbstractContextManager[None]:
        further: list[sources.Source] = []
        if self._options.groups & {check.Group.OUTAGE, check.Group.BOOT} and not self._options.only:
            namespaces = sources.bare_namespaces(self._mesh)
            further = [sources.Source(manner=sources.Manner.BARE, namespace=name) for name in namespaces]
        return self._senders.standing_in(checks, further=further)

    def _wants(self, group: check.Group) -> bool:
        return group in self._options.groups and not self._options.only

    def _databases(self) -> Iterator[tuple[model.Machine, model.Service, model.Port]]:
        for machine in self._mesh.machines:
            for service in map(self._mesh.service, machine.services):
                if machine.database is not None:
                    yield from ((machine, service, port) for port in service.ports if not port.protocol.is_http)

    def _rows(self) -> list[tuple[model.Machine, model.Database]]:
        wanted = self._wants(check.Group.ROWS)
        return [(item, item.database) for item in self._mesh.machines if wanted and item.database is not None]

    def _digests(self, machine: model.Machine, database: model.Database) -> str:
        return rows.digests(self._place, machine, database)

    def _logs(self) -> list[tuple[model.Machine, model.Service, model.Port]]:
        needed = {check.Group.DATABASE, check.Group.DECLARED, check.Group.SERVER}
        return list(self._databases()) if not self._options.only and needed <= self._options.groups else []

    def _log_mark(self, machine: model.Machine) -> tuple[int, str]:
        """Return how long the machine's access log is and what time it is there."""
        size = self._place.run_on_machine(machine.name, ["stat", "--format=%s", access_log.LOG_FILE])
        return (int(size), self._place.run_on_machine(machine.name, access_log.CLOCK).strip())

    def _judged_log(
        self, machine: model.Machine, service: model.Service, port: model.Port, mark: tuple[int, str]
    ) -> Iterable[findings.Finding]:
        callers = {caller.name for caller, call in self._mesh.callers(service.name) if call.port == port.name}
        others = [item.name for item in self._mesh.services if item.name not in {*callers, service.name}]
        refused = [name for other in others for name in self._mesh.principals(other)]
        argv = ["tail", f"--bytes=+{mark[0] + 1}", access_log.LOG_FILE]
        return access_log.judge(
            self._mesh,
            service,
            port,
            read=lambda: self._place.run_on_machine(machine.name, argv),
            since=mark[1],
            refused=refused if spoken.is_enforced(self._mesh, service) else (),
        )

    def _traced(self) -> list[findings.Finding]:
        trace = self._known.trace
        if trace is None or self._mesh.tracing is None or not self._wants(check.Group.TRACE):
            return []
        identity = tracing.new_identity()
        authority = self._surroundings.ingress_authority
        sent = tracing.request(self._mesh, trace, identity=identity, authority=authority)
        answered = measuring.measure([sent], self._senders.measure, egress=())
        looked_up = tracing.look_up(
            trace, identity, spans=lambda wanted: zipkin.spans(self._surroundings.zipkin, wanted)
        )
        return [*answered, looked_up]

    def _outages(self) -> list[findings.Finding]:
        internet = self._surroundings.internet
        if internet is None or not self._mesh.machines:
            return []
        taken = outage.Outage(
            mesh=self._mesh,
            place=self._place,
            requests=self._senders,
            internet=internet,
            prober=self._surroundings.machine_program,
        )
        found: list[findings.Finding] = []
        stages = ((check.Group.OUTAGE, outage.without_sidecar), (check.Group.BOOT, outage.during_boot))
        for group, measure in stages:
            if self._wants(group):
                with self._timed(group.value):
                    found += measure(taken)
                with self._timed(f"{group.value}: works again"):
                    found += measuring.measure(self._afterwards(group), self._senders.measure, egress=())
        return found

    def _afterwards(self, group: check.Group) -> list[check.Check]:
        """Return the declared calls from and to machines, to be seen working again."""
        on_machines = {name for machine in self._mesh.machines for name in machine.services}
        hosts = {self._mesh.service(name).host for name in on_machines}
        return [
            replace(item, group=group, told=f"{item.told}, afterwards")
            for item in self._plan()
            if item.group is check.Group.DECLARED and outage_checks.concerns(item, hosts)
        ]
