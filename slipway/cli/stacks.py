"""What every command about an environment needs: the declaration from disk, and its errors on the terminal."""

import contextlib
import datetime
import enum
from collections.abc import Generator, Iterable
from pathlib import Path

import click

from slipway.diagnostics import Diagnostic, DiagnosticsError, catalogue, render
from slipway.mesh import loader, model
from slipway.world import files

FOLDER = "stacks"
EXIT_EFFECT_FAILED = 1
EXIT_BAD_INPUT = 2


def load(environment: str, *, folder: Path | None = None) -> model.Mesh:
    """Return the resolved declaration of ``environment`` in ``folder`` (default: ``stacks`` here).

    Warnings are printed. Objects written by hand are held against the guardrails here, before anything is made of
    them. Raises DiagnosticsError with every mistake.
    """
    sources = files.read_sources(Path(FOLDER) if folder is None else folder, environment)
    today = datetime.datetime.now(tz=datetime.UTC).date()
    examined = loader.examine(
        sources.mesh, sources.environment, environment_name=environment, today=today, extra_files=sources.extra
    )
    mesh = examined.resolved()
    if mesh.extra:
        from slipway.cli import extras

        extras.stop_on_mistakes(mesh, today=today)
    click.echo(render.text(examined.diagnostics), err=True, nl=False)
    return mesh


class Form(enum.Enum):
    """How messages are printed: for people, or for programs."""

    TEXT = "text"
    JSON = "json"
    SARIF = "sarif"


def shown(diagnostics: Iterable[Diagnostic], form: Form) -> str:
    """Return messages in a form."""
    match form:
        case Form.TEXT:
            return render.text(diagnostics)
        case Form.JSON:
            return render.to_json(diagnostics)
        case Form.SARIF:
            return render.to_sarif(diagnostics, codes=catalogue.codes())


@contextlib.contextmanager
def told(*, as_json: bool = False, as_sarif: bool = False) -> Generator[None]:
    """Print the diagnostics of the block and end with exit code 2 when there is an error among them."""
    form = Form.SARIF if as_sarif else Form.JSON if as_json else Form.TEXT
    try:
        yield
    except DiagnosticsError as error:
        click.echo(shown(error.diagnostics, form), err=form is Form.TEXT, nl=False)
        raise SystemExit(EXIT_BAD_INPUT) from None
