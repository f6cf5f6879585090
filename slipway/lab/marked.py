"""Processes of a lab by the variable that each of them carries, whoever started them.

What supervisord starts has SLIPWAY_LAB=<instance> in its environment, and so have the shims that hold running
containers; pods and machines do not: they are found by their control groups.
"""

import contextlib
import os
import signal
from collections.abc import Iterator, Sequence
from pathlib import Path

import tenacity

from slipway.lab import instance as instances

MARKER = "SLIPWAY_LAB"
_SHIM = "containerd-shim"
_PATIENCE_S = 10.0


def carriers(instance: instances.Instance) -> tuple[int, ...]:
    """Return the ids of the processes that carry the instance's marker: supervisord, services, containers' shims."""
    return tuple(_carriers(instance))


def end(
    instance: instances.Instance,
    *,
    shims: bool,
    signals: Sequence[signal.Signals] = (signal.SIGTERM, signal.SIGKILL),
) -> None:
    """End every process with the instance's marker, container shims only where asked.

    Sends each of ``signals`` in turn to what is left, with ten seconds between them. Raises :class:`LabError`
    naming those that are still there at the end.
    """
    left = _marked(instance, shims=shims)
    for sent in signals:
        _signal(instance, sent, shims=shims)
        left = _outlive(instance, shims=shims)
        if not left:
            return
    msg = f"processes of the lab {instance.name} do not end: {left}"
    raise instances.LabError(msg)


def _signal(instance: instances.Instance, sent: signal.Signals, *, shims: bool) -> None:
    # supervisord first, or it starts again what ends.
    own = instance.state / "supervisor" / "supervisord.pid"
    identities = _marked(instance, shims=shims)
    first = int(own.read_text()) if own.exists() and own.read_text().strip().isdigit() else 0
    for identity in sorted(identities, key=lambda item: item != first):
        with contextlib.suppress(ProcessLookupError):
            os.kill(identity, sent)


def _outlive(instance: instances.Instance, *, shims: bool) -> list[int]:
    retrying = tenacity.Retrying(
        stop=tenacity.stop_after_delay(_PATIENCE_S),
        wait=tenacity.wait_fixed(0.1),
        retry=tenacity.retry_if_result(bool),
        retry_error_callback=lambda state: None if state.outcome is None else state.outcome.result(),
    )
    return retrying(lambda: _marked(instance, shims=shims))


def is_shim(identity: int) -> bool:
    """Say whether the process holds a container for containerd."""
    with contextlib.suppress(FileNotFoundError, ProcessLookupError):
        return Path(f"/proc/{identity}/comm").read_text().startswith(_SHIM[:15])
    return False


def _marked(instance: instances.Instance, *, shims: bool) -> list[int]:
    return [identity for identity in _carriers(instance) if shims or not is_shim(identity)]


def _carriers(instance: instances.Instance) -> Iterator[int]:
    wanted = f"{MARKER}={instance.name}".encode()
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit():
            with contextlib.suppress(FileNotFoundError, ProcessLookupError, PermissionError):
                if wanted in (folder / "environ").read_bytes().split(b"\0"):
                    yield int(folder.name)
