"""The full run: a lab of its own, many sets, many requests, one table."""

import argparse
import contextlib
import dataclasses
import json
import random
import sys
import time
from collections.abc import Generator, Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks import labs
from benchmarks.judge import (
    cases,
    court,
    fleet,
    focus,
    herd,
    install,
    logged,
    logs,
    policies,
    relations,
    report,
    sets,
    words,
)
from benchmarks.judge.mesh import Mesh
from slipway import reachability
from slipway.lab import certificates, network
from slipway.lab import instance as instances

INSTANCE = "judge"
_RULES_S = 60.0
_SHRINKING = 60  # attempts per set
_MORE = 60  # sets
_DECIDING = ("outboundTrafficPolicy", "pathNormalization", "trustDomainAliases", "enableAutoMtls")
_FLUSH_S = 2.0  # Envoy writes its log every second. Source: istio 1.29.1 pkg/envoy/proxy.go, file-flush-interval-msec


def main(arguments: Sequence[str]) -> int:
    """Run the judge; 1 when the analyser and the mesh disagree."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks judge", description=__doc__)
    parser.add_argument(
        "--sets", type=int, default=300, help=f"and up to {_MORE} more while a field decides too little"
    )
    parser.add_argument("--requests", type=int, default=70, help="per set")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--lots", type=int, default=6, help="sets that are applied at once")
    labs.options(parser, instance=INSTANCE)
    parser.add_argument("--record", type=Path, help="a folder for cases of what was measured")
    chosen = parser.parse_args(arguments)
    sys.stdout.write(f"seed {chosen.seed}\n")
    instance, tally, contradictions = instances.named(chosen.instance), report.Tally(), 0
    with labs.bare(chosen.instance, keep=chosen.keep):
        install.install(instance, install.MESHES[0])
        with open_court(chosen.instance, chosen.lots) as found:
            known = logs.Logs(instance.state / "kubelet" / "pod-logs")
            recorder = None if chosen.record is None else Recorder(chosen.record, known, name=f"seed-{chosen.seed}")
            for number, mesh_config in enumerate(install.MESHES):
                if number:
                    _reinstall(found, instance, mesh_config)
                share = range(
                    chosen.sets * number // len(install.MESHES), chosen.sets * (number + 1) // len(install.MESHES)
                )
                run(found, tally, numbers=share, each=chosen.requests, seed=chosen.seed, recorder=recorder)
            if tally.rare():  # the first mesh has fields that decide nothing in the last one
                _reinstall(found, instance, install.MESHES[0])
            for first in range(chosen.sets, chosen.sets + _MORE, chosen.lots):
                if tally.rare():
                    share = range(first, first + chosen.lots)
                    run(found, tally, numbers=share, each=chosen.requests, seed=chosen.seed, recorder=recorder)
            contradictions = len(sides(tally, known))
    sys.stdout.write("\n".join(tally.lines()) + "\n")
    short = tally.shortfalls()
    sys.stdout.write("".join(f"falls short: {item}\n" for item in short))
    return 1 if tally.differing or tally.broken or contradictions or short else 0


def _reinstall(found: court.Court, instance: instances.Instance, mesh_config: Mapping[str, Any]) -> None:
    install.install(instance, mesh_config)
    found.mesh_config = found.mesh.mesh_config()


@dataclasses.dataclass(frozen=True, slots=True)
class Recorder:
    """Keeps what was measured without a contradiction, a case for each set, with what ``known`` proxies log."""

    folder: Path
    known: logs.Logs
    name: str

    def keep(self, held: court.Round, found: court.Court) -> None:
        """Write the cases of a round, replacing those of the same name."""
        self.folder.mkdir(parents=True, exist_ok=True)
        _read(self.known)
        for one in held.sets:
            places = (*one.lot.namespaces, policies.ROOT)
            objects = [item for item in held.objects if item["metadata"]["namespace"] in places]
            kept = [
                (item.request, dataclasses.replace(item.measured, told=self.known.of(item)))
                for item in held.trials
                if item.set_number == one.number
                and not item.difference
                and item.answer.outcome is not reachability.Outcome.UNKNOWN
            ]
            case = cases.document(objects, kept, mesh=_deciding(held.mesh_config))
            stored = cases.stored(case, lot=one.lot.number, live=found.addresses)
            text = json.dumps(relations.reproduced(json.loads(stored)), separators=(",", ":"))
            (self.folder / f"{self.name}-set-{one.number}.json").write_text(text + "\n", encoding="utf-8")


def _read(known: logs.Logs) -> None:
    time.sleep(_FLUSH_S)
    known.read()


def run(
    found: court.Court,
    tally: report.Tally,
    *,
    numbers: range,
    each: int,
    seed: int,
    recorder: Recorder | None = None,
) -> None:
    """Try sets of these numbers and count what came of them; disagreements are told as they are found."""
    began, lots = time.monotonic(), found.lots
    for first in range(numbers.start, numbers.stop, len(lots)):
        random_ = random.Random(f"{seed}/{first}")  # noqa: S311 - repeatable on purpose
        chosen = range(first, min(first + len(lots), numbers.stop))
        root = _root(random_, found, lots[0])
        wanted = [
            focus.chosen(
                random_,
                number,
                lot,
                addresses=found.addresses,
                around=[*found.around(lot), *root],
                mesh_config=found.mesh_config,
                fields=tally.to_spare(),
                count=each // court.CHOSEN,
            )
            for number, lot in zip(chosen, lots, strict=False)
        ]
        try:
            held = found.hold(wanted, root, random_, each)
        except herd.UnsettledError as error:
            tally.broken += len(wanted)
            sys.stdout.write(f"sets {chosen.start} to {chosen.stop - 1} are left out: {error}\n")
            continue
        tally.add(held, found.fixed)
        if recorder is not None:
            recorder.keep(held, found)
        _tell(held, found)
        elapsed = time.monotonic() - began
        sys.stdout.write(
            f"{tally.sets} sets, {tally.trials} requests, {len(tally.differing)} differ, {elapsed:.0f} s\n"
        )
        sys.stdout.flush()


def _tell(held: court.Round, found: court.Court) -> None:
    """Print what a round found, with the smallest case of every set that has a lasting contradiction."""
    for item in held.trials:
        if item.difference:
            sys.stdout.write("\n".join(report.told(item)) + "\n")
    for item in _one_per_set(held.trials):
        try:
            objects, measured = found.smallest(held, item, attempts=_SHRINKING)
        except herd.UnsettledError as error:
            sys.stdout.write(f"set {item.set_number} cannot be made smaller: {error}\n")
            places = (*fleet.Lot(number=item.lot).namespaces, policies.ROOT)
            objects = [other for other in held.objects if other["metadata"]["namespace"] in places]
            measured = item.measured
        case = cases.document(objects, [(item.request, measured)], mesh=_deciding(held.mesh_config))
        text = cases.stored(case, lot=item.lot, live=found.addresses)
        sys.stdout.write(f"smallest case of set {item.set_number}, for tests/cases/judge/found:\n{text}\n")
    for item in held.broken:
        sys.stdout.write(f"proxies do not work by set {item.set.number}: {json.dumps(dict(item.told))}\n")
        sys.stdout.write(f"{json.dumps(item.set.objects)}\n")
    for item in held.refused:
        sys.stdout.write(f"refused: {json.dumps(item.object)[:600]}\n  {item.told[-300:]}\n")


def _one_per_set(trials: Sequence[court.Trial]) -> list[court.Trial]:
    """Return a lasting contradiction of every set that has one."""
    return list({item.set_number: item for item in trials if item.difference and not item.wavering}.values())


def _deciding(mesh_config: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in mesh_config.items() if key in _DECIDING}


def sides(tally: report.Tally, known: logs.Logs) -> list[str]:
    """Return, and tell, where the proxies' logs contradict the side or the policy that the analyser names."""
    _read(known)
    found: list[str] = []
    compared = 0
    for item in tally.all:
        entry = known.of(item)
        compared += entry is not None
        entering = item.request.source == fleet.OUTSIDE
        told = logged.contradiction(item.answer, entry, entering=entering)
        if told and not item.difference:
            found.append(told)
            sys.stdout.write("\n".join([*report.told(item), f"  log: {told}"]) + "\n")
    sys.stdout.write(f"deciding side: {compared} of {tally.trials} requests logged, {len(found)} contradictions\n")
    return found


