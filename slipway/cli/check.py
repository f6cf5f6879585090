"""`slipway check ENV`: whether the declaration is right."""

import click

from slipway.cli import stacks


@click.command()
@click.argument("environment")
@click.option("--json", "as_json", is_flag=True, help="Print the diagnostics as JSON.")
@click.option("--sarif", "as_sarif", is_flag=True, help="Print the diagnostics as SARIF, for code hosts.")
def check(environment: str, *, as_json: bool, as_sarif: bool) -> None:
    r"""Read the declaration of ENVIRONMENT and report every mistake.

    \b
    Needs no cluster, no root, nothing running. Exit code 0, or 2 with file:line:column of each mistake.
    Example: slipway check lab
    """
    with stacks.told(as_json=as_json, as_sarif=as_sarif):
        mesh = stacks.load(environment)
        from policies.bundles import compiler

        bundle = compiler.compile_bundle(mesh)
    if as_json or as_sarif:
        click.echo(stacks.shown((), stacks.Form.SARIF if as_sarif else stacks.Form.JSON), nl=False)
        return
    click.echo(
        f"{environment}: {len(mesh.services)} services, {len(mesh.machines)} machines, "
        f"{len(mesh.externals)} outside hosts compile into {len(bundle.manifests)} objects"
    )
