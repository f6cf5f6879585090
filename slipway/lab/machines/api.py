"""Machines of a lab: create, update, delete, look at, reboot, run something on them. Every function can be repeated.

A machine's record is written first and removed last, so whatever was cut off is finished by the same call, by
:func:`heal`, or undone by :func:`delete`.
"""

import concurrent.futures
import contextlib
from collections.abc import Generator, Sequence
from pathlib import Path
from typing import Any

import filelock

from slipway.lab import instance as instances
from slipway.lab import network, platform, programs
from slipway.lab.machines import (
    base,
    data_disk,
    disk,
    firewall,
    interface,
    readiness,
    record,
    reports,
    runtime,
    sidecar_package,
)
from slipway.world import process

PACKAGES_FOLDER = "/opt/packages"  # on the machine: what an organisation's own package store would hold
BOOT_TIMEOUT_S = 180.0
_LOCK_TIMEOUT_S = 300.0
# What cloud-init's own units run at boot, after forgetting that it has run. Source: cloud-init documentation, "How to
# re-run cloud-init".
_STAGES = (["clean"], ["init", "--local"], ["init"], ["modules", "--mode=config"], ["modules", "--mode=final"])

Level = readiness.Level
MachineSpec = record.MachineSpec
Report = reports.Report


def prepare(instance: instances.Instance, report: Report) -> None:
    """Make what all machines share: the image and the sidecar package. Takes about two minutes the first time."""
    base.ensure(instance.cache, report)
    sidecar_package.ensure(instance.cache, report)


def create(instance: instances.Instance, spec: MachineSpec, report: Report) -> dict[str, Any]:
    """Make the machine, boot it and wait until it has booted; return what :func:`read` returns.

    A machine of that name that is there already is brought to ``spec``. Raises :class:`LabError`.
    """
    if spec.name in instances.CLUSTER_HOSTS or spec.name == instances.FABRIC:
        message = f"the machine's name is {spec.name!r}, which is a host of the lab itself; choose another one"
        raise instances.LabError(message)
    with _locked(instance, spec.name):
        known = record.read(instance, spec.name)
        if known is not None and known.address != spec.address:
            _tear_down(instance, known)
        record.write(instance, spec)
        _bring_up(instance, spec, report)
        _apply_user_data(instance, spec, report)
        readiness.wait(instance, spec, level=Level.BOOTED, timeout_s=BOOT_TIMEOUT_S)
    return _outputs(instance, spec)


def update(instance: instances.Instance, spec: MachineSpec, report: Report) -> dict[str, Any]:
    """Bring the machine to ``spec`` without a new disk: new rules and names at once, new user-data by cloud-init."""
    return create(instance, spec, report)


def delete(instance: instances.Instance, name: str) -> None:
    """Remove the machine with its disk. One that is not there is fine."""
    with _locked(instance, name):
        known = record.read(instance, name)
        if known is not None:
            _tear_down(instance, known)
            record.remove(instance, name)


def destroy(instance: instances.Instance) -> None:
    """Remove every machine of the instance."""
    for name in record.names(instance):
        delete(instance, name)


def read(instance: instances.Instance, name: str) -> dict[str, Any] | None:
    """Return the machine's inputs and whether it runs, as plain JSON values; nothing when there is none."""
    spec = record.read(instance, name)
    return None if spec is None else _outputs(instance, spec)


def names(instance: instances.Instance) -> tuple[str, ...]:
    """Return the machines that exist or were being made, sorted."""
    return record.names(instance)


def stop(instance: instances.Instance, name: str) -> None:
    """Power the machine off and leave it off until :func:`reboot` or :func:`heal`."""
    with _locked(instance, name):
        _known(instance, name)
        runtime.stop(instance, name)
        network.detach(instance, name)


def reboot(instance: instances.Instance, name: str, report: Report) -> None:
    """Power the machine off and boot it again with a fresh network stack; waits until it has booted."""
    stop(instance, name)
    with _locked(instance, name):
        spec = _known(instance, name)
        _bring_up(instance, spec, report)
        readiness.wait(instance, spec, level=Level.BOOTED, timeout_s=BOOT_TIMEOUT_S)


def start(instance: instances.Instance, name: str, report: Report) -> None:
    """Boot the machine where it does not run, and do not wait for it."""
    with _locked(instance, name):
        _bring_up(instance, _known(instance, name), report)


def heal(instance: instances.Instance, report: Report) -> tuple[str, ...]:
    """Bring every machine back that does not run or was only half made; return their names.

    For `lab up`: the fabric has to be there. Waits until they have booted.
    """
    known = record.names(instance)

    def bring_back(name: str) -> bool:
        return _heal(instance, name, report)

    with concurrent.futures.ThreadPoolExecutor() as pool:
        healed = list(pool.map(bring_back, known))
    return tuple(name for name, done in zip(known, healed, strict=True) if done)


