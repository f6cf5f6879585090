"""What `make up` promises about being run again."""

import json

import pytest
from running import INSTANCE, succeed

pytestmark = pytest.mark.lab


def test_everything_is_as_declared(running_lab):
    report = running_lab.verify()
    failed = [line for line in report["findings"] if not line["passed"]]
    assert not failed, json.dumps(failed, indent=1)
    assert len(report["findings"]) > 100


def test_the_lab_up_again_does_nothing_and_says_so(running_lab):
    done = succeed(running_lab.slipway("lab", "up", INSTANCE, "--example"))
    assert "nothing to do" in done.stderr


def test_up_again_changes_nothing(running_lab):
    done = succeed(running_lab.slipway("up", "lab", "--instance", INSTANCE))
    assert "unchanged" in done.stdout
    for word in ("created", "updated", "deleted", "replaced"):
        assert f" {word}" not in done.stdout
    assert "restarted" not in done.stderr


def test_plain_pulumi_sees_no_change(running_lab):
    succeed(running_lab.pulumi("preview", "--stack", "lab", "--expect-no-changes"))


def test_the_checkout_stays_as_it_is(running_lab):
    done = succeed(running_lab.run("git", "status", "--porcelain", "stacks", timeout_s=30))
    assert done.stdout == ""
