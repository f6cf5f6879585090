"""How the state of a lab is shown: as tables, as a document, as addresses to look at."""

import datetime
from typing import Any

import click
from rich import console, table

from slipway.lab import instance as instances
from slipway.lab import status as statuses

_WIDE = 200  # columns, where no terminal folds the lines
_DOOR_WORDS = {
    "apiserver": "the cluster's API",
    "zipkin": "Zipkin: traces of the calls",
    "ingress-http": "the ingress gateway, plain",
    "ingress-https": "the ingress gateway, TLS",
}


def addresses(instance: instances.Instance) -> str:
    """Return what to look at, one line each; raises LabError when the lab was never up."""
    doors = statuses.doors(instance)
    if not doors:
        msg = f"the lab {instance.name} is not up; run `slipway lab up {instance.name}`"
        raise instances.LabError(msg)
    lines = [f"{_DOOR_WORDS[door.name]}: {door.url}" for door in doors]
    lines.append(f"kubeconfig: {instance.kubeconfig}")
    lines.append(f"the authority that signs the lab's public certificates: {instance.public_authority}")
    return "\n".join(lines)


def document(status: statuses.Status) -> dict[str, Any]:
    """Return everything as JSON values."""
    return {
        "instance": status.instance.name,
        "healthy": not status.complaints,
        "complaints": list(status.complaints),
        "state": str(status.instance.state),
        "kubeconfig": str(status.instance.kubeconfig),
        "services": [
            {"name": item.name, "state": item.state, "process": item.process, "log": str(item.log)}
            for item in status.services
        ],
        "hosts": [
            {
                "name": host.name,
                "namespace": host.namespace,
                "addresses": list(host.addresses),
                "machine": host.machine,
                "log": None if host.log is None else str(host.log),
            }
            for host in status.hosts
        ],
        "doors": [{"name": door.name, "url": door.url, "target": door.target} for door in status.doors],
    }


def show(status: statuses.Status) -> None:
    """Print the tables on standard output and the complaints on standard error."""
    terminal = console.Console(highlight=False)
    if not terminal.is_terminal:
        terminal = console.Console(highlight=False, width=_WIDE)
    programs = _table("program", "state", "process", "since")
    for item in status.services:
        since = datetime.datetime.fromtimestamp(item.started_s).astimezone().strftime("%H:%M:%S")
        programs.add_row(item.name, item.state.lower(), *((str(item.process), since) if item.process else ("", "")))
    hosts = _table("host", "addresses", "machine")
    for host in status.hosts:
        hosts.add_row(host.name, " ".join(host.addresses), host.machine)
    doors = _table("door", "address here", "leads to")
    for door in status.doors:
        doors.add_row(door.name, door.url, door.target)
    for shown in (programs, hosts, doors):
        if shown.row_count:
            terminal.print(shown)
            terminal.print()
    click.echo(f"logs        {status.instance.log_folder}/PROGRAM.log")
    for host in status.hosts:
        if host.log is not None:
            click.echo(f"journal     {host.log} ({host.name})")
    click.echo(f"kubeconfig  {status.instance.kubeconfig}")
    for complaint in status.complaints:
        click.echo(f"error: {complaint}", err=True)


def _table(*columns: str) -> table.Table:
    made = table.Table(box=None, pad_edge=False, header_style="bold")
    for column in columns:
        made.add_column(column, overflow="fold")
    return made
