"""Network namespaces by name: made, given links and addresses, removed together with the processes in them."""

import contextlib
import json
import os
import signal
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import tenacity

from slipway.lab import instance as instances
from slipway.world import process

FOLDER = Path("/run/netns")
_TIMEOUT_S = 20.0


def is_there(namespace: str) -> bool:
    """Say whether the namespace exists, and not only the file that a killed `ip netns add` leaves."""
    path = FOLDER / namespace
    return path.exists() and path.stat().st_dev != FOLDER.stat().st_dev


def make(namespace: str, settings: Sequence[str]) -> None:
    """Make the namespace where it is missing, with ``settings`` of its kernel (`name=value`) and its loopback up."""
    if not is_there(namespace):
        (FOLDER / namespace).unlink(missing_ok=True)
        process.run(["ip", "netns", "add", namespace], timeout_s=_TIMEOUT_S)
    argv = ["nsenter", f"--net={FOLDER / namespace}", "--", "sysctl", "--quiet", "--write", *settings]
    process.run(argv, timeout_s=_TIMEOUT_S)
    batch(namespace, ["link set dev lo up"])


def remove(namespace: str) -> None:
    """Remove the namespace. One that is not there is fine."""
    if is_there(namespace):
        process.run(["ip", "netns", "delete", namespace], timeout_s=_TIMEOUT_S)
    (FOLDER / namespace).unlink(missing_ok=True)


def links(namespace: str) -> dict[str, dict[str, Any]]:
    """Return the namespace's links by name, as `ip -json address show` tells them."""
    done = process.run(["ip", "-n", namespace, "-json", "address", "show"], timeout_s=_TIMEOUT_S)
    return {link["ifname"]: link for link in json.loads(done.stdout or "[]")}


def batch(namespace: str, lines: Sequence[str]) -> None:
    """Run lines of `ip` in the namespace; the first that fails ends it and raises CommandFailed."""
    text = "".join(f"{line}\n" for line in lines).encode()
    process.run(["ip", "-n", namespace, "-batch", "-"], timeout_s=_TIMEOUT_S, stdin=text)


def end_processes(namespace: str) -> None:
    """End every process in a network namespace, politely first; limited to ten seconds."""
    for sent, patience in ((signal.SIGTERM, 4), (signal.SIGKILL, 16)):
        for identity in _processes(namespace):
            with contextlib.suppress(ProcessLookupError):
                os.kill(identity, sent)
        waiting = tenacity.Retrying(
            stop=tenacity.stop_after_attempt(patience * 4),
            wait=tenacity.wait_fixed(0.125),
            retry=tenacity.retry_if_result(bool),
            retry_error_callback=lambda _: True,
        )
        if not waiting(lambda: any(_processes(namespace))):
            return
    msg = f"processes in {namespace} do not end: {', '.join(map(str, _processes(namespace)))}"
    raise instances.LabError(msg)


def _processes(namespace: str) -> list[int]:
    wanted = (FOLDER / namespace).stat().st_ino
    return [identity for identity, inode in _process_namespaces() if inode == wanted]


def _process_namespaces() -> Iterator[tuple[int, int]]:
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit():
            with contextlib.suppress(FileNotFoundError, ProcessLookupError, PermissionError):
                yield int(folder.name), (folder / "ns/net").stat().st_ino
