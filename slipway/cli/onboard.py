"""`slipway onboard ENV MACHINE`: let a machine that others booted join the mesh, on trial first."""

import dataclasses
import json
import sys
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from slipway.machines import preflight
    from slipway.mesh import model
    from slipway.world import kubernetes

_EXIT_UNMET = 3


@click.command()
@click.argument("environment")
@click.argument("machine")
@click.option("--ssh", "host", default="", metavar="HOST", help="As ssh_config knows it; default: MACHINE.")
@click.option("--ssh-config", default="", metavar="FILE", help="Default: the user's own ssh_config.")
@click.option("--kubeconfig", default="", help="Default: KUBECONFIG, then ~/.kube/config.")
@click.option("--context", default="", help="Context of the kubeconfig.")
@click.option(
    "--revert-after",
    "revert_s",
    type=click.IntRange(15, 3600),
    default=120,
    show_default=True,
    metavar="SECONDS",
    help="The capture reverts by itself after this time unless it is confirmed.",
)
@click.option("--check", default="", metavar="COMMAND", help="Has to succeed here before the capture is confirmed.")
@click.option("--yes", is_flag=True, help="Do it without asking.")
@click.option("--dry-run", is_flag=True, help="Only look at the machine and print the plan.")
@click.option("--json", "as_json", is_flag=True, help="Print the plan as JSON.")
def onboard(
    environment: str,
    machine: str,
    *,
    host: str,
    ssh_config: str,
    kubeconfig: str,
    context: str,
    revert_s: int,
    check: str,
    yes: bool,
    dry_run: bool,
    as_json: bool,
) -> None:
    """Install the sidecar and the guard on MACHINE of ENVIRONMENT, which runs already, over SSH.

    \b
    First it looks at the machine and says what will happen to whom. Connections that are open stay open. The capture
    begins on trial: it reverts by itself unless this command, over a new SSH connection, finds all well and confirms.
    Ctrl-C and a killed command are safe at any moment; a second run goes on, or changes nothing.

    \b
    Exit code 0 when it is onboarded, 1 when it failed and was reverted, 2 for a mistake in the declaration, 3 when
    the machine cannot join as it is.
    Example: slipway onboard prod db-vm --ssh admin@db-vm --check 'psql -h orders-db -c "select 1"'
    """
    from slipway.cli import clusters, joining
    from slipway.rollout import onboarding

    mesh, declared = joining.declared(environment, machine)
    cluster = clusters.connect(kubeconfig=kubeconfig, context=context)
    _stop_unless_registered(cluster, declared)
    known = joining.joining(mesh, machine, host=host or machine, ssh_config=ssh_config, cluster=cluster)
    plan = known.plan()
    click.echo(
        json.dumps(dataclasses.asdict(plan), indent=2) if as_json else as_text(machine, plan, revert_s=revert_s)
    )
    if plan.refusals:
        raise SystemExit(_EXIT_UNMET)
    if dry_run or plan.is_current:
        return
    if not yes and not (sys.stdin.isatty() and click.confirm(f"onboard {machine}?", err=True)):
        raise click.UsageError("nothing was changed; say --yes to do it without being asked")
    known.onboard(plan, onboarding.Trial(revert_s=revert_s, check=check))


def _stop_unless_registered(cluster: "kubernetes.Cluster", machine: "model.Machine") -> None:
    from slipway.cli import joining

    if joining.is_registered(cluster, machine):
        return
    message = (
        f"error: the cluster has no WorkloadEntry {machine.namespace}/{machine.name}\n"
        "  hint: `pulumi up` registers what is declared; onboard the machine after it"
    )
    click.echo(message, err=True)
    raise SystemExit(_EXIT_UNMET)


def as_text(machine: str, plan: "preflight.Plan", *, revert_s: int) -> str:
    """Return a plan for people: what is in the way, or what will happen to whom."""
    if plan.refusals:
        lines = [f"{machine} cannot join as it is:"]
        for item in plan.refusals:
            lines += [f"  {item.subject}", f"    found:   {item.found}", f"    allowed: {item.allowed}"]
            lines.append(f"    fix:     {item.fix}")
        return "\n".join(lines)
    if plan.is_current:
        return f"{machine} is onboarded, and everything on it is current: nothing to do"
    lines = [f"{machine} can join; what will happen:", *(f"  {line}" for line in plan.announced)]
    lines.append(f"  it reverts by itself {revert_s} s after the capture unless it is confirmed")
    return "\n".join(lines)
