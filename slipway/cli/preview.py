"""`slipway preview ENV`: what `pulumi up` would change, and the calls that it gains and loses."""

import json
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from slipway.cli import stacks

if TYPE_CHECKING:
    from slipway.world import pulumi

_EXIT_UNMET = 3
_KINDS = ("gained", "lost", "changed")


@click.command()
@click.argument("environment")
@click.option("--instance", default=None, help="Lab instance; default: the environment's name.")
@click.option("--fail-on", type=click.Choice(["gained", "lost", "any"]), help="End with exit code 3 on such calls.")
@click.option(
    "--markdown",
    metavar="FILE",
    type=click.Path(dir_okay=False, writable=True, allow_dash=True),
    help="Write the difference as Markdown for a pull request; - prints it.",
)
@click.option("--json", "as_json", is_flag=True, help="Print the difference as JSON.")
def preview(
    environment: str, instance: str | None, *, fail_on: str | None, markdown: str | None, as_json: bool
) -> None:
    """Run `pulumi preview` for ENVIRONMENT and print the calls gained, lost and changed in kind since the last `up`.

    \b
    They stand under the owner of the service called, with the rule that decides. Pulumi's own output goes to
    standard error. Nothing is changed.
    Exit code 0; 1 when the preview fails, 2 for a mistake in the declaration, 3 for calls that --fail-on names, or
    when the last state does not say who reached whom: then all calls are printed as they will be.
    Examples: slipway preview lab
              slipway preview prod --fail-on lost --markdown access.md
              slipway preview prod --markdown - | gh pr comment --body-file -
    """
    from slipway.cli import environments
    from slipway.world import pulumi

    if as_json and markdown == "-":
        raise click.UsageError("--json and --markdown - both print to standard output; write Markdown to a file")
    if markdown not in {None, "-"} and not Path(str(markdown)).absolute().parent.is_dir():
        raise click.BadParameter(f"there is no folder for {markdown}", param_hint="--markdown")
    with stacks.told(as_json=as_json):
        mesh = stacks.load(environment)
    if environment != mesh.environment:
        raise click.UsageError(
            f"{environment} makes the platform only; `slipway preview {mesh.environment}` says who may call whom, "
            f"`pulumi preview --stack {environment}` what changes in Azure"
        )
    variables = environments.variables(mesh, instance=instance)
    found = _previewed(pulumi.Stack(name=environment, folder=stacks.project(), environment=variables))
    if "text" in found:
        _print(found, markdown=markdown, as_json=as_json)
    if "unknown" in found:
        click.echo(f"error: {found['unknown']}", err=True)
        raise SystemExit(_EXIT_UNMET)
    failing = _KINDS if fail_on == "any" else (fail_on,)
    if unmet := [kind for kind in failing if kind is not None and found[kind]]:
        click.echo(f"--fail-on {fail_on}: calls are {' and '.join(unmet)}", err=True)
        raise SystemExit(_EXIT_UNMET)


def _print(found: Mapping[str, Any], *, markdown: str | None, as_json: bool) -> None:
    if markdown not in {None, "-"}:
        Path(str(markdown)).write_text(found["markdown"], encoding="utf-8")
    if as_json:
        click.echo(json.dumps({kind: calls for kind, calls in found.items() if isinstance(calls, list)}, indent=2))
    else:
        click.echo(found["markdown" if markdown == "-" else "text"], nl=False)


def _previewed(stack: "pulumi.Stack") -> dict[str, Any]:
    """Run the preview and return what the program wrote about calls; ends the command when the preview fails."""
    stack.select()
    with tempfile.TemporaryDirectory(prefix="slipway-") as folder:
        file = Path(folder) / "access.json"
        if stack.preview(access_file=file) != 0:
            raise SystemExit(stacks.EXIT_EFFECT_FAILED)
        return json.loads(file.read_text(encoding="utf-8"))
