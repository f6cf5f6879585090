"""Machines as runc containers: start, look at, run something in, end.

The disk is mounted in a mount namespace that only the container keeps: when it is gone, so is the mount.
"""

import json
import shlex
import signal
from collections.abc import Mapping, Sequence
from pathlib import Path

import tenacity

from slipway.lab import instance as instances
from slipway.lab import network, texts
from slipway.lab.machines import container, disk, record
from slipway.world import process

_START_TIMEOUT_S = 60.0
_COMMAND_TIMEOUT_S = 20.0
_END_TIMEOUT_S = 30.0
_POWER_OFF = signal.SIGRTMIN + 4  # Source: systemd(1), "SIGRTMIN+4": powers off, as `systemctl poweroff`


def start(
    instance: instances.Instance, name: str, *, base: Path, packages: Mapping[str, str], data_disk: int | None
) -> None:
    """Boot the machine; returns as soon as its first process runs. Its disk and its network have to be there."""
    bundle = record.folder(instance, name) / "bundle"
    configuration = container.configuration(
        root=str(disk.mounted(instance, name)),
        hostname=name,
        network_namespace=str(network.NAMESPACE_FOLDER / instance.namespace(name)),
        control_group=f"{instance.cgroup}/machines/{name}",
        packages=packages,
        data_disk=data_disk,
    )
    texts.write(bundle / "config.json", json.dumps(configuration, indent=2) + "\n", mode=texts.PRIVATE_MODE)
    log(instance, name).parent.mkdir(parents=True, exist_ok=True)
    mount = shlex.join(disk.mount_command(instance, name, base=base))
    run = shlex.join(_runc(instance, "run", "--detach", "--bundle", str(bundle), identity(instance, name)))
    script = f"{mount} && exec {run} >> {shlex.quote(str(log(instance, name)))} 2>&1 < /dev/null"
    argv = ["unshare", "--mount", "--propagation", "private", "--", "/bin/sh", "-c", script]
    done = process.run(argv, timeout_s=_START_TIMEOUT_S, check=False)
    if done.exit_status != 0:
        tail = "\n".join(log(instance, name).read_text(errors="replace").splitlines()[-5:])
        message = f"machine {name} does not start: {done.stderr.strip() or tail}; its log is {log(instance, name)}"
        raise instances.LabError(message)


def state(instance: instances.Instance, name: str) -> tuple[str, int]:
    """Return runc's word for the machine's state (``absent`` when it knows none) and its first process, or 0."""
    argv = _runc(instance, "state", identity(instance, name))
    done = process.run(argv, timeout_s=_COMMAND_TIMEOUT_S, check=False)
    if done.exit_status != 0:
        return ("absent", 0)
    known = json.loads(done.stdout)
    return (known["status"], int(known["pid"]))


def is_running(instance: instances.Instance, name: str) -> bool:
    """Say whether the machine runs, in the network namespace that it has now."""
    word, first = state(instance, name)
    namespace = network.NAMESPACE_FOLDER / instance.namespace(name)
    if word != "running" or not namespace.exists():
        return False
    try:
        return Path(f"/proc/{first}/ns/net").stat().st_ino == namespace.stat().st_ino
    except FileNotFoundError:
        return False  # it has ended since


def root(instance: instances.Instance, name: str) -> Path:
    """Return the running machine's file system as this computer sees it. Raises LabError when it does not run."""
    word, first = state(instance, name)
    if not first:
        message = f"machine {name} is {word}: it ended after its start; its log is {log(instance, name)}"
        raise instances.LabError(message)
    return Path(f"/proc/{first}/root")


def execute(
    instance: instances.Instance,
    name: str,
    argv: Sequence[str],
    *,
    user: str,
    timeout_s: float,
    stdin: bytes | None = None,
    check: bool = True,
    redact: Sequence[str] = (),
) -> process.Completed:
    """Run ``argv`` on the machine as ``user``."""
    words = argv if user == "root" else ("runuser", "-u", user, "--", *argv)
    command = _runc(instance, "exec", "--cwd", "/", identity(instance, name), *words)
    return process.run(command, timeout_s=timeout_s, stdin=stdin, check=check, redact=redact)


def stop(instance: instances.Instance, name: str, *, timeout_s: float = _END_TIMEOUT_S) -> None:
    """Power the machine off, and pull its plug when it is not off after ``timeout_s`` seconds."""
    if state(instance, name)[0] == "running":
        _signal(instance, name, int(_POWER_OFF))
        _wait_for_end(instance, name, timeout_s=timeout_s)
    end(instance, name)


def end(instance: instances.Instance, name: str) -> None:
    """Pull the machine's plug and forget its container. One that is not there is fine."""
    word, _ = state(instance, name)
    if word == "absent":
        return
    if word != "stopped":
        _signal(instance, name, int(signal.SIGKILL))
        if not _wait_for_end(instance, name, timeout_s=_END_TIMEOUT_S):
            message = f"machine {name} does not end within {_END_TIMEOUT_S:g} s of SIGKILL"
            raise instances.LabError(message)
    process.run(_runc(instance, "delete", "--force", identity(instance, name)), timeout_s=_COMMAND_TIMEOUT_S)


def identity(instance: instances.Instance, name: str) -> str:
    """Return the container's name."""
    return f"slipway-{instance.name}-{name}"


def log(instance: instances.Instance, name: str) -> Path:
    """Return where the container's own output goes; the machine's journal is on its disk."""
    return instance.log_folder / f"machine-{name}.log"


def _runc(instance: instances.Instance, *words: str) -> tuple[str, ...]:
    return ("runc", "--root", str(instance.state / "runc-machines"), *words)


def _signal(instance: instances.Instance, name: str, number: int) -> None:
    argv = _runc(instance, "kill", identity(instance, name), str(number))
    process.run(argv, timeout_s=_COMMAND_TIMEOUT_S, check=False)


def _wait_for_end(instance: instances.Instance, name: str, *, timeout_s: float) -> bool:
    waiting = tenacity.Retrying(
        stop=tenacity.stop_after_delay(timeout_s),
        wait=tenacity.wait_fixed(0.1),
        retry=tenacity.retry_if_result(lambda word: word == "running"),
        retry_error_callback=lambda _: "running",
    )
    return waiting(lambda: state(instance, name)[0]) != "running"
