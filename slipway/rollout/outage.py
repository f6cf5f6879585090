"""Take the machines' sidecars away, then the machines themselves, and see that nothing passes meanwhile."""

import contextlib
import itertools
import json
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent import futures
from dataclasses import dataclass, replace

from slipway.mesh import model
from slipway.rollout import findings, ground, probes, senders
from slipway.rollout.checks import check, outage

_UNIT = "slipway-probe-boot.service"
_UNIT_FILE = f"/etc/systemd/system/{_UNIT}"
_FOLDER = "/var/lib/slipway-probe"
_SIDECAR_UNIT = "istio.service"
_PAUSE_S = 0.2
_LONGEST_BOOT_S = 120.0
# As early as a network can exist, without waiting for anything else; again and again until it is taken away.
# Source: systemd.special(7), network-pre.target.
_UNIT_TEXT = f"""[Unit]
Description=Tries to send while the machine boots
DefaultDependencies=no
After=network-pre.target
StartLimitIntervalSec=0

[Service]
StandardInput=file:{_FOLDER}/requests.json
StandardOutput=append:{_FOLDER}/results.jsonl
ExecStart={{program}}
Restart=always
RestartSec=100ms

[Install]
WantedBy=sysinit.target
"""
_RESTORE = f"""set -eu
if [ -e {_UNIT_FILE} ]; then
    systemctl disable --now {_UNIT}
    rm {_UNIT_FILE}
    systemctl daemon-reload
fi
rm -rf {_FOLDER}
systemctl start {_SIDECAR_UNIT}
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outage:
    """What is needed to take machines down and watch them; ``prober`` is the program on the machines."""

    mesh: model.Mesh
    place: ground.Ground
    requests: senders.Senders
    internet: check.Outside
    prober: str


def without_sidecar(outage_of: Outage) -> tuple[findings.Finding, ...]:
    """Kill every machine's sidecar, keep them dead, measure, and start them again, whatever happens in between."""
    run, machines = outage_of.place.run_on_machine, outage_of.mesh.machines
    group = check.Group.OUTAGE
    checks = [
        item
        for machine in machines
        for item in (*_inward(outage_of, machine, group), *_outward(outage_of, machine, group))
    ]
    with contextlib.ExitStack() as undo:
        for machine in machines:
            undo.callback(restore, outage_of.place, machine)
            run(machine.name, ["systemctl", "kill", "--signal=KILL", _SIDECAR_UNIT])
            run(machine.name, ["systemctl", "stop", _SIDECAR_UNIT])
        results = outage_of.requests.measure(checks)
    return tuple(
        findings.of(item, results[item.name], difference=item.expected.unmet(results[item.name])) for item in checks
    )


def during_boot(outage_of: Outage) -> tuple[findings.Finding, ...]:
    """Reboot every machine and measure all the while: from outside in, and by a unit on each from inside out.

    Machines that call each other take turns: that nothing reaches a machine which is away itself proves nothing.
    """
    turns = _turns(outage_of.mesh)
    return tuple(itertools.chain.from_iterable(_during_boot_of(outage_of, machines) for machines in turns))


def _during_boot_of(outage_of: Outage, machines: Sequence[model.Machine]) -> Iterator[findings.Finding]:
    group = check.Group.BOOT
    inward = _quick(item for machine in machines for item in _inward(outage_of, machine, group))
    outward = {machine: _quick(_outward(outage_of, machine, group)) for machine in machines}
    with contextlib.ExitStack() as undo:
        for machine in machines:
            undo.callback(restore, outage_of.place, machine)
            _install(outage_of, machine, outward[machine])
        with futures.ThreadPoolExecutor() as pool:
            rebooting = [pool.submit(outage_of.place.reboot, machine.name) for machine in machines]
            rounds = _while(
                lambda: not all(item.done() for item in rebooting), lambda: outage_of.requests.measure(inward)
            )
            for item in rebooting:
                item.result()
        sent = {machine: _sent(outage_of, machine) for machine in machines}
    yield from (_worst(item, [found[item.name] for found in rounds]) for item in inward)
    for machine, checks in outward.items():
        yield from (_worst(item, [found for name, found in sent[machine] if name == item.name]) for item in checks)


