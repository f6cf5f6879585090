"""Stored cases asked once more, of real proxies and of the analyser: whatever is not as they say.

`python -m benchmarks.judge.again [FOLDER...]` asks those of these folders of tests/cases/judge, each in its own
configuration of the mesh, in a lab of its own; exit code 1 when one is not as it says.
"""

import argparse
import json
import sys
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from benchmarks import labs
from benchmarks.judge import asking, cases, court, fleet, herd, install, run
from slipway import reachability
from slipway.lab import instance as instances

FOLDERS = ("traps", "found", "written", "unknown", "recorded")
_LOTS = 3
_EVERY_SERVICE = '"*.svc.cluster.local"'  # other lots' too


def main(arguments: Sequence[str]) -> int:
    """Ask the cases of some folders again; 1 when proxies or analyser do otherwise."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.judge.again", description=__doc__)
    parser.add_argument("folders", nargs="*", default=FOLDERS)
    parser.add_argument("--only", nargs="*", help="only cases of these names, without endings")
    labs.options(parser, instance=run.INSTANCE)
    chosen = parser.parse_args(arguments)
    instance, told, count = instances.named(chosen.instance), list[str](), 0
    groups: dict[str, list[cases.Case]] = {}
    paths = [path for folder in chosen.folders for path in cases.all_of(folder)]
    for case in (cases.load(path) for path in paths if chosen.only is None or path.stem in chosen.only):
        groups.setdefault(json.dumps(case.mesh, sort_keys=True), []).append(case)
    with labs.bare(chosen.instance, keep=chosen.keep):
        install.install(instance, next(iter(groups.values()))[0].mesh)
        with run.open_court(chosen.instance, _LOTS, further=fleet.ODDS) as found:
            for number, group in enumerate(groups.values()):
                if number:
                    install.install(instance, group[0].mesh)
                    found.mesh_config = found.mesh.mesh_config()
                for line in differing(found, group):
                    told.append(line)
                    sys.stdout.write(f"{line}\n")
                count += len(group)
    sys.stdout.write(f"{count} cases, {len(told)} differences\n")
    return 1 if told else 0


def differing(found: court.Court, known: Iterable[cases.Case]) -> Iterator[str]:
    """Return how the proxies and the analyser differ from what cases say."""
    for batch in batches((case for case in known if not case.fatal), lots=len(found.lots)):
        placed = [cases.placed(case, lot=number, live=found.addresses) for number, case in enumerate(batch)]
        try:
            there, refused = found.install([_of_today(item) for case in placed for item in case.objects])
        except herd.UnsettledError as error:
            if not batch[0].refuses or batch[0].refuses not in str(error):
                yield f"proxies do not work by {', '.join(case.name for case in batch)}: {error}"
            continue
        if batch[0].refuses:
            yield f"{batch[0].name}: no proxy refuses the objects"
            continue
        yield from (f"{item.object['metadata']['name']} is refused: {item.told}" for item in refused)
        for case in placed:
            yield from _differing(found, case, there)


def batches(known: Iterable[cases.Case], *, lots: int) -> Iterator[list[cases.Case]]:
    """Return cases that can be asked at once: those that touch more than their own lot are alone."""
    waiting: list[cases.Case] = []
    for case in known:
        if _lonely(case):
            yield [case]
            continue
        waiting.append(case)
        if len(waiting) == lots:
            yield waiting
            waiting = []
    if waiting:
        yield waiting


def _lonely(case: cases.Case) -> bool:
    places = {item["metadata"].get("namespace") for item in case.objects}
    if case.odd or case.refuses or not places <= set(cases.LOT.namespaces):
        return True
    return _EVERY_SERVICE in json.dumps(case.objects)


def _of_today(value: Any) -> Any:
    """Return an object without the fields that stand for those of later versions: no API server takes them."""
    if isinstance(value, dict):
        return {key: _of_today(item) for key, item in value.items() if key != cases.LATER}
    return [_of_today(item) for item in value] if isinstance(value, list) else value


def _differing(found: court.Court, case: cases.Case, there: Sequence[court.Object]) -> Iterator[str]:
    world = found.world(there)
    measured = found.people.measure([request for request, _ in case.requests])
    for (request, expected), result in zip(case.requests, measured, strict=True):
        if (result.end, result.status) != (expected.end, expected.status):
            yield f"{case.name}: {request}: {result}, not {expected}"
        if expected.identified not in {None, result.identified}:
            yield f"{case.name}: {request}: {result}, not {expected}"
        if not case.as_it_runs:
            continue
        answer = reachability.decide(world, asking.question(request))
        if case.unknown != (answer.outcome is reachability.Outcome.UNKNOWN) or asking.difference(answer, expected):
            yield f"{case.name}: {request}: the analyser says {answer}"


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
