"""The order in which a lab comes up and goes down. Both can be repeated at any time, also after being cut off."""

import contextlib
import errno
import os
import shutil
from collections.abc import Generator
from dataclasses import dataclass
from pathlib import Path

import filelock

from slipway.lab import (
    ascent,
    cgroups,
    example,
    forwards,
    kernel_settings,
    mounts,
    network,
    overlay,
    preflight,
    programs,
    texts,
)
from slipway.lab import instance as instances
from slipway.lab.machines import api


@dataclass(frozen=True, slots=True, kw_only=True)
class Lab:
    """One lab. Everything but `up` and `down` only looks."""

    instance: instances.Instance

    @property
    def kubeconfig(self) -> Path:
        """The administrator's kubeconfig: the API server by its loopback forward."""
        return self.instance.kubeconfig

    @property
    def forwards(self) -> dict[str, int]:
        """The loopback ports by name: apiserver, ingress-http, ingress-https, zipkin; empty before the first up."""
        return forwards.ports(self.instance)

    def up(self, report: ascent.Report, *, with_overlay: bool = False) -> ascent.Up:
        """Make every part of the lab run and return when the cluster serves.

        ``with_overlay`` makes a new lab one whose machines have no way to pods' addresses.
        Raises :class:`LabError` (what is missing on this computer, before anything is done; or what did not get
        ready in time), :class:`LabLocked`, and ProgramsUnavailable.
        """
        preflight.check(self.instance)
        with holding(self.instance):
            if with_overlay:
                overlay.choose(self.instance)
            try:
                return ascent.Ascent(self.instance, report).run()
            except OSError as error:
                if error.errno != errno.ENOSPC:
                    raise
                msg = f"the disk is full ({error.filename}); make room and run the command again: nothing is lost"
                raise instances.LabError(msg) from error

    def down(self, report: ascent.Report) -> None:
        """End everything that belongs to the lab and delete its state folder. A lab that is not there is fine."""
        preflight.check_root()
        with holding(self.instance):
            _descend(self.instance, report)

    def install_example(self) -> tuple[str, ...]:
        """Install the example's workloads and return the objects that this changed."""
        return example.install(self.instance, programs.ensure(["kubernetes"])["kubernetes"].bin)

    def environment(self) -> dict[str, str]:
        """Return the variables with which kubectl and the lab's programs work from the plain shell."""
        found = programs.ensure(["kubernetes", "istio"])
        path = os.pathsep.join(
            [*(str(program.bin) for program in found.values()), os.environ.get("PATH", os.defpath)]
        )
        return {"KUBECONFIG": str(self.kubeconfig), "PATH": path}


@contextlib.contextmanager
def holding(instance: instances.Instance) -> Generator[None]:
    """Hold the lab's lock, which the kernel frees when its holder dies; raises :class:`LabLocked` naming it."""
    folder = instance.state.parent
    folder.mkdir(parents=True, exist_ok=True)
    holder = folder / f"{instance.name}.holder"
    lock = filelock.FileLock(folder / f"{instance.name}.lock")
    try:
        lock.acquire(timeout=0)
    except filelock.Timeout as error:
        owner = holder.read_text(encoding="utf-8").strip() if holder.exists() else "unknown"
        msg = f"process {owner} works on the lab {instance.name}; wait for it, or end it and run the command again"
        raise instances.LabLocked(msg) from error
    try:
        texts.write(holder, f"{os.getpid()}\n")
        yield
    finally:
        holder.unlink(missing_ok=True)
        lock.release()


def _descend(instance: instances.Instance, report: ascent.Report) -> None:
    api.destroy(instance)
    ascent.end_processes(instance, instance.cgroup)
    report("processes ended")
    network.destroy(instance)
    mounts.destroy(instance)
    cgroups.remove(instance.cgroup)
    mounts.unmount_below(instance.state)
    if instance.state.exists():
        shutil.rmtree(instance.state)
    mounts.remove_host_folders()
    kernel_settings.put_back()
    report(f"{instance.state} deleted")
