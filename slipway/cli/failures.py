"""How a command ends when something went wrong: one sentence and an exit code, or a bug with its traceback."""

import tempfile
import traceback
from pathlib import Path
from typing import NoReturn

import click

EXIT_EFFECT_FAILED = 1
EXIT_BAD_INPUT = 2
EXIT_LOCKED = 4


def end(error: Exception) -> NoReturn:
    """Say what happened and leave with the exit code that fits; an error that nobody foresaw is a bug."""
    known = _exit_code(error)
    if known is not None:
        click.echo(f"error: {error}", err=True)
        raise SystemExit(known) from None
    with tempfile.NamedTemporaryFile("w", prefix="slipway-", suffix=".log", delete=False) as file:
        file.write("".join(traceback.format_exception(error)))
    click.echo(f"error: this is a bug of Slipway: {type(error).__name__}: {error}", err=True)
    click.echo(f"  hint: its traceback is in {Path(file.name)}; please report it", err=True)
    raise SystemExit(EXIT_EFFECT_FAILED) from None


def _exit_code(error: Exception) -> int | None:
    from slipway.lab import instance as instances
    from slipway.lab.programs import ProgramsUnavailable
    from slipway.rollout.ground import GroundError
    from slipway.rollout.onboarding import OnboardingError
    from slipway.world.kubernetes import KubernetesError
    from slipway.world.process import CommandFailed
    from slipway.world.remote import RemoteError

    if isinstance(error, instances.LabLocked):
        return EXIT_LOCKED
    foreseen = (instances.LabError, ProgramsUnavailable, KubernetesError, CommandFailed, GroundError)
    foreseen = (*foreseen, OnboardingError, RemoteError)
    return EXIT_EFFECT_FAILED if isinstance(error, foreseen) else None