def _root(random_: random.Random, found: court.Court, lot: fleet.Lot) -> list[sets.Object]:
    """Return objects of the root namespace, in some rounds."""
    made: list[sets.Object] = []
    security = policies.Policies(random_, lot, list(found.addresses.values()))
    if words.chance(random_, 0.15):
        made.append(security.root_authorization("judge-root"))
    if words.chance(random_, 0.25):
        made.append(security.peer("judge-root", policies.ROOT))
    return made


@contextlib.contextmanager
def open_court(instance_name: str, lots: int, *, further: Sequence[fleet.Application] = ()) -> Generator[court.Court]:
    """Assemble the fleet in a lab whose mesh is up, ``further`` applications too, and take it away again."""
    instance = instances.named(instance_name)
    places = [fleet.Lot(number=number) for number in range(lots)]
    certificate, key = certificates.certificate_path(instance, "vault"), certificates.key_path(instance, "vault")
    credential = (certificate.read_text(encoding="utf-8"), key.read_text(encoding="utf-8"))
    mesh = Mesh(instance.kubeconfig, places, revision=install.REVISION, credential=credential, further=further)
    mesh.assemble()
    outside = network.NAMESPACE_FOLDER / instance.namespace(instances.INTERNET)
    with (
        _outside(instance),
        _refusals_told(instance),
        herd.running(
            (*fleet.applications(places), *further),
            cgroup=instance.cgroup,
            certificate=certificate,
            key=key,
            outside=outside,
        ) as people,
    ):
        try:
            yield court.Court(mesh, people, places, further=further, node_rules=lambda: _node_rules(instance))
        finally:
            mesh.replace([])


