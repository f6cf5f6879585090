"""`slipway check ENV`: whether the declaration is right, and with `--live` whether it fits what runs."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from slipway.cli import stacks
from slipway.diagnostics import Diagnostic, DiagnosticsError, Level

if TYPE_CHECKING:
    from slipway.mesh import model

_KINDS = (
    *(("v1", kind) for kind in ("Namespace", "Pod", "Service")),
    *(("apps/v1", kind) for kind in ("Deployment", "StatefulSet", "DaemonSet")),
    *(("batch/v1", kind) for kind in ("Job", "CronJob")),
    ("networking.istio.io/v1", "WorkloadEntry"),
)


@click.command()
@click.argument("environment")
@click.option("--live", is_flag=True, help="Compare it with what runs in the cluster, too.")
@click.option("--kubeconfig", default="", help="For --live: default KUBECONFIG, then ~/.kube/config.")
@click.option("--context", default="", help="For --live: context of the kubeconfig.")
@click.option("--cost", is_flag=True, help="On Azure: print what it costs a month, too.")
@click.option("--json", "as_json", is_flag=True, help="Print the diagnostics as JSON.")
@click.option("--sarif", "as_sarif", is_flag=True, help="Print the diagnostics as SARIF, for code hosts.")
def check(
    environment: str, *, live: bool, kubeconfig: str, context: str, cost: bool, as_json: bool, as_sarif: bool
) -> None:
    """Read the declaration of ENVIRONMENT and report every mistake.

    \b
    Needs no cluster, no root, nothing running. Exit code 0, or 2 with file:line:column of each mistake.
    With --live it only reads from the cluster, and what does not fit is a mistake of the declaration: selectors that
    find no pod, other ServiceAccounts, Services, ports and protocols, pods that never get a sidecar, other entries
    of machines, settings of istiod by which calls are decided otherwise. What `slipway up` sets right by itself is a
    warning, and so is what decides no call. Exit code 1 when the cluster cannot be asked.
    With --cost an estimate follows: what the declaration makes on Azure, by a dated list of prices that
    `azure.prices` replaces; what the list lacks is named and in no sum.
    Examples: slipway check lab
              slipway check prod --cost
              slipway check prod --live --context prod
    """
    if cost and (as_json or as_sarif):
        raise click.UsageError("--cost is for people; the stack's output `monthlyCost` is for programs")
    differences: tuple[Diagnostic, ...] = ()
    estimate = ""
    with stacks.told(as_json=as_json, as_sarif=as_sarif):
        mesh = stacks.load(environment)
        from policies.bundles import compiler
        from slipway.world import files

        files.read_cloud_configs(Path(stacks.FOLDER), mesh)
        bundle = compiler.compile_bundle(mesh)
        if live:
            differences = _compared(mesh, kubeconfig=kubeconfig, context=context)
        if cost:
            estimate = _estimated(mesh)
    if as_json or as_sarif:
        form = stacks.Form.SARIF if as_sarif else stacks.Form.JSON
        click.echo(stacks.shown(differences, form), nl=False)
        return
    click.echo(stacks.shown(differences, stacks.Form.TEXT), err=True, nl=False)
    click.echo(
        f"{environment}: {len(mesh.services)} services, {len(mesh.machines)} machines, "
        f"{len(mesh.externals)} outside hosts: {len(bundle.manifests)} objects"
        + (", and fit what runs" if live else "")
    )
    click.echo(estimate, nl=False)


def _estimated(mesh: "model.Mesh") -> str:
    """Return the table of costs. Raises DiagnosticsError for mistakes in the list of prices, click.UsageError."""
    from slipway.mesh import azure_cost, azure_prices
    from slipway.world import files

    if mesh.azure is None:
        raise click.UsageError(f"{mesh.environment} runs on {mesh.platform.value}; only Azure has prices")
    prices = azure_prices.read(files.read_prices(Path(stacks.FOLDER), mesh.azure.prices))
    return azure_cost.to_text(azure_cost.estimate(mesh, prices))


def _compared(mesh: "model.Mesh", *, kubeconfig: str, context: str) -> tuple[Diagnostic, ...]:
    """Return the warnings of a comparison. Raises DiagnosticsError with every message when one is an error."""
    from slipway.cli import clusters
    from slipway.inventory import comparing, reading
    from slipway.world import live

    cluster = clusters.connect(kubeconfig=kubeconfig, context=context)
    objects = live.read(cluster, _KINDS)
    settings, unread = clusters.mesh_configs(cluster)
    found = comparing.compare(mesh, reading.read((*objects, *settings)), unread=unread)
    if any(item.level is Level.ERROR for item in found):
        raise DiagnosticsError(found)
    return found
