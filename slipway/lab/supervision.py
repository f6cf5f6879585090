"""The programs of a lab, kept running by one supervisord per instance.

Every process carries the variable SLIPWAY_LAB=<instance>, so that what a killed supervisord leaves behind is
found again. The shims that hold running containers carry it too and are left alone by everything but `down`.
"""

import contextlib
import enum
import hashlib
import http.client
import shlex
import signal
import sys
import xmlrpc.client
from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

import supervisor.xmlrpc

from slipway.lab import instance as instances
from slipway.lab import marked, mounts, network, texts, waiting
from slipway.world import process

RUNNING = "RUNNING"
_CONTENT = "SLIPWAY_CONFIGURATION"  # a new value makes supervisord restart the service
SEARCH_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_CONTROL_TIMEOUT_S = 120.0
_RUNNING_LIMIT_S = 30.0
_ANSWER_LIMIT_S = 10.0


class Needs(enum.Enum):
    """What has to be there before a service can start without failing."""

    NOTHING = enum.auto()
    API = enum.auto()  # the API server is ready
    NODE = enum.auto()  # the node is known, and the service has its rights


@dataclass(frozen=True, slots=True, kw_only=True)
class Service:
    """One program: ``argv`` runs in the network namespace of ``host``, with nothing but ``environment``.

    ``own_mounts`` runs it in the instance's mount namespace; a change of a file that it ``reads`` restarts it. A
    service that ``enters_itself`` is started outside of the namespace.
    """

    name: str
    host: str
    argv: tuple[str, ...]
    environment: Mapping[str, str] = field(default_factory=dict[str, str])
    own_mounts: bool = False
    enters_itself: bool = False
    needs: Needs = Needs.NOTHING
    reads: tuple[Path, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class State:
    """How a service is: ``state`` in supervisord's words, ``process`` its id or 0, ``started_s`` since the epoch."""

    name: str
    state: str
    process: int
    started_s: int
    log: Path
    detail: str


def python_module(module: str, *arguments: str) -> tuple[str, ...]:
    """Return the command line that runs one of our own modules with this interpreter."""
    return (str(Path(sys.prefix) / "bin" / "python3"), "-m", module, *arguments)


def configure(instance: instances.Instance, services: Sequence[Service]) -> None:
    """Write supervisord's configuration; it holds no secret."""
    folder = _folder(instance)
    folder.mkdir(parents=True, exist_ok=True)
    instance.log_folder.mkdir(parents=True, exist_ok=True)
    known = {
        "folder": folder,
        "logs": instance.log_folder,
        "services": [
            {
                "name": service.name,
                "command": _escaped(shlex.join(_command(instance, service))),
                "environment": _escaped(_environment(service)),
            }
            for service in services
        ],
    }
    texts.write(_configuration(instance), texts.render("supervisord.conf.j2", known))


def prepare(instance: instances.Instance, services: Sequence[Service]) -> tuple[str, ...]:
    """Make supervisord run with the configuration as it is now, and return the services that this restarted.

    What an earlier supervisord left behind is ended first. Restarted are services whose command line, environment or
    files changed, and those in a network namespace that is no longer their host's. After supervisord itself was
    started, everything is still to be started.
    """
    if not is_running(instance):
        marked.end(instance, shims=False)
        _start_supervisord(instance)
        return ()
    before = {state.name: state.process for state in states(instance) if state.state == RUNNING}
    _control(instance, "update")
    for service in services:
        if _is_elsewhere(instance, service.host, before.get(service.name, 0)):
            pause(instance, service.name)
    after = {state.name: state.process for state in states(instance)}
    changed = [name for name, process_id in before.items() if after.get(name, 0) != process_id]
    start(instance, [name for name in changed if name in after])
    return tuple(changed)


def start(instance: instances.Instance, names: Sequence[str]) -> tuple[str, ...]:
    """Start those of the named services that do not run and return them; it does not wait until they serve."""
    known = {state.name: state.state for state in states(instance)}
    idle = tuple(name for name in names if known[name] not in {RUNNING, "STARTING"})
    for name in idle:
        with _asked(instance) as supervised:
            if known[name] == "BACKOFF":  # it counts the seconds to its next attempt
                _tell(supervised.stopProcess, name, wait=True, fine=supervisor.xmlrpc.Faults.NOT_RUNNING)
            _tell(supervised.startProcess, name, wait=False, fine=supervisor.xmlrpc.Faults.ALREADY_STARTED)
    return idle


def await_running(instance: instances.Instance) -> None:
    """Return when every service has stayed up for a second; raises :class:`LabError` naming those that have not."""

    def missing() -> str:
        idle = [f"{item.name} is {item.state.lower()}" for item in states(instance) if item.state != RUNNING]
        return ", ".join(idle)

    hint = f"their logs are in {instance.log_folder}"
    waiting.until(missing, limit_s=_RUNNING_LIMIT_S, what="a program", hint=hint)


def has_stranded_pods(instance: instances.Instance) -> bool:
    """Say whether pods run whose node had another network namespace than now: they are wired to what is gone."""
    shims = [process_id for process_id in marked.carriers(instance) if marked.is_shim(process_id)]
    return any(_is_elsewhere(instance, instances.NODE, process_id) for process_id in shims)


def pause(instance: instances.Instance, name: str) -> None:
    """Stop one service until it is started again; one that does not run is fine."""
    with _asked(instance) as supervised:
        _tell(supervised.stopProcess, name, wait=True, fine=supervisor.xmlrpc.Faults.NOT_RUNNING)


def stop(instance: instances.Instance) -> None:
    """End supervisord, every service and every container's shim at once; nothing that they would save is needed."""
    marked.end(instance, shims=True, signals=(signal.SIGKILL,))


def is_running(instance: instances.Instance) -> bool:
    """Say whether supervisord answers."""
    try:
        with _asked(instance) as supervised:
            return bool(supervised.getState())
    except (OSError, http.client.HTTPException, xmlrpc.client.Error):
        return False


def states(instance: instances.Instance) -> tuple[State, ...]:
    """Return every configured service; empty while supervisord does not run."""
    if not is_running(instance):
        return ()
    with _asked(instance) as supervised:
        found: Sequence[Mapping[str, Any]] = supervised.getAllProcessInfo()
    return tuple(
        State(
            name=info["name"],
            state=info["statename"],
            process=info["pid"],
            started_s=info["start"],
            log=Path(info["stdout_logfile"]),
            detail=info["spawnerr"] or info["description"],
        )
        for info in found
    )


def _start_supervisord(instance: instances.Instance) -> None:
    for name in ("supervisor.sock", "supervisord.pid"):
        (_folder(instance) / name).unlink(missing_ok=True)
    environment = {
        "PATH": SEARCH_PATH,
        "HOME": str(_folder(instance)),
        "LANG": "C.UTF-8",
        marked.MARKER: instance.name,
    }
    words = [f"{key}={value}" for key, value in environment.items()]
    argv = ["env", "-i", *words, *python_module("supervisor.supervisord", "-c", str(_configuration(instance)))]
    process.run(argv, timeout_s=20)
    waiting.until(
        lambda: "" if is_running(instance) else "no answer on its socket",
        limit_s=_ANSWER_LIMIT_S,
        what="supervisord",
        hint=f"its log is {instance.log_folder / 'supervisord.log'}",
        pause_s=0.05,
    )


def _control(instance: instances.Instance, *words: str) -> None:
    argv = python_module("supervisor.supervisorctl", "-c", str(_configuration(instance)), *words)
    process.run(argv, timeout_s=_CONTROL_TIMEOUT_S)


def _tell(order: Callable[[str, bool], object], name: str, *, wait: bool, fine: int) -> None:
    """Give supervisord an order; the fault ``fine`` says that it was so already."""
    try:
        order(name, wait)
    except xmlrpc.client.Fault as fault:
        if fault.faultCode != fine:
            raise


@contextlib.contextmanager
def _asked(instance: instances.Instance) -> Generator[Any]:
    """Give supervisord's interface as long as the block runs."""
    transport = supervisor.xmlrpc.SupervisorTransport(serverurl=f"unix://{_folder(instance)}/supervisor.sock")
    with contextlib.closing(transport), xmlrpc.client.ServerProxy("http://127.0.0.1", transport=transport) as proxy:
        yield cast("Any", proxy).supervisor


def _is_elsewhere(instance: instances.Instance, host: str, process_id: int) -> bool:
    namespace = Path(f"/proc/{process_id}/ns/net")
    if not namespace.exists():
        return False
    return namespace.stat().st_ino != (network.NAMESPACE_FOLDER / instance.namespace(host)).stat().st_ino


def _command(instance: instances.Instance, service: Service) -> tuple[str, ...]:
    if service.enters_itself:
        return service.argv
    argv = mounts.enter(instance, service.argv) if service.own_mounts else service.argv
    return network.enter(instance, service.host, argv)


def _environment(service: Service) -> str:
    package = Path(__file__).parents[2]
    known = {"PYTHONPATH": str(package), "PYTHONUNBUFFERED": "1", **service.environment}
    if service.reads:
        contents = b"".join(hashlib.sha256(path.read_bytes()).digest() for path in service.reads)
        known[_CONTENT] = hashlib.sha256(contents).hexdigest()
    return ",".join(f'{key}="{value}"' for key, value in sorted(known.items()))


def _escaped(text: str) -> str:
    return text.replace("%", "%%")


def _folder(instance: instances.Instance) -> Path:
    return instance.state / "supervisor"


def _configuration(instance: instances.Instance) -> Path:
    return _folder(instance) / "supervisord.conf"
