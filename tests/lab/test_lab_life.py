"""A lab of its own beside the shared one: cut off anywhere, taken by force, ended; nothing stays."""

import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest
import traces
from running import INSTANCE

from slipway.lab import instance as instances
from slipway.lab import lab, marked, network

pytestmark = pytest.mark.lab
NAME = "test-life"
SLIPWAY = str(Path(sys.executable).with_name("slipway"))


def slipway(*arguments: str, state: Path | None = None) -> subprocess.CompletedProcess[str]:
    environment = dict(os.environ) if state is None else {**os.environ, "SLIPWAY_STATE": str(state)}
    argv = [SLIPWAY, "lab", *arguments]
    return subprocess.run(argv, capture_output=True, text=True, timeout=300, check=False, env=environment)


def cut_off(after_s: float, *arguments: str) -> None:
    with subprocess.Popen([SLIPWAY, "lab", *arguments], stderr=subprocess.DEVNULL) as running:
        time.sleep(after_s)
        running.kill()


def succeeded(done):
    assert done.returncode == 0, done.stderr[-3000:]
    return done


@pytest.fixture(scope="module")
def instance(running_lab):  # the shared lab stands beside this one all the time
    before = traces.of(NAME)
    succeeded(slipway("up", NAME))
    yield instances.named(NAME)
    succeeded(slipway("down", NAME))
    after = traces.of(NAME)
    assert after.processes == frozenset()
    for what in ("namespaces", "mounts", "links", "control_groups", "rules"):
        assert not {item for item in getattr(after, what) - getattr(before, what) if NAME in item}, what
    assert not instances.named(NAME).state.exists()
    assert succeeded(running_lab.slipway("lab", "status", INSTANCE)).stdout


def test_up_that_was_cut_off_is_finished_by_the_next(instance):
    succeeded(slipway("down", NAME))
    for after_s in (0.6, 1.2, 2.0, 3.5):
        cut_off(after_s, "up", NAME)
    succeeded(slipway("up", NAME))
    assert succeeded(slipway("status", NAME))


def test_down_that_was_cut_off_is_finished_by_the_next(instance):
    cut_off(0.8, "down", NAME)
    succeeded(slipway("down", NAME))
    assert traces.of(NAME).processes == frozenset()
    succeeded(slipway("up", NAME))


def test_everything_killed_at_once_comes_back(instance):
    for process_id in marked.carriers(instance):
        os.kill(process_id, signal.SIGKILL)
    assert slipway("status", NAME).returncode == 1
    succeeded(slipway("up", NAME))
    succeeded(slipway("status", NAME))


@pytest.mark.parametrize("host", ["platform", "node", "fabric"])
def test_a_lost_namespace_is_made_again(instance, host):
    subprocess.run(["ip", "netns", "delete", instance.namespace(host)], check=True, timeout=20)
    succeeded(slipway("up", NAME))
    succeeded(slipway("status", NAME))
    for item in (instances.PLATFORM, instances.NODE, instances.INTERNET):
        assert network.is_attached(instance, item)


def test_a_name_that_is_taken_says_by_whom(instance):
    with tempfile.TemporaryDirectory(prefix="taken-") as folder:
        refused = slipway("up", NAME, state=Path(folder))
        assert refused.returncode == 1
        assert f"with its state below {instance.state.parents[1]}" in refused.stderr
        assert list(Path(folder).iterdir()) == []


def test_two_runs_are_kept_apart(instance):
    with lab.holding(instance):
        refused = slipway("up", NAME)
    assert refused.returncode == 4
    assert f"process {os.getpid()} works on the lab {NAME}" in refused.stderr


def test_a_shell_on_a_host_that_is_not_there_names_those_that_are(instance):
    refused = slipway("shell", NAME, "nowhere")
    assert refused.returncode == 1
    assert "there are: fabric, internet, node, platform" in refused.stderr
    inside = subprocess.run(
        [SLIPWAY, "lab", "shell", NAME, "platform"],
        input="ip -brief address show eth0; echo $KUBECONFIG; kubectl get nodes --no-headers\n",
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert instances.PLATFORM_ADDRESS in inside.stdout
    assert str(instance.kubeconfig) in inside.stdout
