"""The Pulumi command line, in the environment of one stack."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from slipway.world import process

SHORT_TIMEOUT_S = 120
ACCESS_FILE_VARIABLE = "SLIPWAY_ACCESS_FILE"


@dataclass(frozen=True, slots=True, kw_only=True)
class Stack:
    """One stack of the checkout ``folder``; ``environment`` is added to this process's own for every command."""

    name: str
    folder: Path
    environment: Mapping[str, str]

    def select(self) -> None:
        """Select the stack, and make it first if the backend does not have it. Raises CommandFailed."""
        self._run("stack", "select", "--create", self.name)

    def attached(self, *arguments: str) -> int:
        """Run a Pulumi command on this terminal and return its exit status."""
        return process.run_attached(
            ("pulumi", *arguments, "--stack", self.name), env=self.environment, cwd=self.folder
        )

    def preview(self, *arguments: str, access_file: Path) -> int:
        """Run a preview with its output on standard error and return its exit status.

        The program writes the calls gained and lost into ``access_file`` instead of logging them.
        """
        return process.run_attached(
            ("pulumi", "preview", "--suppress-permalink=true", *arguments, "--stack", self.name),
            env={**self.environment, ACCESS_FILE_VARIABLE: str(access_file)},
            cwd=self.folder,
            stdout=process.STDERR,
        )

    def outputs(self) -> dict[str, Any]:
        """Return the stack's outputs with secrets masked. Raises CommandFailed."""
        return json.loads(self._run("stack", "output", "--json", "--stack", self.name))

    def _run(self, *arguments: str) -> str:
        command: Sequence[str] = ("pulumi", "--non-interactive", *arguments)
        done = process.run(command, timeout_s=SHORT_TIMEOUT_S, env=self.environment, cwd=self.folder)
        return done.stdout
