"""What every command about an environment needs: the declaration from disk, and its errors on the terminal."""

import contextlib
import dataclasses
import datetime
import enum
from collections.abc import Generator, Iterable
from pathlib import Path
from typing import TYPE_CHECKING

import click

from slipway.diagnostics import Diagnostic, DiagnosticsError, catalogue, render

if TYPE_CHECKING:
    from slipway.mesh import loader, model, stack_parts

FOLDER = "stacks"
EXIT_EFFECT_FAILED = 1
EXIT_BAD_INPUT = 2


def load(environment: str, *, folder: Path | None = None, shown_as: str = "") -> "model.Mesh":
    """Return the resolved declaration of ``environment`` in ``folder`` (default: ``stacks`` here).

    The stack of a platform alone (``prod-platform``) means its environment (:func:`part_of` says which part of it).
    Messages name files below ``shown_as`` when the folder itself is none that people know. Warnings are printed.
    Objects written by hand are held against the guardrails here, before anything is made of them. Raises
    DiagnosticsError with every mistake.
    """
    from slipway.mesh import loader
    from slipway.world import files

    place = Path(FOLDER) if folder is None else folder
    stack, environment = environment, files.environment_of(place, environment)
    sources = files.read_sources(place, environment)
    if shown_as and folder is not None:
        sources = dataclasses.replace(
            sources,
            mesh=tuple(_renamed(item, folder, shown_as) for item in sources.mesh),
            environment=_renamed(sources.environment, folder, shown_as),
            extra=tuple(_renamed(item, folder, shown_as) for item in sources.extra),
        )
    today = datetime.datetime.now(tz=datetime.UTC).date()
    examined = loader.examine(
        sources.mesh, sources.environment, environment_name=environment, today=today, extra_files=sources.extra
    )
    mesh = examined.resolved()
    part_of(stack, mesh)
    if mesh.extra:
        from slipway.cli import extras

        extras.stop_on_mistakes(mesh, today=today)
    click.echo(render.text(examined.diagnostics), err=True, nl=False)
    return mesh


def part_of(stack: str, mesh: "model.Mesh") -> "stack_parts.Part":
    """Return what a stack makes of an environment. Raises DiagnosticsError where there is no such stack."""
    from slipway.mesh import stack_parts

    return stack_parts.part_of(stack, mesh)


def _renamed(source: "loader.Source", folder: Path, shown_as: str) -> "loader.Source":
    return dataclasses.replace(source, file=f"{shown_as}/{Path(source.file).relative_to(folder)}")


def project() -> Path:
    """Return the folder of the Pulumi project, which is this one. Raises click.UsageError where there is none."""
    if not Path("Pulumi.yaml").is_file():
        raise click.UsageError(f"{Path.cwd()} holds no Pulumi.yaml; run the command in the checkout that does")
    return Path()


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
