"""The example as it runs, pods and machines alike: what everybody gets from everybody is what the analyser says."""

import pytest
from running import ROOT

from benchmarks.judge import cases, example
from slipway.cli import grounds
from slipway.rollout import samples

pytestmark = pytest.mark.lab
STORED = "example"


@pytest.fixture(scope="module")
def measured(running_lab):
    text = (ROOT / "stacks/probes.yaml").read_bytes()
    known = samples.load(text, file="probes.yaml", mesh=running_lab.mesh)
    place = grounds.of_lab(running_lab.instance)
    return example.Example(running_lab.mesh, known, running_lab.cluster, place).case(STORED)


def test_the_analyser_says_what_they_get(measured):
    assert list(cases.disagreements(measured)) == []


def test_they_get_what_the_stored_case_says(measured):
    """So that the case, which is asked without a mesh, stays one of a mesh that Slipway makes today."""
    stored = cases.load(cases.FOLDER / "meshes" / f"{STORED}.json")
    assert dict(measured.requests) == dict(stored.requests)
