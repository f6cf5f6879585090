"""A slice of the judge: stored cases and a few random sets, asked of real proxies and of the analyser."""

import json
import random

import pytest
from running import INSTANCE

from benchmarks.judge import asking, cases, report, run, sets
from slipway import reachability

pytestmark = pytest.mark.lab

LOTS = 2
SEED = 11
SETS = 6
REQUESTS = 40
PATHS = [path for folder in ("traps", "found", "unknown") for path in cases.all_of(folder)]


@pytest.fixture(scope="module")
def court(running_lab):
    with run.open_court(INSTANCE, LOTS) as found:
        yield found


@pytest.mark.parametrize("path", PATHS, ids=[f"{path.parent.name}/{path.stem}" for path in PATHS])
def test_the_proxies_do_as_the_case_says(court, path):
    case = cases.load(path)
    objects = json.loads(cases.at_home(json.dumps(case.objects), live=court.addresses))
    there, refused = court.install(objects)
    assert not refused
    measured = court.people.measure([request for request, _ in case.requests])
    told = [
        f"{request}: {result}, not {expected}"
        for (request, expected), result in zip(case.requests, measured, strict=True)
        if (result.end, result.status) != (expected.end, expected.status)
        or expected.identified not in {None, result.identified}
    ]
    assert told == []
    world = court.world(there)
    for request, expected in case.requests:
        answer = reachability.decide(world, asking.question(request))
        assert (answer.outcome is reachability.Outcome.UNKNOWN) == case.unknown
        assert asking.difference(answer, expected) == ""


def test_random_sets_agree(court):
    tally = report.Tally()
    for number in range(0, SETS, LOTS):
        random_ = random.Random(f"{SEED}/{number}")  # noqa: S311 - repeatable on purpose
        wanted = [sets.make(random_, number + lot.number, lot, court.addresses) for lot in court.lots]
        tally.add(court.hold(wanted, [], random_, REQUESTS))
    assert [line for item in tally.differing for line in report.told(item)] == []
    assert tally.trials == SETS * REQUESTS
