"""Whether a machine has finished booting, and if not, what is missing."""

import enum
import json
from dataclasses import dataclass

import tenacity

from slipway.lab import instance as instances
from slipway.lab.machines import record, runtime
from slipway.world import process

_RESULT = "run/cloud-init/result.json"
_TAIL_LINES = 15
_COMMAND_TIMEOUT_S = 20.0


class Level(enum.Enum):
    """How far a machine has to be.

    ``BOOTED``: cloud-init is done without errors, the guard is loaded, PostgreSQL answers where there is one.
    ``CONNECTED``: its sidecar has its configuration from the control plane, too.
    """

    BOOTED = "booted"
    CONNECTED = "connected"


@dataclass(frozen=True, slots=True, kw_only=True)
class Readiness:
    """``missing`` says what is not there yet; empty when all is. ``failed`` is for good."""

    missing: tuple[str, ...]
    failed: bool = False


def observe(instance: instances.Instance, spec: record.MachineSpec, level: Level) -> Readiness:
    """Look once."""
    if not runtime.is_running(instance, spec.name):
        return Readiness(missing=("the machine does not run",), failed=True)
    errors = _cloud_init_errors(instance, spec.name)
    if errors is None:
        return Readiness(missing=("cloud-init is not done",))
    if errors:
        return Readiness(missing=tuple(f"cloud-init: {error}" for error in errors), failed=True)
    commands = {"the guard is not loaded": ["systemctl", "is-active", "--quiet", "slipway-guard.service"]}
    if spec.foreign:
        commands.clear()
    if spec.database:
        commands["PostgreSQL does not answer"] = ["pg_isready", "--quiet", f"--host={spec.address}"]
    if level is Level.CONNECTED:
        # Source: istio 1.29.1, pilot/cmd/pilot-agent/status/server.go: the agent's own view of its Envoy.
        url = "http://127.0.0.1:15021/healthz/ready"
        commands["the sidecar is not ready"] = ["curl", "--fail", "--silent", "--max-time", "2", url]
    missing = [text for text, argv in commands.items() if not _succeeds(instance, spec.name, argv)]
    return Readiness(missing=tuple(missing))


def has_failed(instance: instances.Instance, name: str) -> bool:
    """Say whether cloud-init has ended with errors on the running machine."""
    return bool(_cloud_init_errors(instance, name))


def wait(instance: instances.Instance, spec: record.MachineSpec, *, level: Level, timeout_s: float) -> None:
    """Wait until the machine is as far as ``level``.

    Raises :class:`LabError` that says what is missing after ``timeout_s`` seconds or failed before, with the end of
    the log to look at.
    """
    waiting = tenacity.Retrying(
        stop=tenacity.stop_after_delay(timeout_s),
        wait=tenacity.wait_fixed(0.25),
        retry=tenacity.retry_if_result(lambda seen: bool(seen.missing) and not seen.failed),
        retry_error_callback=lambda _: None,
    )
    waiting(lambda: observe(instance, spec, level))
    seen = observe(instance, spec, level)
    if seen.missing:
        said = "; ".join(seen.missing)
        message = f"machine {spec.name} is not ready within {timeout_s:g} s: {said}\n{_details(instance, spec.name)}"
        raise instances.LabError(message)


def _cloud_init_errors(instance: instances.Instance, name: str) -> list[str] | None:
    """Return the errors with which cloud-init ended, or nothing while it has not.

    Source: cloud-init 22.4, cmd/main.py `status_wrapper`: the file is written when the last stage has ended.
    """
    result = runtime.root(instance, name) / _RESULT
    if not result.exists():
        return None
    return [str(error) for error in json.loads(result.read_text(encoding="utf-8"))["v1"]["errors"]]


def _succeeds(instance: instances.Instance, name: str, argv: list[str]) -> bool:
    done = runtime.execute(instance, name, argv, user="root", timeout_s=_COMMAND_TIMEOUT_S, check=False)
    return done.exit_status == 0


def _details(instance: instances.Instance, name: str) -> str:
    """Return the ends of the logs that say why; the machine writes no token into them."""
    if not runtime.is_running(instance, name):
        return f"its log is {runtime.log(instance, name)}"
    script = (
        f"tail -n {_TAIL_LINES} /var/log/cloud-init-output.log;"
        f" journalctl --no-pager --quiet --lines={_TAIL_LINES} --priority=warning"
    )
    try:
        argv = ["/bin/sh", "-c", script]
        done = runtime.execute(instance, name, argv, user="root", timeout_s=_COMMAND_TIMEOUT_S, check=False)
    except process.CommandFailed as error:
        return str(error)
    return done.stdout
