"""What a lab looks like right now."""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from slipway.lab import forwards, network, supervision
from slipway.lab import instance as instances
from slipway.lab.machines import api, runtime


@dataclass(frozen=True, slots=True, kw_only=True)
class Host:
    """One host of the lab with its IPv4 addresses and, for a machine, how it is; empty for the others."""

    name: str
    namespace: str
    addresses: tuple[str, ...]
    machine: str
    log: Path | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Door:
    """A loopback port of this computer and what is behind it."""

    name: str
    url: str
    target: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Status:
    """Everything that `slipway lab status` shows."""

    instance: instances.Instance
    services: tuple[supervision.State, ...]
    hosts: tuple[Host, ...]
    doors: tuple[Door, ...]

    @property
    def complaints(self) -> tuple[str, ...]:
        """What does not run, one sentence each; a lab without any is healthy."""
        if not self.hosts:
            return (f"the lab {self.instance.name} is not up",)
        found = [f"{item.name} is {item.state}" for item in self.services if item.state != supervision.RUNNING]
        found += [] if self.services else ["no program runs"]
        found += [f"{host.name} has no network" for host in self.hosts if not host.addresses and not _is_fabric(host)]
        found += [f"{host.name} is {host.machine}" for host in self.hosts if host.machine not in {"", "running"}]
        return tuple(found)


def collect(instance: instances.Instance) -> Status:
    """Look at everything; changes nothing and needs root."""
    return Status(
        instance=instance,
        services=supervision.states(instance),
        hosts=tuple(_host(instance, name) for name in network.hosts(instance)),
        doors=doors(instance),
    )


def doors(instance: instances.Instance) -> tuple[Door, ...]:
    """Return the forwards of the lab; empty before its first `up`."""
    chosen = forwards.ports(instance)
    schemes = {forwards.API_SERVER: "https", forwards.INGRESS_HTTPS: "https"}
    return tuple(
        Door(
            name=item.name,
            url=f"{schemes.get(item.name, 'http')}://127.0.0.1:{chosen[item.name]}",
            target=f"{item.address}:{item.port}",
        )
        for item in forwards.FORWARDS
        if item.name in chosen
    )


def shell(instance: instances.Instance, host: str) -> Sequence[str]:
    """Return the command line of a shell on ``host``: on a machine inside of it, else in the host's namespace.

    Raises :class:`LabError` naming the hosts that are there.
    """
    if not network.is_attached(instance, host) and host != instances.FABRIC:
        there = ", ".join(network.hosts(instance)) or "none: run `slipway lab up` first"
        msg = f"{host} is no host of the lab {instance.name} that has a network; there are: {there}"
        raise instances.LabError(msg)
    if host in api.names(instance):
        _, first_process = runtime.state(instance, host)
        if first_process == 0:
            msg = f"the machine {host} does not run; `slipway lab up {instance.name}` brings it back"
            raise instances.LabError(msg)
        clean = (
            "env",
            "-i",
            "HOME=/root",
            f"TERM={os.environ.get('TERM', 'dumb')}",
            f"PATH={supervision.SEARCH_PATH}",
        )
        return ("nsenter", f"--target={first_process}", "--all", "--", *clean, "/bin/bash", "--login")
    return network.enter(instance, host, ["/bin/bash"])


def _is_fabric(host: Host) -> bool:
    return host.name == instances.FABRIC


def _host(instance: instances.Instance, name: str) -> Host:
    is_machine = name in api.names(instance)
    return Host(
        name=name,
        namespace=instance.namespace(name),
        addresses=network.addresses(instance, name),
        machine=runtime.state(instance, name)[0] if is_machine else "",
        log=api.journal_folder(instance, name) if is_machine else None,
    )
