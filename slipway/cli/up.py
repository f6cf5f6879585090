"""`slipway up ENV`: apply the declaration and let running workloads join."""

from pathlib import Path

import click

from slipway.cli import stacks


@click.command()
@click.argument("environment")
@click.option("--instance", default=None, help="Lab instance; default: the environment's name.")
def up(environment: str, instance: str | None) -> None:
    """Run `pulumi up` for ENVIRONMENT, then restart declared workloads that run without this revision's sidecar.

    \b
    A second run changes nothing and says so. Workloads are restarted in the lab only: elsewhere their teams do it.
    An environment in two stacks: first ENVIRONMENT-platform, by those who may change Azure, then ENVIRONMENT.
    Examples: slipway up lab
              slipway up prod-platform && slipway up prod
    """
    from slipway.cli import environments
    from slipway.mesh import model, stack_parts
    from slipway.rollout import injection
    from slipway.world import kubernetes, pulumi

    with stacks.told():
        mesh = stacks.load(environment)
    variables = environments.variables(mesh, instance=instance)
    stack = pulumi.Stack(name=environment, folder=stacks.project(), environment=variables)
    stack.select()
    status = stack.attached("up", "--yes", "--skip-preview", "--suppress-permalink=true")
    if status != 0:
        raise SystemExit(stacks.EXIT_EFFECT_FAILED)
    if stacks.part_of(environment, mesh) is stack_parts.Part.PLATFORM:
        click.echo(f"the platform is up: `slipway up {mesh.environment}` makes the mesh on it", err=True)
        return
    if mesh.platform is not model.PlatformKind.LAB:
        click.echo(f"nothing was restarted: `slipway check {environment} --live` names pods without it", err=True)
        return
    cluster = kubernetes.Cluster(Path(variables["KUBECONFIG"]))
    for workload in injection.restart_outside_mesh(cluster, mesh):
        click.echo(f"restarted {workload}: it runs with the sidecar of revision {mesh.revision} now", err=True)
