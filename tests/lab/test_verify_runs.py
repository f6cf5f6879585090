"""Verify as a command: what it leaves behind when it is stopped, and that two runs keep apart."""

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import breakers
import pytest

from slipway.rollout import stand_ins
from slipway.world import kubernetes

pytestmark = pytest.mark.lab
READY_WITHIN_S = 40.0


def left(lab):
    return [
        item["metadata"]["name"]
        for kind in (kubernetes.POD, kubernetes.SIDECAR)
        for namespace in lab.mesh.namespaces
        for item in lab.cluster.list(kind, namespace=namespace, labels=stand_ins.LABEL)
        if "deletionTimestamp" not in item["metadata"]
    ]


def take_interrupts():
    """Take SIGINT as at a terminal: a job in the background inherits that it is ignored."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


@contextlib.contextmanager
def running(lab):
    """Yield a verify that has its pods by now."""
    argv = [str(Path(sys.executable).with_name("slipway")), "verify", "lab", "--instance", lab.instance.name]
    child = subprocess.Popen(
        [*argv, "--undisturbed"],
        env={**os.environ, **lab.variables},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=take_interrupts,  # noqa: PLW1509 - between fork and exec it only sets one signal
    )
    try:
        ends = time.monotonic() + READY_WITHIN_S
        while not left(lab) and time.monotonic() < ends:
            time.sleep(0.1)
        assert left(lab), "the run made no pods"
        yield child
    finally:
        child.kill()
        child.communicate()


def test_the_command_proves_the_lab_and_tells_every_line(running_lab):
    told = running_lab.verify("--undisturbed")
    assert [item for item in told["findings"] if not item["passed"]] == []
    assert told["passed"]
    assert left(running_lab) == []


@pytest.mark.parametrize("sent", [signal.SIGINT, signal.SIGTERM])
def test_a_run_that_is_stopped_leaves_nothing(running_lab, sent):
    with running(running_lab) as child:
        child.send_signal(sent)
        child.wait(timeout=60)
    assert child.returncode not in {0, -signal.SIGKILL}
    assert left(running_lab) == []


def test_what_a_killed_run_leaves_is_removed_by_the_next(running_lab):
    with running(running_lab) as child:
        child.kill()
        child.wait(timeout=10)
    assert left(running_lab)
    assert running_lab.verify("--undisturbed", "--only", "ingress")["passed"]
    assert left(running_lab) == []


def test_a_second_run_says_that_one_is_running(running_lab):
    with running(running_lab):
        second = running_lab.slipway("verify", "lab", "--instance", running_lab.instance.name, "--json")
    assert second.returncode == 4
    assert "another verify runs" in second.stderr
    assert second.stdout == ""


def test_a_line_that_fails_is_exit_code_1(running_lab):
    broken = breakers.Broken(running_lab)
    with breakers.no_redirect(broken):
        time.sleep(3)
        arguments = ("verify", "lab", "--instance", running_lab.instance.name, "--json", "--only", "http://shop")
        done = running_lab.slipway(*arguments)
    told = json.loads(done.stdout)
    assert done.returncode == 1
    assert [item["expected"] for item in told["findings"]] == ["301 to https://shop.example.com/"]
    assert not told["passed"]