@contextlib.contextmanager
def _outside(instance: instances.Instance) -> Generator[None]:
    """Have somebody outside of the mesh be at the addresses of ServiceEntries."""
    route = ("local", fleet.OUTSIDE_NETWORK, "dev", "lo")
    network.run(instance, instances.INTERNET, ["ip", "route", "replace", *route], timeout_s=10)
    try:
        yield
    finally:
        network.run(instance, instances.INTERNET, ["ip", "route", "delete", *route], timeout_s=10)


@contextlib.contextmanager
def _refusals_told(instance: instances.Instance) -> Generator[None]:
    """Have the node tell of every connection that its packet filter refuses, however many there are at once.

    Source: Linux Documentation/networking/ip-sysctl.rst, icmp_ratelimit and icmp_msgs_per_sec: beyond these a client
    waits for a timeout.
    """

    def limit(values: Mapping[str, int]) -> None:
        script = "; ".join(f"echo {value} > /proc/sys/net/ipv4/{name}" for name, value in values.items())
        network.run(instance, instances.NODE, ["sh", "-ec", script], timeout_s=10)

    limit({"icmp_ratelimit": 0, "icmp_msgs_per_sec": 100_000, "icmp_msgs_burst": 10_000})
    try:
        yield
    finally:
        limit({"icmp_ratelimit": 1000, "icmp_msgs_per_sec": 1000, "icmp_msgs_burst": 50})


def _node_rules(instance: instances.Instance) -> str:
    return network.run(instance, instances.NODE, ["iptables-save"], timeout_s=_RULES_S).stdout
