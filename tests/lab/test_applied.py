"""A slice of `python -m benchmarks applied` on the shared lab, which has its own declaration again afterwards."""

import pytest

from benchmarks.applied import run, trial
from slipway.rollout.checks import check

pytestmark = pytest.mark.lab
SEEDS = (2,)
SEEN = (
    check.Group.DECLARED.value,
    check.Group.SERVER.value,
    check.Group.OUTSIDE.value,
    check.Group.BYPASS.value,
    trial.LOGGED,
    run.BESIDE,
)


def test_declared_calls_answer_and_all_others_are_refused(running_lab):
    tally = run.Tally()
    names = list(run.trials(running_lab.instance, SEEDS, tally))
    assert len(names) == len(SEEDS)
    assert [f"{name}: {line}" for name, line in tally.failures] == []
    assert all(tally.lines[heading] for heading in SEEN)
