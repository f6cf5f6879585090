"""What a program takes: processor seconds and peak memory of the whole process, by a small one that starts it.

A process has its parent's memory as its own peak until it becomes another program, so that a large parent would hide
what a small program takes. Source: Linux fs/exec.c, exec_mmap: the peak of the old memory is kept.
"""

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

_TIMEOUT_S = 3600.0
_STARTER = """
import json, os, sys
pid = os.posix_spawnp(sys.argv[2], sys.argv[2:], os.environ)
_, status, used = os.wait4(pid, 0)
with open(int(sys.argv[1]), "w") as told:
    json.dump([os.waitstatus_to_exitcode(status), used.ru_utime + used.ru_stime, used.ru_maxrss], told)
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Spent:
    """What one process took: processor seconds of itself and its children, peak memory; and what it wrote."""

    cpu_s: float
    peak_mib: float
    output: bytes


def spent(
    argv: Sequence[str],
    *,
    folder: Path | None = None,
    environment: Mapping[str, str] | None = None,
    exit_statuses: Sequence[int] = (0,),
) -> Spent:
    """Run a program and return what it took; raises RuntimeError for none of ``exit_statuses``."""
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as told, tempfile.TemporaryFile() as figures:
        starter = [sys.executable, "-I", "-S", "-c", _STARTER, str(figures.fileno()), *argv]
        subprocess.run(
            starter,
            cwd=folder,
            env=None if environment is None else dict(environment),
            stdout=out,
            stderr=told,
            pass_fds=(figures.fileno(),),
            timeout=_TIMEOUT_S,
            check=True,
        )
        for file in (out, told, figures):
            file.seek(0, os.SEEK_SET)
        status, cpu_s, peak_kib = json.load(figures)
        if status not in exit_statuses:
            raise RuntimeError(f"{' '.join(argv)}: exit status {status}: {told.read()[-500:]!r}")
        return Spent(cpu_s=cpu_s, peak_mib=peak_kib / 1024, output=out.read())
