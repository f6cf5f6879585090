# ruff: noqa: INP001 - part of a program for another computer, not of the toolkit
"""Do one stage on the machine and print its result as one line of JSON: the operator's only way to it.

What is asked for comes on standard input, since it may hold a token; arguments hold none. Once begun, a stage ends
also when the operator's connection is gone.
"""

import fcntl
import json
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

from . import stages, survey, traffic

_LOCK = Path("/run/slipway-onboard.lock")


def main(stage: str, wanted: dict[str, Any]) -> int:
    """Return 0 when the stage was done, 1 when not: the line then says why, under ``failed``."""
    for number in (signal.SIGHUP, signal.SIGPIPE, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
    if stage == "survey":
        return _say({"facts": survey.facts(wanted)})
    with _LOCK.open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # the timer's revert waits here for a confirmation under way, and back
        try:
            result = stages.STAGES[stage](wanted)
        except traffic.Refused as error:
            return _say({"failed": str(error)}, status=1)
        except (OSError, subprocess.SubprocessError) as error:
            return _say({"failed": traffic.told(error)}, status=1)
    return _say({"done": stage, **result})


def _say(document: dict[str, Any], *, status: int = 0) -> int:
    try:
        sys.stdout.write(json.dumps(document, sort_keys=True) + "\n")
        sys.stdout.flush()
    except OSError:
        return 1  # nobody listens any more; what was done is done
    return status
