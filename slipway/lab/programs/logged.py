"""Run a long build: its output in a file, bounded in time, and gone when we are gone."""

import contextlib
import os
import shutil
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from slipway.world import process

TAIL_LINES = 25
POLL_S = 0.25
REPORT_EVERY_S = 5.0
END_TIMEOUT_S = 20.0


def run(
    argv: Sequence[str],
    *,
    log: Path,
    cwd: Path,
    env: Mapping[str, str],
    timeout_s: float,
    stop: threading.Event,
    report: Callable[[str], None],
) -> None:
    """Run ``argv`` to its end, append what it prints to ``log``, and ``report`` how far it is every few seconds.

    ``timeout_s`` is in seconds; ``env`` is added to the environment of this process. When ``stop`` is set the
    program is ended. Raises :class:`process.CommandFailed` with the tail of the output and the path of the log.
    """
    start = log.stat().st_size if log.exists() else 0
    deadline = time.monotonic() + timeout_s
    with log.open("ab") as output:
        child = subprocess.Popen(
            [*_die_with_us(), *argv],
            cwd=cwd,
            env={**os.environ, **env},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    try:
        reason = _wait(child, deadline=deadline, stop=stop, report=lambda: report(_how_far(log, start)))
    finally:
        _end(child)
    if reason is None and child.returncode != 0:
        reason = f"exit status {child.returncode}"
    if reason is not None:
        raise process.CommandFailed(argv, exit_status=child.returncode, stderr=_tail(log, start), reason=reason)


def _wait(
    child: subprocess.Popen[bytes],
    *,
    deadline: float,
    stop: threading.Event,
    report: Callable[[], None],
) -> str | None:
    next_report = time.monotonic() + REPORT_EVERY_S
    while child.poll() is None:
        if stop.wait(POLL_S):
            return "stopped"
        now = time.monotonic()
        if now > deadline:
            return "no end within the time allowed"
        if now >= next_report:
            report()
            next_report = now + REPORT_EVERY_S
    return None


def _die_with_us() -> list[str]:
    # Otherwise a build goes on beside the next attempt after this process was killed. Not INT: whoever was started
    # in the background by a shell ignores it, and so do all its children.
    setpriv = shutil.which("setpriv")
    return [] if setpriv is None else [setpriv, "--pdeathsig", "TERM", "--"]


def _end(child: subprocess.Popen[bytes]) -> None:
    if child.poll() is not None:
        return
    os.killpg(child.pid, signal.SIGTERM)
    with contextlib.suppress(subprocess.TimeoutExpired):
        child.wait(timeout=END_TIMEOUT_S)
    with contextlib.suppress(ProcessLookupError):
        os.killpg(child.pid, signal.SIGKILL)
    child.wait()


def _printed(log: Path, start: int) -> list[str]:
    with log.open("rb") as output:
        output.seek(start)
        return output.read().decode(errors="replace").splitlines()


def _how_far(log: Path, start: int) -> str:
    lines = _printed(log, start)
    return (
        f"{len(lines)} packages so far, {lines[-1]}"
        if lines
        else "nothing compiled so far: resolving, or linking what is cached"
    )


def _tail(log: Path, start: int) -> str:
    return "\n".join([*_printed(log, start)[-TAIL_LINES:], f"whole output: {log}"])
