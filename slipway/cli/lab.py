"""`slipway lab`: a real mesh on this computer, up and down."""

import json
import os
import time
from collections.abc import Callable

import click

_INSTANCE = click.argument("instance", default="lab")


@click.group()
def lab() -> None:
    """Start, look at and end a local cluster with its machines, in network namespaces of its own.

    \b
    Labs are named: `make up` uses `lab`, `make test` uses `test`; they can stand side by side.
    """


@lab.command()
@_INSTANCE
@click.option("--example", is_flag=True, help="Install the example's workloads, as its teams would.")
@click.option("--overlay", is_flag=True, help="Make a new lab whose machines have no way to pods' addresses.")
def up(instance: str, *, example: bool, overlay: bool) -> None:
    """Make every part of INSTANCE run: programs, network, cluster, machines that were created.

    \b
    Heals whatever was killed; a second run does nothing and says so. Example: slipway lab up
    An environment with `network: {podNetwork: overlay}` needs a lab made with --overlay.
    """
    from slipway.lab import instance as instances
    from slipway.lab import lab as labs

    found = labs.Lab(instance=instances.named(instance))
    tell = _reporter()
    done = found.up(tell, with_overlay=overlay)
    changed = done.changed
    if example:
        objects = found.install_example()
        changed = changed or bool(objects)
        for name in objects:
            tell(f"example: {name}")
    what = "is up" if changed else "was up: nothing to do"
    total_s = sum(done.stages_s.values())
    click.echo(f"lab {instance} {what} ({total_s:.1f} s); kubeconfig {found.kubeconfig}", err=True)


@lab.command()
@_INSTANCE
def down(instance: str) -> None:
    """End everything of INSTANCE and delete its state; caches stay.

    \b
    Example: slipway lab down
    """
    from slipway.lab import instance as instances
    from slipway.lab import lab as labs

    labs.Lab(instance=instances.named(instance)).down(_reporter())
    click.echo(f"lab {instance} is down", err=True)


@lab.command()
@_INSTANCE
@click.option("--addresses", is_flag=True, help="Only what to look at with a browser, curl or kubectl.")
@click.option("--json", "as_json", is_flag=True, help="Print a JSON document.")
def status(instance: str, *, addresses: bool, as_json: bool) -> None:
    """Show every program with its state and log, every host with its addresses, every door.

    \b
    Exit code 1 when something does not run. Example: slipway lab status
    """
    from slipway.cli import lab_status
    from slipway.lab import instance as instances
    from slipway.lab import preflight
    from slipway.lab import status as statuses

    found = instances.named(instance)
    if addresses:
        click.echo(lab_status.addresses(found))
        return
    preflight.check_root()
    seen = statuses.collect(found)
    if as_json:
        click.echo(json.dumps(lab_status.document(seen), indent=2))
    else:
        lab_status.show(seen)
    if seen.complaints:
        raise SystemExit(1)


@lab.command()
@_INSTANCE
@click.argument("host", default="node")
def shell(instance: str, host: str) -> None:
    """Open a shell on HOST of INSTANCE: node, internet, platform, fabric, or inside a machine.

    \b
    KUBECONFIG and PATH are set on the lab's own hosts. Example: slipway lab shell lab db-vm
    """
    from slipway.lab import instance as instances
    from slipway.lab import lab as labs
    from slipway.lab import preflight
    from slipway.lab import status as statuses

    preflight.check_root()
    found = instances.named(instance)
    argv = statuses.shell(found, host)
    os.execvpe(argv[0], list(argv), {**os.environ, **labs.Lab(instance=found).environment()})  # noqa: S606 - becomes it


def _reporter() -> Callable[[str], None]:
    from rich import console

    started = time.monotonic()
    terminal = console.Console(stderr=True, highlight=False)

    def tell(line: str) -> None:
        terminal.print(f"[dim]{time.monotonic() - started:7.1f} s[/dim]  {line}", markup=True, soft_wrap=True)

    return tell
