"""A slice of the judge: stored cases and a few random sets, asked of real proxies and of the analyser."""

import contextlib
import json
import random

import pytest
import yaml
from running import INSTANCE, succeed

from benchmarks.judge import again, cases, fleet, install, policies, report, run, sets
from slipway.world import kubernetes

pytestmark = pytest.mark.lab

LOTS = 3
SEED = 11
SETS = 6
REQUESTS = 40
# Those in `written` were measured in a bare mesh: `python -m benchmarks.judge.again` asks them.
PATHS = [path for folder in ("traps", "found", "unknown") for path in cases.all_of(folder)]


@contextlib.contextmanager
def mesh_of_the_cases(lab):
    """Have the mesh configuration that the cases are of: the lab's own lets undeclared namespaces send anywhere."""
    kind, name = kubernetes.Kind(api_version="v1", kind="ConfigMap"), f"istio-{install.REVISION}"

    def put(text) -> None:
        patch = json.dumps({"data": {"mesh": text}})
        words = ("patch", "configmap", name, f"--namespace={policies.ROOT}", "--type=merge", f"--patch={patch}")
        succeed(lab.run("kubectl", *words, timeout_s=60))

    own = lab.cluster.get(kind, name, namespace=policies.ROOT)["data"]["mesh"]
    put(yaml.safe_dump({**yaml.safe_load(own), **cases.MESH}))
    try:
        yield
    finally:
        put(own)


@pytest.fixture(scope="module")
def court(running_lab):
    with mesh_of_the_cases(running_lab), run.open_court(INSTANCE, LOTS, further=fleet.ODDS) as found:
        yield found
        found.mesh.disband()


def test_proxies_and_analyser_do_as_the_cases_say(court):
    known = [cases.load(path) for path in PATHS]
    assert list(again.differing(court, [case for case in known if case.mesh == cases.MESH])) == []


def test_random_sets_agree(court):
    tally = report.Tally()
    for number in range(0, SETS, LOTS):
        random_ = random.Random(f"{SEED}/{number}")  # noqa: S311 - repeatable on purpose
        wanted = [sets.make(random_, number + lot.number, lot, court.addresses) for lot in court.lots]
        tally.add(court.hold(wanted, [], random_, REQUESTS), court.fixed)
    assert [line for item in tally.differing for line in report.told(item)] == []
    assert tally.trials == SETS * REQUESTS
