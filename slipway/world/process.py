"""Run one program: bounded in time, its secrets redacted, its failure told whole."""

import os
import subprocess
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

STDERR = 2  # its file descriptor
STDERR_TAIL_LINES = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Completed:
    """A finished program: what ran, how it ended, what it printed, how long it took."""

    argv: tuple[str, ...]
    exit_status: int
    stdout: str
    stderr: str
    duration_s: float


class CommandFailed(Exception):  # noqa: N818 - reads as the sentence that it is
    """A program could not be started, ran out of time or ended with a non-zero status."""

    def __init__(self, argv: Sequence[str], *, exit_status: int | None, stderr: str, reason: str) -> None:
        tail = "\n".join(stderr.strip().splitlines()[-STDERR_TAIL_LINES:])
        super().__init__(f"{' '.join(argv)}: {reason}" + (f"\n{tail}" if tail else ""))
        self.argv = tuple(argv)
        self.exit_status = exit_status
        self.stderr = stderr
        self.reason = reason


def _redact(text: str, secrets: Sequence[str]) -> str:
    for secret in secrets:
        if secret:
            text = text.replace(secret, "[redacted]")
    return text


def run(
    argv: Sequence[str],
    *,
    timeout_s: float,
    cwd: Path | None = None,
    env: Mapping[str, str] | None = None,
    stdin: bytes | None = None,
    check: bool = True,
    redact: Sequence[str] = (),
) -> Completed:
    """Run ``argv`` to its end and return what it printed.

    ``timeout_s`` is in seconds and kills the program; ``env`` is added to the environment of this process;
    every string in ``redact`` is replaced in the output and in errors. Secrets belong into ``stdin``, never
    into ``argv``. Raises :class:`CommandFailed` on a missing program, on a timeout, and, with ``check``, on a
    non-zero exit status.
    """
    words = tuple(str(word) for word in argv)
    shown = tuple(_redact(word, redact) for word in words)
    started = time.monotonic()
    try:
        done = subprocess.run(  # noqa: PLW1510 - checked below, with redaction
            words,
            cwd=cwd,
            env=None if env is None else {**os.environ, **env},
            input=b"" if stdin is None else stdin,
            capture_output=True,
            timeout=timeout_s,
        )
    except FileNotFoundError as error:
        raise CommandFailed(shown, exit_status=None, stderr="", reason=f"{words[0]} not found") from error
    except subprocess.TimeoutExpired as error:
        stderr = _redact((error.stderr or b"").decode(errors="replace"), redact)
        reason = f"no end after {timeout_s:g} s"
        raise CommandFailed(shown, exit_status=None, stderr=stderr, reason=reason) from error
    stdout = _redact(done.stdout.decode(errors="replace"), redact)
    stderr = _redact(done.stderr.decode(errors="replace"), redact)
    if check and done.returncode != 0:
        tail = stderr or stdout
        raise CommandFailed(shown, exit_status=done.returncode, stderr=tail, reason=f"exit status {done.returncode}")
    return Completed(
        argv=shown,
        exit_status=done.returncode,
        stdout=stdout,
        stderr=stderr,
        duration_s=time.monotonic() - started,
    )


def run_attached(
    argv: Sequence[str],
    *,
    env: Mapping[str, str] | None = None,
    cwd: Path | None = None,
    stdout: int | None = None,
) -> int:
    """Run ``argv`` on this terminal and return its exit status; its output is the user's to see.

    ``stdout`` is the file descriptor for its standard output, when that is not this process's own.

    Ctrl-C reaches the program, which ends in its own way; this process waits for it, so that nothing is lost.
    Raises :class:`CommandFailed` when the program does not exist.
    """
    words = tuple(str(word) for word in argv)
    try:
        child = subprocess.Popen(words, cwd=cwd, env=None if env is None else {**os.environ, **env}, stdout=stdout)
    except FileNotFoundError as error:
        raise CommandFailed(words, exit_status=None, stderr="", reason=f"{words[0]} not found") from error
    while True:
        try:
            return child.wait()
        except KeyboardInterrupt:
            continue
