"""Whatever is killed comes back, by itself or by `slipway lab up`, and everything is as declared again."""

import json
import os
import signal
from pathlib import Path

import pytest
from running import INSTANCE, succeed

from slipway.lab import supervision
from slipway.lab.machines import api, runtime
from slipway.world import kubernetes

pytestmark = pytest.mark.lab


def kill_service(lab, name: str) -> None:
    found = next(item for item in supervision.states(lab.instance) if item.name == name)
    assert found.process
    os.kill(found.process, signal.SIGKILL)


def kill_in_containers(lab, word: bytes, *, near: str) -> None:
    """Kill the processes whose program is ``word`` and whose control group names ``near``."""
    killed = 0
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            program = (folder / "cmdline").read_bytes().split(b"\0")[0]
            group = (folder / "cgroup").read_text()
            environment = (folder / "environ").read_bytes()
        except OSError:
            continue
        if program.rsplit(b"/", 1)[-1] == word and f"/slipway/{INSTANCE}/" in group and near.encode() in environment:
            os.kill(int(folder.name), signal.SIGKILL)
            killed += 1
    assert killed


KILLS = {
    "the API server": lambda lab: kill_service(lab, "kube-apiserver"),
    "containerd": lambda lab: kill_service(lab, "containerd"),
    "istiod": lambda lab: kill_in_containers(lab, b"pilot-discovery", near="istiod"),
    "an Envoy in a pod": lambda lab: kill_in_containers(lab, b"envoy", near="storefront"),
    "a machine's Envoy": lambda lab: api.execute(
        lab.instance, "billing-vm", ["pkill", "-KILL", "envoy"], timeout_s=20
    ),
    "a machine": lambda lab: os.kill(runtime.state(lab.instance, "billing-vm")[1], signal.SIGKILL),
    "supervisord": lambda lab: os.kill(
        int((lab.instance.state / "supervisor" / "supervisord.pid").read_text()), signal.SIGKILL
    ),
}


@pytest.mark.parametrize("kill", KILLS.values(), ids=KILLS)
def test_it_heals(running_lab, kill):
    kill(running_lab)
    succeed(running_lab.slipway("lab", "up", INSTANCE))

    def unverified() -> str:
        report = running_lab.verify("--undisturbed")
        failed = [line for line in report["findings"] if not line["passed"]]
        return json.dumps(failed, indent=1) if failed else ""

    kubernetes.wait_until("verify after the kill", unverified, timeout_s=120, pause_s=2)
