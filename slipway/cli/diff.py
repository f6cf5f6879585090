"""`slipway diff A B`: the calls that a change gains and loses."""

import dataclasses
import json

import click

from slipway.cli import reaching, stacks

_DIFFERENT = 1


@click.command()
@click.argument("before")
@click.argument("after")
@reaching.options
@click.option("--json", "as_json", is_flag=True, help="Print the difference as JSON.")
@click.option("--markdown", "as_markdown", is_flag=True, help="Print the difference as Markdown.")
def diff(before: str, after: str, *, where: reaching.Where, as_json: bool, as_markdown: bool) -> None:
    """Print the calls that AFTER allows and BEFORE does not, those lost, and those with another transport.

    \b
    They stand under the owner of the service called, or its namespace where no owner is declared. Both are sources
    as for can-i; git:REVISION means the other side's environment.
    Exit code 0 without a difference, 1 with one. Example: slipway diff git:HEAD~1 lab
    """
    from slipway import reachability
    from slipway.cli import worlds

    with stacks.told(as_json=as_json):
        environment = next((item for item in (before, after) if ":" not in item and item != worlds.LIVE), "")
        where = dataclasses.replace(where, environment=environment)
        first, second = worlds.loaded(before, where=where), worlds.loaded(after, where=where)
    found = reachability.diff(first.world, second.world)
    owners = {**first.owners, **second.owners}
    if as_json:
        click.echo(json.dumps(reachability.report.to_plain(found, owners), indent=2))
    elif as_markdown:
        title = f"Access: {before} to {after}"
        click.echo(reachability.report.markdown(found, owners, title=title), nl=False)
    else:
        click.echo(reachability.report.text(found, owners), nl=False)
    raise SystemExit(_DIFFERENT if found else 0)
