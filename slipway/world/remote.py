"""Computers that are reached by somebody else's means: one command each time, over a connection of its own."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from slipway.world import process

_CONNECT_TIMEOUT_S = 15


class RemoteError(Exception):
    """A computer could not be reached, or a command there did not end: says which, and what the transport said."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """A command that ended on another computer."""

    exit_status: int
    stdout: str
    stderr: str


class Remote(Protocol):
    """Another computer. The public fake is :class:`slipway.world.remote_fake.FakeRemote`."""

    @property
    def name(self) -> str:
        """What people call it."""
        ...

    def run(self, command: str, *, stdin: bytes, timeout_s: float, redact: Sequence[str] = ()) -> Answer:
        """Run a command for the computer's shell; ``redact`` as for :func:`slipway.world.process.run`.

        Raises :class:`RemoteError` when it cannot be reached, or when there is no end after ``timeout_s`` seconds.
        """
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Ssh:
    """By the system's own OpenSSH client: ssh_config, bastions, agents and known hosts are its business.

    ``config`` is a file instead of the user's own. Each command has a connection of its own, never one that is
    shared: it proves that a new one comes through. Source: ssh_config(5), "ControlPath", "BatchMode".
    """

    host: str
    config: Path | None = None

    @property
    def name(self) -> str:
        """The host, as ssh_config knows it."""
        return self.host

    def run(self, command: str, *, stdin: bytes, timeout_s: float, redact: Sequence[str] = ()) -> Answer:
        """See :meth:`Remote.run`."""
        options = ("BatchMode=yes", "ControlMaster=no", "ControlPath=none", f"ConnectTimeout={_CONNECT_TIMEOUT_S}")
        alive = ("ServerAliveInterval=5", "ServerAliveCountMax=6")
        words = [word for option in (*options, *alive) for word in ("-o", option)]
        file = [] if self.config is None else ["-F", str(self.config)]
        argv = ["ssh", *file, "-T", *words, "--", self.host, command]
        try:
            done = process.run(argv, timeout_s=timeout_s, stdin=stdin, check=False, redact=redact)
        except process.CommandFailed as error:
            raise RemoteError(f"ssh {self.host}: {error.reason} {error.stderr.strip()}".strip()) from error
        if done.exit_status == 255:  # noqa: PLR2004 - ssh(1), "EXIT STATUS": an error of its own
            raise RemoteError(f"ssh {self.host}: {done.stderr.strip()}")
        return Answer(exit_status=done.exit_status, stdout=done.stdout, stderr=done.stderr)