def _turns(mesh: model.Mesh) -> list[list[model.Machine]]:
    """Share the machines out so that none is in one turn with a machine that it calls; the first turn that fits."""
    turns: list[list[model.Machine]] = []
    for machine in mesh.machines:
        called = _called(mesh, machine)
        fits = (
            turn
            for turn in turns
            if not any(other.name in called or machine.name in _called(mesh, other) for other in turn)
        )
        turn = next(fits, None)
        if turn is None:
            turns.append([machine])
        else:
            turn.append(machine)
    return turns


def _called(mesh: model.Mesh, machine: model.Machine) -> set[str]:
    services = {call.service for service in map(mesh.service, machine.services) for call in service.service_calls}
    return {other.name for other in mesh.machines if services & set(other.services)}


def restore(place: ground.Ground, machine: model.Machine) -> None:
    """Take the unit of :func:`during_boot` away and start the sidecar: also after a run that was killed.

    Nothing happens on a machine that is as it should be. Raises GroundError.
    """
    place.run_on_machine(machine.name, ["sh", "-c", _RESTORE])


def _inward(outage_of: Outage, machine: model.Machine, group: check.Group) -> Iterator[check.Check]:
    return outage.emit_inbound(outage_of.mesh, machine, group)


def _outward(outage_of: Outage, machine: model.Machine, group: check.Group) -> Iterator[check.Check]:
    return outage.emit_outbound(outage_of.mesh, machine, group, outage_of.internet)


def _quick(checks: Iterable[check.Check]) -> list[check.Check]:
    """Return the checks with a patience short enough for many rounds during one boot."""
    return [replace(item, request=replace(item.request, timeout_ms=outage.BOOT_TIMEOUT_MS)) for item in checks]


def _while(
    lasts: Callable[[], bool], measure: Callable[[], Mapping[str, probes.Result]]
) -> list[Mapping[str, probes.Result]]:
    """Measure again and again while something lasts, at least once, at most two minutes."""
    rounds = [measure()]
    ends = time.monotonic() + _LONGEST_BOOT_S
    while lasts() and time.monotonic() < ends:
        time.sleep(_PAUSE_S)
        rounds.append(measure())
    return rounds


def _worst(item: check.Check, results: Sequence[probes.Result]) -> findings.Finding:
    """Tell of the first result that is not as expected, or how many were; none at all proves nothing."""
    for result in results:
        difference = item.expected.unmet(result)
        if difference:
            return findings.of(item, result, difference=difference, attempts=len(results))
    last = results[-1] if results else probes.Result(outcome="unsent", detail="nothing was sent during boot")
    told = findings.of(item, last, difference="" if results else last.detail, attempts=len(results))
    ends = ", ".join(sorted({result.outcome for result in results}))
    return replace(told, measured=f"{len(results)} requests: {ends}" if results else told.measured)


def _install(outage_of: Outage, machine: model.Machine, checks: Sequence[check.Check]) -> None:
    run = outage_of.place.run_on_machine
    documents = [
        item.request.document(name=item.name, address=outage_of.requests.address(item.request.target))
        for item in checks
    ]
    run(machine.name, ["mkdir", "-p", _FOLDER])
    run(machine.name, ["tee", f"{_FOLDER}/requests.json"], stdin=json.dumps(documents).encode() + b"\n")
    run(machine.name, ["tee", _UNIT_FILE], stdin=_UNIT_TEXT.format(program=outage_of.prober).encode())
    run(machine.name, ["systemctl", "enable", _UNIT])


def _sent(outage_of: Outage, machine: model.Machine) -> list[tuple[str, probes.Result]]:
    text = outage_of.place.run_on_machine(machine.name, ["cat", f"{_FOLDER}/results.jsonl"])
    return [pair for line in text.splitlines() for pair in probes.results(line).items()]
