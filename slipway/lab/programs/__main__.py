"""Command for people: what is there, what is missing, get it."""

import json
import sys
from collections.abc import Sequence
from dataclasses import asdict

import click

from slipway.lab import programs
from slipway.world import process


@click.group(epilog="Example: python -m slipway.lab.programs ensure kubernetes istio envoy")
@click.option("--json", "as_json", is_flag=True, help="Print JSON instead of lines.")
@click.pass_context
def main(context: click.Context, *, as_json: bool) -> None:
    """Get the programs that the lab runs, in the versions of versions.toml."""
    context.obj = as_json


@main.command()
@click.argument("names", nargs=-1)
@click.pass_obj
def ensure(as_json: bool, names: Sequence[str]) -> None:
    """Find or build programs; all of them without NAMES."""
    try:
        ready = programs.ensure(names or programs.known(), report=_tell)
    except programs.ProgramsUnavailable as error:
        raise click.ClickException(str(error)) from error
    if as_json:
        click.echo(json.dumps({name: asdict(program) for name, program in ready.items()}, default=str, indent=2))
        return
    for program in ready.values():
        click.echo(f"{program.name} {program.version} ({program.origin}): {program.bin.parent}")


@main.command()
@click.argument("names", nargs=-1)
@click.pass_obj
def missing(as_json: bool, names: Sequence[str]) -> None:
    """Say what ensure would have to do; all programs without NAMES. Ends with 3 if anything is missing."""
    try:
        absent = programs.missing(names or programs.known())
    except programs.ProgramsUnavailable as error:
        raise click.ClickException(str(error)) from error
    packages = programs.missing_debian_packages()
    if as_json:
        click.echo(json.dumps({"programs": absent, "debian": packages}, indent=2))
    else:
        click.echo("".join(f"{name}: {intention}\n" for name, intention in absent.items()), nl=False)
        if packages:
            click.echo(f"Debian packages: {' '.join(packages)}")
    sys.exit(3 if absent or packages else 0)


@main.command()
def debian() -> None:
    """Install the Debian packages that the lab needs and this machine lacks."""
    try:
        installed = programs.install_debian_packages(lambda line: click.echo(line, err=True))
    except (programs.ProgramsUnavailable, process.CommandFailed) as error:
        raise click.ClickException(str(error)) from error
    click.echo(f"installed: {' '.join(installed) or 'nothing, all are there'}")


def _tell(progress: programs.Progress) -> None:
    left = f"; left: {', '.join(progress.left)}" if progress.left else ""
    line = f"{progress.elapsed_s:6.1f} s {progress.program} {progress.step}: {progress.detail}{left}"
    click.echo(line, err=True)


if __name__ == "__main__":
    main()