def execute(
    instance: instances.Instance,
    name: str,
    argv: Sequence[str],
    *,
    user: str = "root",
    timeout_s: float,
    stdin: bytes | None = None,
    check: bool = True,
    redact: Sequence[str] = (),
) -> process.Completed:
    """Run ``argv`` on the machine as ``user``; everything else as :func:`slipway.world.process.run`."""
    return runtime.execute(
        instance, name, argv, user=user, timeout_s=timeout_s, stdin=stdin, check=check, redact=redact
    )


def ready(instance: instances.Instance, name: str, *, level: Level, timeout_s: float) -> None:
    """Wait until the machine is as far as ``level``; raises :class:`LabError` that says what is missing."""
    readiness.wait(instance, _known(instance, name), level=level, timeout_s=timeout_s)


def journal_folder(instance: instances.Instance, name: str) -> Path:
    """Return the folder of the machine's journal, readable by ``journalctl --directory`` from outside."""
    return disk.upper(instance, name) / "var/log/journal"


def _heal(instance: instances.Instance, name: str, report: Report) -> bool:
    with _locked(instance, name):
        spec = _known(instance, name)
        was_running = runtime.is_running(instance, name)
        _bring_up(instance, spec, report)
        _apply_user_data(instance, spec, report)
        readiness.wait(instance, spec, level=Level.BOOTED, timeout_s=BOOT_TIMEOUT_S)
    return not was_running


def _bring_up(instance: instances.Instance, spec: MachineSpec, report: Report) -> None:
    if instances.FABRIC not in network.hosts(instance):
        message = f"machine {spec.name} has no network: the lab is not up; run slipway lab up {instance.name}"
        raise instances.LabError(message)
    firewall.apply(instance, spec)
    platform.set_names(instance, spec.name, spec.names)
    platform.register_machine(
        instance,
        spec.name,
        address=spec.address,
        namespace=spec.namespace,
        service_account=spec.service_account,
    )
    if runtime.is_running(instance, spec.name):
        return
    report(f"machine {spec.name}: booting")
    image = base.ensure(instance.cache, report)
    runtime.end(instance, spec.name)
    commands = interface.plug(instance, spec)
    disk.prepare(instance, spec, base=image, network_commands=commands)
    packages, attached = _packages(instance, report), data_disk.attach(spec)
    runtime.start(instance, spec.name, base=image, packages=packages, data_disk=attached)


def _apply_user_data(instance: instances.Instance, spec: MachineSpec, report: Report) -> None:
    """Let cloud-init apply new user-data, or that with which it failed before, without a reboot."""
    changed = disk.write_seed(runtime.root(instance, spec.name), spec)
    if not changed and not readiness.has_failed(instance, spec.name):
        return
    report(f"machine {spec.name}: applying its user-data")
    for stage in _STAGES:
        argv = ["cloud-init", *stage]
        runtime.execute(instance, spec.name, argv, user="root", timeout_s=BOOT_TIMEOUT_S, check=False)


def _tear_down(instance: instances.Instance, spec: MachineSpec) -> None:
    platform.unregister_machine(instance, spec.name)
    platform.set_names(instance, spec.name, {})
    runtime.end(instance, spec.name)
    data_disk.detach(spec)
    network.detach(instance, spec.name)
    firewall.remove(instance, spec.name)


def _packages(instance: instances.Instance, report: Report) -> dict[str, str]:
    """Return what appears in the machine's package store: the sidecar, and the example's program once it is built."""
    found = {sidecar_package.NAME: str(sidecar_package.ensure(instance.cache, report).path)}
    if not programs.missing(["shop"]):
        shop = programs.ensure(["shop"])["shop"].bin
        found |= {path.name: str(path) for path in sorted(shop.iterdir())}
    return found


def _outputs(instance: instances.Instance, spec: MachineSpec) -> dict[str, Any]:
    return {**spec.to_json(), "running": runtime.is_running(instance, spec.name)}


def _known(instance: instances.Instance, name: str) -> MachineSpec:
    spec = record.read(instance, name)
    if spec is None:
        there = ", ".join(record.names(instance)) or "none"
        message = f"there is no machine {name!r} in the lab {instance.name}; there are: {there}"
        raise instances.LabError(message)
    return spec


@contextlib.contextmanager
def _locked(instance: instances.Instance, name: str) -> Generator[None, None, None]:
    folder = instance.state / "machine-locks"
    folder.mkdir(parents=True, exist_ok=True)
    try:
        with filelock.FileLock(folder / f"{name}.lock", timeout=_LOCK_TIMEOUT_S):
            yield
    except filelock.Timeout as error:
        message = (
            f"another process works on machine {name} of the lab {instance.name}, for over {_LOCK_TIMEOUT_S:g} s"
        )
        raise instances.LabLocked(message) from error
