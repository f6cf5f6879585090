# ruff: noqa: INP001 - part of a program for another computer, not of the toolkit
"""Guard and capture on and off, so that connections that are open stay open; and the timer that takes them away."""

import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from . import connections, hba, saved
from .survey import ready, run, tables

PROGRAM = "/usr/local/lib/slipway/onboard"
APPLY = "/usr/local/lib/slipway/apply"
REVERT = "slipway-revert"
AT_BOOT = "slipway-revert-at-boot.service"
GUARD = "slipway-guard.service"
_SETTINGS = "/var/lib/istio/envoy/cluster.env"
_AGENT = "/usr/local/bin/pilot-agent"
# While they are there the sidecar starts without its rules, so that it has everything from istiod before anything is
# sent to it, and the guard without the closed one before it, which would reset connections in their middle.
# Source: istio 1.29.1, tools/packaging/common/istio-start.sh `ISTIO_CUSTOM_IP_TABLES`; systemd.service(5), an empty
# assignment.
_WARMING = {
    Path("/run/systemd/system/istio.service.d/50-slipway-warming.conf"): "Environment=ISTIO_CUSTOM_IP_TABLES=true",
    Path("/run/systemd/system/slipway-guard.service.d/50-slipway-warming.conf"): "ExecStartPre=",
}
_TRACKING = """\
table inet slipway_tracking
delete table inet slipway_tracking
table inet slipway_tracking {
  chain inbound { type filter hook prerouting priority -150; policy accept; ct state new accept; }
  chain outbound { type filter hook output priority -150; policy accept; ct state new accept; }
}
"""


class Refused(Exception):  # noqa: N818 - reads as the sentence that it is
    """The machine is not at the stage that a step needs, or does not get there."""


def capture(wanted: dict[str, Any], end: float) -> int:
    """Load the rules so that what is open stays open, and return how many connections those are.

    First the kernel's connection tracking knows every open connection, then the sidecar has everything from istiod,
    and only then new connections are sent to it.
    """
    run("nft", "--file", "-", stdin=_TRACKING)
    adopted = connections.adopt(connections.sockets())
    _extend_access(wanted["postgres"])
    _begin_warming()
    run("systemctl", "start", GUARD)
    Path("/var/lib/slipway/sidecar-settings").unlink(missing_ok=True)
    run(APPLY, "start")
    wait_until_ready(end)
    run("/bin/sh", "-c", f"set -a; . {_SETTINGS}; exec {_AGENT} istio-iptables")
    _end_warming()
    return adopted


def _begin_warming() -> None:
    for path, line in _WARMING.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"[Service]\n{line}\n")
    run("systemctl", "daemon-reload")


def _end_warming() -> None:
    for path in _WARMING:
        path.unlink(missing_ok=True)
        if path.parent.is_dir():
            path.parent.rmdir()
    run("systemctl", "daemon-reload")


def let_through() -> None:
    """Let everything through again: the guard first, then the capture, then the sidecar, then what they leave.

    One step that fails does not keep the others from being done; what failed is said at the end. Raises Refused.
    """
    failures: list[str] = []
    for step in (_remove_guard, _remove_capture, _stop_sidecar, _remove_tables, _restore_access):
        try:
            step()
        except (OSError, subprocess.SubprocessError) as error:
            failures.append(f"{step.__name__.strip('_')}: {told(error)}")
    if failures:
        raise Refused("; ".join(failures))


def _remove_guard() -> None:
    names = ("slipway_guard", "slipway_tracking")
    run("nft", "--file", "-", stdin="".join(f"table inet {name}\ndelete table inet {name}\n" for name in names))


def _remove_capture() -> None:
    if Path(_AGENT).exists() and Path(_SETTINGS).exists():
        run("/bin/sh", "-c", f"set -a; . {_SETTINGS}; exec {_AGENT} istio-iptables --cleanup-only")


def _remove_tables() -> None:
    """Remove what iptables leaves behind: its tables, empty, where there were none before."""
    known = {tuple(item) for item in saved.before()["facts"]["tables"]}
    for item in tables():
        if not item["rules"] and (item["family"], item["table"]) not in known:
            run("nft", "delete", "table", item["family"], item["table"])


def _stop_sidecar() -> None:
    _end_warming()
    for unit in ("slipway-token-refresh.timer", "slipway-token.service", "istio.service", GUARD):
        quietly("systemctl", "disable", "--now", "--quiet", unit)


def _restore_access() -> None:
    _change_access(hba.without)


def _extend_access(has_postgres: bool) -> None:
    if has_postgres:
        _change_access(hba.extended)


def _change_access(change: Callable[[str], str]) -> None:
    for path in hba.files():
        text = path.read_text()
        changed = change(text)
        if changed != text:
            found = path.stat()
            saved.write(path, changed.encode(), mode=found.st_mode & 0o7777, owner=(found.st_uid, found.st_gid))
            run("pg_ctlcluster", path.parent.parent.name, path.parent.name, "reload")


def arm(seconds: int) -> None:
    """Let the machine revert by itself after ``seconds``, and again every ten where that fails."""
    disarm()
    run("systemctl", "enable", "--quiet", AT_BOOT)
    quietly("systemctl", "reset-failed", f"{REVERT}.service")
    times = (f"--on-active={seconds}", "--on-unit-inactive=10", "--timer-property=AccuracySec=100ms")
    argv = ("/usr/bin/python3", "-I", PROGRAM, "revert")
    run("systemd-run", f"--unit={REVERT}", "--collect", "--quiet", *times, "--", *argv)


def disarm() -> None:
    """Stop the timer and the unit at boot, and leave their services alone: that may be who asks."""
    quietly("systemctl", "disable", "--quiet", AT_BOOT)
    quietly("systemctl", "stop", f"{REVERT}.timer")


def wait_until_ready(end: float) -> None:
    """Wait for the sidecar until ``end`` of the monotonic clock; raises Refused with the last lines of its log."""
    while not ready():
        if time.monotonic() > end:
            log = Path("/var/log/istio/istio.log")
            tail = log.read_text(errors="replace").splitlines()[-3:] if log.exists() else []
            raise Refused(f"the sidecar is not ready in time: {' | '.join(tail) or 'it has no log'}")
        time.sleep(0.1)


def quietly(*argv: str) -> None:
    """Run what may have nothing to do: a unit or a table that is not there."""
    subprocess.run(argv, capture_output=True, timeout=60, check=False)


def told(error: Exception) -> str:
    """Return what a step failed of, with the last lines that its program said."""
    said = str(getattr(error, "stderr", "") or "").strip().splitlines()
    return f"{error}{': ' + said[-1] if said else ''}"
