# ruff: noqa: INP001 - part of a program for another computer, not of the toolkit
"""The stages of a machine that others booted: installed, captured on trial, confirmed; and the way back from each.

Nothing is switched on for good before the operator has confirmed: until then units are started, not enabled. The
timer that ends the trial stands before the first rule is loaded, and a unit that ends it at a reboot. The one instant
that decides is the rename of the file `stage`: whoever reverts looks at it first, under the same lock.
"""

import contextlib
import os
import pwd
import socket
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from . import connections, saved, traffic
from .survey import ready, run, tables

_READY_TIMEOUT_S = 60.0
_LONG_S = 600.0
_FOLDERS = (
    "/etc/slipway",
    "/usr/local/lib/slipway",
    "/var/lib/slipway",
    "/etc/systemd/system/istio.service.d",
    "/etc/istio",
    "/var/lib/istio",
    "/var/log/istio",
    "/etc/certs",
    "/run/secrets/tokens",
    "/run/secrets",
)


def install(wanted: dict[str, Any]) -> dict[str, Any]:
    """Put everything in place and start nothing; keeps what was there before."""
    paths = [item["path"] for item in wanted["files"]]
    facts = {"user": _has_user("istio-proxy"), "package": _has_package(), "tables": _table_names()}
    saved.keep([*paths, traffic.PROGRAM], folders=_FOLDERS, facts=facts)
    if not saved.stage():
        saved.enter(saved.INSTALLED)
    run("/bin/sh", "-e", "-c", wanted["sidecar_user"])
    for item in wanted["files"]:
        saved.write(Path(item["path"]), item["content"].encode(), mode=int(item["mode"], 8))
    saved.write(Path(traffic.PROGRAM), wanted["program"], mode=0o700)
    run(traffic.APPLY, "install", timeout_s=_LONG_S)
    saved.write(saved.FOLDER / "digest", wanted["digest"].encode())
    return {"stage": saved.stage()}


def capture(wanted: dict[str, Any]) -> dict[str, Any]:
    """Switch guard and capture on, for ``revert_s`` seconds unless they are confirmed; raises Refused."""
    if saved.stage() == saved.CONFIRMED:
        return {"stage": saved.CONFIRMED}
    if saved.stage() == saved.CAPTURING:  # of an operator who is gone
        revert({})
    end, until_s = time.monotonic() + wanted["revert_s"], time.time() + wanted["revert_s"]
    saved.enter(saved.CAPTURING)
    traffic.arm(wanted["revert_s"])
    try:
        _deliver(wanted)
        adopted = traffic.capture(wanted, end)
    except BaseException:
        revert({})
        raise
    return {"stage": saved.CAPTURING, "adopted": adopted, "until_s": until_s}


def update(wanted: dict[str, Any]) -> dict[str, Any]:
    """Bring a machine that is confirmed to other files, as new user-data does: the guard stays closed throughout."""
    if saved.stage() != saved.CONFIRMED:
        raise traffic.Refused("the machine is not confirmed")
    _deliver(wanted)
    run("systemctl", "reload-or-restart", traffic.GUARD)
    run(traffic.APPLY, "start")
    run(traffic.APPLY, "enable")
    traffic.wait_until_ready(time.monotonic() + _READY_TIMEOUT_S)
    return {"stage": saved.CONFIRMED}


def examine(wanted: dict[str, Any]) -> dict[str, Any]:
    """Say how the trial goes: whether the proxy is ready, ports answer, and which connections there are."""
    found = connections.sockets()
    return {
        "stage": saved.stage(),
        "ready": ready(),
        "answering": [port for port in wanted["ports"] if _answers(wanted["address"], port)],
        "connections": [
            {"port": item.port, "remote": item.remote, "remote_port": item.remote_port}
            for item in connections.established(found)
        ],
    }


def confirm(_: dict[str, Any]) -> dict[str, Any]:
    """Keep the capture: from here on nothing reverts by itself. Raises Refused when it has reverted already."""
    if saved.stage() not in {saved.CAPTURING, saved.CONFIRMED}:
        raise traffic.Refused("the capture is gone: it has reverted by itself, because it was not confirmed in time")
    run("systemctl", "enable", "--quiet", traffic.GUARD)
    run(traffic.APPLY, "enable")
    saved.enter(saved.CONFIRMED)
    traffic.disarm()
    traffic.quietly("nft", "delete", "table", "inet", "slipway_tracking")
    return {"stage": saved.CONFIRMED}


def revert(_: dict[str, Any]) -> dict[str, Any]:
    """Take guard and capture away, what lets traffic through first; a confirmed machine is left alone."""
    if saved.stage() != saved.CAPTURING:
        traffic.disarm()
        return {"stage": saved.stage()}
    traffic.let_through()
    saved.enter(saved.INSTALLED)
    traffic.disarm()
    return {"stage": saved.INSTALLED}


def retire(_: dict[str, Any]) -> dict[str, Any]:
    """Put back what was there before; can be repeated after it was cut off anywhere."""
    known = saved.before()
    if not known:
        return {"stage": ""}
    traffic.let_through()
    traffic.disarm()
    if _has_package() and not known["facts"]["package"]:
        run("dpkg", "--purge", "istio-sidecar", timeout_s=_LONG_S)
        Path("/usr/local/bin").mkdir(mode=0o755, exist_ok=True)  # dpkg removes it with the last file in it
    hosts = Path("/etc/hosts")
    mode = hosts.stat().st_mode & 0o7777
    kept = [line for line in hosts.read_text().splitlines(keepends=True) if not line.rstrip().endswith("# slipway")]
    saved.write(hosts, "".join(kept).encode(), mode=mode)
    saved.put_back(known)
    if _has_user("istio-proxy") and not known["facts"]["user"]:
        run("userdel", "istio-proxy")
        traffic.quietly("groupdel", "istio-proxy")
    run("systemctl", "daemon-reload")
    traffic.quietly("systemctl", "reset-failed", "istio.service", traffic.GUARD)
    saved.forget()
    return {"stage": ""}


def _deliver(wanted: dict[str, Any]) -> None:
    """Write the token where the sidecar reads it; the machine's own identity fetches it where there is none here."""
    if not wanted["token"]:
        return
    owner = pwd.getpwnam("istio-proxy")
    numbers = (owner.pw_uid, owner.pw_gid)
    token = Path(wanted["token_file"])
    for folder in (token.parent.parent, token.parent):
        folder.mkdir(mode=0o755, exist_ok=True)
        os.chown(folder, *numbers)
    saved.write(Path(wanted["root_file"]), wanted["root"].encode(), mode=0o644, owner=numbers)
    saved.write(token, wanted["token"].encode(), mode=0o600, owner=numbers)


def _answers(address: str, port: int) -> bool:
    try:
        socket.create_connection((address, port), timeout=2).close()
    except OSError:
        return False
    return True


def _table_names() -> list[tuple[str, str]]:
    return [(item["family"], item["table"]) for item in tables()]


def _has_user(name: str) -> bool:
    with contextlib.suppress(KeyError):
        return bool(pwd.getpwnam(name))
    return False


def _has_package() -> bool:
    argv = ["dpkg-query", "--show", "--showformat=${db:Status-Status}", "istio-sidecar"]
    done = subprocess.run(argv, capture_output=True, text=True, timeout=20, check=False)
    return done.stdout == "installed"


STAGES: dict[str, Callable[[dict[str, Any]], dict[str, Any]]] = {
    "install": install,
    "capture": capture,
    "update": update,
    "examine": examine,
    "confirm": confirm,
    "revert": revert,
    "retire": retire,
}
