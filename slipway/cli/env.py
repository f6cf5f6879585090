"""`slipway env ENV`: the variables with which plain `pulumi` works in this shell."""

import json
import shlex

import click

from slipway.cli import stacks


@click.command()
@click.argument("environment")
@click.option("--instance", default=None, help="Lab instance; default: the environment's name.")
@click.option("--json", "as_json", is_flag=True, help="Print a JSON object instead of export lines.")
def env(environment: str, instance: str | None, *, as_json: bool) -> None:
    """Print what a shell needs for ENVIRONMENT: backend, plugins, PATH, kubeconfig.

    \b
    Example: eval "$(slipway env lab)" && pulumi preview
    """
    from slipway.cli import environments

    with stacks.told():
        variables = environments.variables(stacks.load(environment), instance=instance)
    if as_json:
        click.echo(json.dumps(variables, indent=2, sort_keys=True))
        return
    for name in sorted(variables):
        click.echo(f"export {name}={shlex.quote(variables[name])}")
