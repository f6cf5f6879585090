"""`slipway onboard` and `slipway retire` as a user types them, as far as nothing has to be reached."""

import dataclasses

import pytest
from click.testing import CliRunner
from onboarding_example import OPEN, facts, kit

from slipway import cli
from slipway.cli import onboard
from slipway.machines import preflight

RUNNER = CliRunner()
MESH = """\
mesh: ledger
services:
  books: {namespace: ledger, runsOn: [books-vm], ports: {postgres: 5432}}
"""
EXISTING = """\
platform: existing
revision: "1-29-1"
machines: {books-vm: {address: 10.20.2.12}}
network: {pods: 10.21.0.0/16, services: 10.22.0.0/16, nodes: 10.20.1.0/24, machines: 10.20.2.0/24,
  resolver: 10.20.0.2, metadata: 169.254.169.254, controlPlane: 10.20.1.101, ingress: 10.20.1.100}
phase: {mtls: permissive, egress: open, authorization: "off"}
"""
LAB = """\
platform: lab
revision: "1-29-1"
machines: {books-vm: {address: 10.60.2.12}}
phase: {mtls: permissive, egress: open, authorization: "off"}
"""


@pytest.fixture
def stacks(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    folder = tmp_path / "stacks"
    folder.mkdir()
    (folder / "mesh.yaml").write_text(MESH)
    (folder / "old.yaml").write_text(EXISTING)
    (folder / "lab.yaml").write_text(LAB)
    return folder


def run(*arguments: str, code: int) -> str:
    done = RUNNER.invoke(cli.main, list(arguments))
    assert done.exit_code == code, done.output
    return done.output


@pytest.mark.parametrize("command", ["onboard", "retire"])
@pytest.mark.usefixtures("stacks")
class TestBoth:
    def test_an_unknown_machine_is_told_with_those_that_there_are(self, command):
        assert "old has no machine 'book-vm'; it has: books-vm" in run(command, "old", "book-vm", code=2)

    def test_a_machine_that_slipway_boots_needs_neither(self, command):
        assert "only machines of `platform: existing` are onboarded" in run(command, "lab", "books-vm", code=2)

    def test_help_has_an_example(self, command):
        assert f"Example: slipway {command} prod db-vm --ssh admin@db-vm" in run(command, "--help", code=0)


def test_what_is_to_be_installed_has_to_be_said(stacks):
    said = run("retire", "old", "books-vm", "--yes", code=2)
    assert "stacks/old.yaml has no `sidecar`; add `sidecar: {url: https://..., sha256: ...}`" in said


def test_nothing_is_done_without_being_asked_for(stacks):
    digest = "ab" * 32
    sidecar = f"sidecar: {{url: 'file:///opt/istio-sidecar.deb', sha256: {digest}}}\n"
    (stacks / "old.yaml").write_text(EXISTING + sidecar)
    assert "nothing was changed; say --yes" in run("retire", "old", "books-vm", code=2)


def test_a_plan_says_what_was_found_what_is_allowed_and_the_fix():
    plan = preflight.judge(kit(), OPEN, facts(units=["ufw"]), clock_skew_s=0)
    lines = onboard.as_text("db-vm", plan, revert_s=120).splitlines()
    assert lines == [
        "db-vm cannot join as it is:",
        "  packet filters",
        "    found:   ufw runs",
        "    allowed: no other program that filters or rewrites packets",
        "    fix:     `ufw disable`: say in the declaration who may call",
    ]


def test_a_plan_says_when_it_reverts_and_when_there_is_nothing_to_do():
    plan = preflight.judge(kit(), OPEN, facts(), clock_skew_s=0)
    assert "it reverts by itself 120 s after the capture" in onboard.as_text("db-vm", plan, revert_s=120)
    done = dataclasses.replace(plan, is_current=True)
    assert onboard.as_text("db-vm", done, revert_s=120).endswith("nothing to do")
