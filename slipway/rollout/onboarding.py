"""Let a machine that runs already join the mesh, on trial first, and take it out again.

What can go wrong on the operator's side, a lost connection or a killed process, leaves nothing but a trial on the
machine, which ends by itself.
"""

import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from slipway.machines import onboarding, preflight
from slipway.manifests import guard
from slipway.world import process, remote

_SURVEY_TIMEOUT_S = 60.0
_INSTALL_TIMEOUT_S = 900.0
_STAGE_TIMEOUT_S = 120.0
_PAUSE_S = 0.5
_MARGIN_S = 3.0  # a confirmation is on the machine before its timer ends
CONFIRMED = "confirmed"


class OnboardingError(Exception):
    """A stage failed on the machine, or its trial did; says what became of the machine."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """How a capture is tried: it reverts by itself after ``revert_s`` seconds.

    ``check`` is a command of the operator's own computer that has to succeed before it is confirmed; empty: none.
    """

    revert_s: int
    check: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Onboarding:
    """One machine: ``credentials`` are asked for when they are needed, ``say`` tells people how far it is."""

    kit: onboarding.Kit
    policy: guard.GuardPolicy
    machine: remote.Remote
    credentials: Callable[[], onboarding.Credentials]
    say: Callable[[str], None]

    def plan(self) -> preflight.Plan:
        """Look at the machine and say what would happen. Raises OnboardingError and RemoteError."""
        before_s = time.time()
        facts = self._ask("survey", timeout_s=_SURVEY_TIMEOUT_S)["facts"]
        # Its clock was read somewhere in between: only what cannot be explained by that is skew.
        early, late = facts["clock_s"] - time.time(), facts["clock_s"] - before_s
        skew_s = 0.0 if early <= 0 <= late else min(early, late, key=abs)
        return preflight.judge(self.kit, self.policy, facts, clock_skew_s=skew_s)

    def onboard(self, plan: preflight.Plan, trial: Trial) -> None:
        """Install, capture on trial, verify over new connections, confirm; nothing where all is done already.

        Raises OnboardingError and RemoteError; the trial has been ended then, or ends by itself.
        """
        if plan.is_current:
            return
        self.say("installing; nothing is started yet")
        self._ask("install", timeout_s=_INSTALL_TIMEOUT_S)
        credentials = self.credentials()
        if plan.stage == CONFIRMED:
            self.say("applying the new files")
            self._ask("update", credentials=credentials, timeout_s=_STAGE_TIMEOUT_S)
            return
        self.say(f"capturing; it reverts by itself after {trial.revert_s} s unless it is confirmed")
        end = time.monotonic() + trial.revert_s - _MARGIN_S
        try:
            done = self._ask("capture", credentials=credentials, revert_s=trial.revert_s, timeout_s=trial.revert_s)
            self.say(f"captured; {done['adopted']} connections that were open are kept")
            self._verify(plan, trial, end)
            self._ask("confirm", timeout_s=max(1.0, end - time.monotonic()))
        except (OnboardingError, remote.RemoteError, process.CommandFailed) as error:
            raise OnboardingError(f"{error}\n{self._reverted(trial)}") from error
        except KeyboardInterrupt:
            self.say(self._reverted(trial))
            raise
        self.say("confirmed")

    def retire(self) -> bool:
        """Put back what was there before, and say whether there was anything. Raises as :meth:`onboard`."""
        facts = self._ask("survey", timeout_s=_SURVEY_TIMEOUT_S)["facts"]
        self._ask("retire", timeout_s=_INSTALL_TIMEOUT_S)
        return bool(facts["stage"])

    def _verify(self, plan: preflight.Plan, trial: Trial, end: float) -> None:
        """Look at the machine over new connections until all is well, then let the operator's own check run."""
        while missing := self._missing():
            if time.monotonic() > end:
                raise OnboardingError(f"{self.machine.name} is not well: {missing}")
            time.sleep(_PAUSE_S)
        still = self._ask("examine", timeout_s=_SURVEY_TIMEOUT_S)["connections"]
        kept = sum(item.connections for item in preflight.clients(self.kit.ports, still))
        self.say(f"a new connection comes through, the sidecar is ready; clients had {_count(plan)}, have {kept}")
        if trial.check:
            self.say(f"checking: {trial.check}")
            process.run(["/bin/sh", "-c", trial.check], timeout_s=max(1.0, end - time.monotonic()))

    def _missing(self) -> str:
        try:
            seen = self._ask("examine", timeout_s=_SURVEY_TIMEOUT_S)
        except remote.RemoteError as error:
            return str(error)
        silent = sorted({*self.kit.ports} - {*seen["answering"]})
        return "" if seen["ready"] and not silent else f"ready: {seen['ready']}; ports without answer: {silent}"

    def _reverted(self, trial: Trial) -> str:
        """End the trial now, and return what became of it; where that cannot be, the machine does it by itself."""
        try:
            self._ask("revert", timeout_s=_STAGE_TIMEOUT_S)
        except (OnboardingError, remote.RemoteError) as error:
            return f"{self.machine.name} reverts by itself, {trial.revert_s} s after its capture began ({error})"
        return f"{self.machine.name} is as before: guard and capture are off"

    def _ask(
        self,
        stage: str,
        *,
        timeout_s: float,
        revert_s: int = 0,
        credentials: onboarding.Credentials | None = None,
    ) -> dict[str, Any]:
        text = onboarding.document(stage, self.kit, revert_s=revert_s, credentials=credentials)
        hidden = () if credentials is None else (credentials.token,)
        done = self.machine.run(onboarding.command(), stdin=text, timeout_s=timeout_s, redact=hidden)
        lines = done.stdout.strip().splitlines()
        try:
            found: dict[str, Any] = json.loads(lines[-1])
        except (IndexError, ValueError):
            said = done.stderr.strip() or done.stdout.strip() or "nothing"
            message = f"{self.machine.name}: {stage}: exit status {done.exit_status}; it said: {said}"
            raise OnboardingError(message) from None
        if "failed" in found:
            raise OnboardingError(f"{self.machine.name}: {stage}: {found['failed']}")
        return found


def _count(plan: preflight.Plan) -> int:
    return sum(item.connections for item in plan.clients)
