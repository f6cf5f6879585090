"""`slipway check ENV`: whether the declaration is right, and with `--live` whether it fits what runs."""

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
@click.option("--json", "as_json", is_flag=True, help="Print the diagnostics as JSON.")
@click.option("--sarif", "as_sarif", is_flag=True, help="Print the diagnostics as SARIF, for code hosts.")
def check(environment: str, *, live: bool, kubeconfig: str, context: str, as_json: bool, as_sarif: bool) -> None:
    """Read the declaration of ENVIRONMENT and report every mistake.

    \b
    Needs no cluster, no root, nothing running. Exit code 0, or 2 with file:line:column of each mistake.
    With --live it only reads from the cluster, and what does not fit is a mistake of the declaration: selectors that
    find no pod, other ServiceAccounts, Services, ports and protocols, pods that never get a sidecar, other entries
    of machines. What `slipway up` sets right by itself is a warning. Exit code 1 when the cluster cannot be asked.
    Examples: slipway check lab
              slipway check prod --live --context prod
    """
    differences: tuple[Diagnostic, ...] = ()
    with stacks.told(as_json=as_json, as_sarif=as_sarif):
        mesh = stacks.load(environment)
        from policies.bundles import compiler

        bundle = compiler.compile_bundle(mesh)
        if live:
            differences = _compared(mesh, kubeconfig=kubeconfig, context=context)
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


def _compared(mesh: "model.Mesh", *, kubeconfig: str, context: str) -> tuple[Diagnostic, ...]:
    """Return the warnings of a comparison. Raises DiagnosticsError with every message when one is an error."""
    from slipway.cli import clusters
    from slipway.inventory import comparing, reading
    from slipway.world import live

    objects = live.read(clusters.connect(kubeconfig=kubeconfig, context=context), _KINDS)
    found = comparing.compare(mesh, reading.read(objects))
    if any(item.level is Level.ERROR for item in found):
        raise DiagnosticsError(found)
    return found
