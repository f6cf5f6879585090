"""`slipway retire ENV MACHINE`: take an onboarded machine out of the mesh and put back what was there before."""

import sys

import click


@click.command()
@click.argument("environment")
@click.argument("machine")
@click.option("--ssh", "host", default="", metavar="HOST", help="As ssh_config knows it; default: MACHINE.")
@click.option("--ssh-config", default="", metavar="FILE", help="Default: the user's own ssh_config.")
@click.option("--yes", is_flag=True, help="Do it without asking.")
def retire(environment: str, machine: str, *, host: str, ssh_config: str, yes: bool) -> None:
    """Remove the sidecar and the guard from MACHINE of ENVIRONMENT, and restore what was there before `onboard`.

    \b
    Connections through the sidecar end with it; others stay. It can be repeated after it was cut off anywhere. Retire
    a machine first, then remove it from the declaration.
    Example: slipway retire prod db-vm --ssh admin@db-vm
    """
    from slipway.cli import joining

    mesh, _ = joining.declared(environment, machine)
    known = joining.joining(mesh, machine, host=host or machine, ssh_config=ssh_config, cluster=None)
    if not yes and not (sys.stdin.isatty() and click.confirm(f"retire {machine}?", err=True)):
        raise click.UsageError("nothing was changed; say --yes to do it without being asked")
    was_there = known.retire()
    click.echo(f"{machine} is as it was before it was onboarded" if was_there else f"{machine} was not onboarded")
