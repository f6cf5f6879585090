"""Plain `pulumi preview` of the lab's own stack: what a change gains and loses, and no secret with it."""

import os
import shutil
import subprocess
import sys

import access_example
import needles
import pytest
from access_example import CALLED, CHANGED
from running import ROOT, succeed

pytestmark = pytest.mark.lab


class Project:
    """A copy of the checkout's program on the lab's own backend; ``told`` is all that was printed."""

    def __init__(self, folder, running_lab) -> None:
        self.folder = folder
        self._variables = {**os.environ, **running_lab.variables}
        self.told = ""
        for name in ("__main__.py", "Pulumi.yaml"):
            shutil.copy(ROOT / name, folder / name)
        for name in ("stacks", "examples"):
            shutil.copytree(ROOT / name, folder / name)
        (folder / ".venv").symlink_to(sys.prefix)

    def pulumi(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run plain `pulumi` here, with nothing but the printed variables."""
        done = subprocess.run(
            ["pulumi", "--non-interactive", *arguments],
            cwd=self.folder,
            env=self._variables,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )
        self.told += done.stdout + done.stderr
        return succeed(done)

    def calls(self, stack: str) -> list[str]:
        """Return what a preview says of calls, without the reasons."""
        return access_example.told(self.pulumi("preview", "--stack", stack).stdout)


@pytest.fixture
def project(running_lab, tmp_path):
    return Project(tmp_path, running_lab)


def _leaks(running_lab, text: bytes) -> list[str]:
    shaped = [pattern.pattern.decode() for pattern in (needles.TOKEN, needles.KEY) if pattern.search(text)]
    return [*shaped, *(name for name, needle in needles.of(running_lab).items() if needle in text)]


def test_one_changed_path_is_exactly_one_call_gained_and_one_lost(running_lab, project):
    project.pulumi("preview", "--stack", "lab", "--diff")
    assert "no call is gained, lost or changed" in project.told
    access_example.change(project.folder)
    assert project.calls("lab") == CHANGED
    state = project.pulumi("stack", "export", "--stack", "lab", "--show-secrets").stdout
    assert "slipway:index:Environment" in state
    assert _leaks(running_lab, project.told.encode()) == []
    plain = succeed(running_lab.pulumi("preview", "--stack", "lab")).stdout
    assert "no call is gained, lost or changed" in plain


def test_a_first_preview_of_a_new_stack_gains_every_call(running_lab, project):
    stacks = project.folder / "stacks"
    for pattern in ("{}.yaml", "Pulumi.{}.yaml"):
        shutil.copy(stacks / pattern.format("lab"), stacks / pattern.format("fresh"))
    project.pulumi("stack", "init", "fresh")
    try:
        told = project.calls("fresh")
    finally:
        project.pulumi("stack", "rm", "fresh", "--yes")
    assert told[0] == "calls gained: 7, lost: 0, changed in kind: 0"
    assert f"  gained: shop/orders -> {CALLED} POST /invoices" in told
    assert not [line for line in told if line.startswith(("  lost", "  changed"))]
    assert _leaks(running_lab, project.told.encode()) == []
