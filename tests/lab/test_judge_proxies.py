"""A slice of the judge: stored cases and a few random sets, asked of real proxies and of the analyser."""

import random

import pytest
from running import INSTANCE

from benchmarks.judge import asking, cases, report, run, sets
from slipway import reachability

pytestmark = pytest.mark.lab

LOTS = 3
SEED = 11
SETS = 6
REQUESTS = 40
PATHS = [path for folder in ("traps", "found", "unknown") for path in cases.all_of(folder)]


@pytest.fixture(scope="module")
def court(running_lab):
    with run.open_court(INSTANCE, LOTS) as found:
        yield found
        found.mesh.disband()


def told_of(court, case, there) -> list[str]:
    """Return what differs between a case, the proxies and the analyser."""
    world, found = court.world(there), []
    measured = court.people.measure([request for request, _ in case.requests])
    for (request, expected), result in zip(case.requests, measured, strict=True):
        answer = reachability.decide(world, asking.question(request))
        if (result.end, result.status) != (expected.end, expected.status):
            found.append(f"{case.name}: {request}: {result}, not {expected}")
        if expected.identified not in {None, result.identified}:
            found.append(f"{case.name}: {request}: {result}, not {expected}")
        if case.unknown != (answer.outcome is reachability.Outcome.UNKNOWN) or asking.difference(answer, expected):
            found.append(f"{case.name}: {request}: the analyser says {answer}")
    return found


def test_proxies_and_analyser_do_as_the_cases_say(court):
    told: list[str] = []
    for paths in batches(PATHS):
        placed = [
            cases.placed(cases.load(path), lot=number, live=court.addresses) for number, path in enumerate(paths)
        ]
        there, refused = court.install([item for case in placed for item in case.objects])
        assert not refused
        told += [line for case in placed for line in told_of(court, case, there)]
    assert told == []


def batches(items):
    return [items[first : first + LOTS] for first in range(0, len(items), LOTS)]


def test_random_sets_agree(court):
    tally = report.Tally()
    for number in range(0, SETS, LOTS):
        random_ = random.Random(f"{SEED}/{number}")  # noqa: S311 - repeatable on purpose
        wanted = [sets.make(random_, number + lot.number, lot, court.addresses) for lot in court.lots]
        tally.add(court.hold(wanted, [], random_, REQUESTS), court.fixed)
    assert [line for item in tally.differing for line in report.told(item)] == []
    assert tally.trials == SETS * REQUESTS
