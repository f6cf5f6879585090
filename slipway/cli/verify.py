"""`slipway verify ENV`: real requests from real identities, expected against measured."""

import contextlib
import signal
import sys
from collections.abc import Generator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

import click

from slipway.cli import stacks

if TYPE_CHECKING:
    from slipway.mesh import model
    from slipway.rollout import findings, samples
    from slipway.rollout import verify as rollout_verify

_SAMPLES = "probes.yaml"
_EXIT_LOCKED = 4
_WIDTH = 220


@click.command()
@click.argument("environment")
@click.option("--instance", default=None, help="Lab instance; default: the environment's name.")
@click.option("--only", multiple=True, metavar="TEXT", help="Only requests whose line holds TEXT; may be repeated.")
@click.option("--undisturbed", is_flag=True, help="Leave machines up: neither kill a sidecar nor reboot.")
@click.option("--json", "as_json", is_flag=True, help="Print the findings as JSON.")
def verify(environment: str, instance: str | None, *, only: Sequence[str], undisturbed: bool, as_json: bool) -> None:
    """Send real requests in ENVIRONMENT and compare what comes back with what is declared.

    Only in a lab: requests go out from running workloads, machines lose their sidecar and reboot for some seconds.

    Exit code 0 when every line is as expected, 1 when not, 4 when another verify runs.

    Example: slipway verify lab
    """
    from slipway.lab import instance as instances
    from slipway.lab.programs import ProgramsUnavailable
    from slipway.rollout import telling
    from slipway.rollout.ground import GroundError
    from slipway.world.kubernetes import KubernetesError

    with stacks.told(as_json=as_json):
        mesh = stacks.load(environment)
        known = _samples(mesh)
    try:
        with _interruptible():
            report = _measure(mesh, known, instance=instance, options=_options(only, undisturbed=undisturbed))
    except instances.LabLocked as error:
        _end(error, _EXIT_LOCKED)
    except (KubernetesError, GroundError, instances.LabError, ProgramsUnavailable) as error:
        _end(error, stacks.EXIT_EFFECT_FAILED)
    if as_json:
        click.echo(telling.to_json(report), nl=False)
    else:
        _print(report)
    raise SystemExit(0 if report.passed else stacks.EXIT_EFFECT_FAILED)


def _measure(
    mesh: "model.Mesh", known: "samples.Samples", *, instance: str | None, options: "rollout_verify.Options"
) -> "findings.Report":
    import filelock

    from slipway.cli import environments, grounds
    from slipway.lab import instance as instances
    from slipway.mesh import model
    from slipway.rollout import verify as rollout_verify
    from slipway.world import kubernetes

    if mesh.platform is not model.PlatformKind.LAB:
        message = f"{mesh.environment} runs on {mesh.platform.value}; requests are sent freely only in a lab"
        raise instances.LabError(message)
    place = instances.named(environments.instance_of(mesh, instance))
    if not place.kubeconfig.exists():
        message = (
            f"there is no lab {place.name} ({place.kubeconfig} is missing); run `slipway lab up {place.name}` first"
        )
        raise instances.LabError(message)
    try:
        with filelock.FileLock(place.state / "verify.lock", timeout=0):
            return rollout_verify.Verification(
                mesh,
                known=known,
                cluster=kubernetes.connect(place.kubeconfig),
                place=grounds.of_lab(place),
                options=options,
                progress=lambda stage: click.echo(f"verify: {stage}", err=True),
            ).run()
    except filelock.Timeout as error:
        raise instances.LabLocked(f"another verify runs in the lab {place.name}; wait for its end") from error


def _options(only: Sequence[str], *, undisturbed: bool) -> "rollout_verify.Options":
    from slipway.rollout import verify as rollout_verify
    from slipway.rollout.checks import check

    groups = frozenset(check.Group)
    if undisturbed:
        groups -= {check.Group.OUTAGE, check.Group.BOOT}
    return rollout_verify.Options(groups=groups, only=tuple(only))


def _samples(mesh: "model.Mesh") -> "samples.Samples":
    from slipway.rollout import samples

    path = Path(stacks.FOLDER) / _SAMPLES
    return samples.load(path.read_bytes(), file=str(path), mesh=mesh) if path.exists() else samples.Samples()


def _print(report: "findings.Report") -> None:
    from rich import console

    from slipway.rollout import telling

    if sys.stdout.isatty():
        console.Console(highlight=False).print(telling.to_table(report))
    else:
        click.echo(telling.to_text(report, width=_WIDTH), nl=False)
    click.echo(telling.summary(report))


@contextlib.contextmanager
def _interruptible() -> Generator[None]:
    """Let SIGTERM end the block like Ctrl-C does, so that it cleans up behind itself."""

    def interrupt(*_: object) -> NoReturn:
        raise KeyboardInterrupt

    earlier = signal.signal(signal.SIGTERM, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, earlier)


def _end(error: Exception, status: int) -> NoReturn:
    click.echo(f"error: {error}", err=True)
    raise SystemExit(status)
