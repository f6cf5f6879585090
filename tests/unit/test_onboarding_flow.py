"""The order of an onboarding, and what becomes of a machine when something fails: against the public fake."""

import json
from typing import Any

import pytest
import yaml
from machine_example import made
from onboarding_example import OPEN, facts, kit, machine_arguments

from slipway.machines import onboarding as kits
from slipway.machines import user_data
from slipway.rollout import onboarding
from slipway.world import remote, remote_fake

TRIAL = onboarding.Trial(revert_s=30)
WELL = {"ready": True, "answering": [5432], "connections": facts()["connections"], "stage": "capturing"}


class Machine:
    """Answers each stage as ``answers`` says; a stage that it has none for is done."""

    def __init__(self, **answers: Any) -> None:
        self.answers = {"survey": {"facts": facts()}, "capture": {"adopted": 2}, "examine": WELL, **answers}
        self.remote = remote_fake.FakeRemote(answer=self.answer)
        self.said = []

    def answer(self, _, stdin):
        found = self.answers.get(json.loads(stdin)["stage"], {})
        if isinstance(found, BaseException):
            raise found
        return remote.Answer(exit_status=0, stdout="motd\n" + json.dumps(found) + "\n", stderr="")

    @property
    def stages(self):
        return [json.loads(stdin)["stage"] for _, stdin in self.remote.asked]

    def onboarding(self):
        return onboarding.Onboarding(
            kit=kit(),
            policy=OPEN,
            machine=self.remote,
            credentials=lambda: kits.Credentials(token="eyJ.token", root_certificate="PEM"),
            say=self.said.append,
        )

    def onboard(self, trial=TRIAL):
        known = self.onboarding()
        known.onboard(known.plan(), trial)


def test_nothing_is_captured_before_all_is_installed_and_nothing_confirmed_before_all_is_seen():
    machine = Machine()
    machine.onboard()
    assert machine.stages == ["survey", "install", "capture", "examine", "examine", "confirm"]


def test_the_token_goes_to_the_capture_over_standard_input_alone():
    machine = Machine()
    machine.onboard()
    holders = [json.loads(stdin)["stage"] for command, stdin in machine.remote.asked if b"eyJ.token" in stdin]
    assert holders == ["capture"]
    assert not any("eyJ" in command for command, _ in machine.remote.asked)


def test_a_machine_that_is_current_is_left_alone():
    current = facts(stage="confirmed", digest=kit().digest)
    machine = Machine(survey={"facts": current})
    machine.onboard()
    assert machine.stages == ["survey"]


def test_new_files_on_a_confirmed_machine_never_open_it():
    machine = Machine(survey={"facts": facts(stage="confirmed", digest="other")})
    machine.onboard()
    assert machine.stages == ["survey", "install", "update"]


@pytest.mark.parametrize(
    "answers",
    [
        {"capture": {"failed": "the sidecar is not ready in time: it has no log"}},
        {"capture": remote.RemoteError("ssh db-vm: closed")},
        {"confirm": {"failed": "the capture is gone"}},
    ],
)
def test_what_fails_after_the_capture_began_is_reverted_at_once(answers):
    machine = Machine(**answers)
    with pytest.raises(onboarding.OnboardingError, match="fake is as before: guard and capture are off"):
        machine.onboard()
    assert machine.stages[-1] == "revert"


def test_a_check_that_fails_is_reverted():
    machine = Machine()
    with pytest.raises(onboarding.OnboardingError, match="exit status 3"):
        machine.onboard(onboarding.Trial(revert_s=30, check="exit 3"))
    assert machine.stages[-1] == "revert"
    assert "confirm" not in machine.stages


def test_a_machine_that_cannot_be_told_reverts_by_itself():
    machine = Machine(capture=remote.RemoteError("ssh: no route"), revert=remote.RemoteError("ssh: no route"))
    with pytest.raises(onboarding.OnboardingError, match="fake reverts by itself, 30 s after its capture began"):
        machine.onboard()


def test_an_interrupt_reverts_too():
    machine = Machine(examine=KeyboardInterrupt())
    with pytest.raises(KeyboardInterrupt):
        machine.onboard()
    assert machine.stages[-1] == "revert"


def test_a_failure_before_the_capture_needs_no_way_back():
    machine = Machine(install={"failed": "sha256sum: WARNING"})
    with pytest.raises(onboarding.OnboardingError, match="sha256sum"):
        machine.onboard()
    assert machine.stages == ["survey", "install"]


def test_an_answer_that_is_none_is_told_as_it_came():
    machine = Machine()
    machine.remote = remote_fake.FakeRemote(
        answer=lambda *_: remote.Answer(exit_status=1, stdout="", stderr="sudo: a password is required\n")
    )
    with pytest.raises(onboarding.OnboardingError, match="survey: exit status 1; it said: sudo: a password"):
        machine.onboarding().plan()


def test_retiring_says_whether_there_was_anything():
    assert not Machine().onboarding().retire()
    assert Machine(survey={"facts": facts(stage="confirmed")}).onboarding().retire()


def test_the_files_are_those_of_the_user_data():
    """The same function makes them: whatever cloud-init would write is written, and nothing else."""
    booted = made("billing-vm")
    written = yaml.safe_load(user_data._cloud_config(booted))["write_files"]
    known = {file.path: file.content for file in kits.kit(booted).files}
    assert {item["path"]: item["content"] for item in written}.items() <= known.items()
    assert {*known} - {item["path"] for item in written} == {
        *(file.path for file in user_data.guard_files(booted)),
        "/etc/systemd/system/slipway-revert-at-boot.service",
    }


def test_a_machine_without_an_identity_gets_no_token_units():
    paths = {file.path for file in kits.kit(machine_arguments()).files}
    assert not [path for path in paths if "token" in path]
    assert "/usr/local/lib/slipway/apply" in paths
