"""The variables of an environment: the one function that Makefile, command line and tests use."""

import os
import sys
from pathlib import Path

import click

from policies import guardrails
from slipway.mesh import model

INSTANCE_VARIABLE = "SLIPWAY_LAB_INSTANCE"


def instance_of(mesh: model.Mesh, instance: str | None) -> str:
    """Return the lab instance of an environment: as asked, as the shell says, or named like the environment."""
    return instance or os.environ.get(INSTANCE_VARIABLE) or mesh.environment


def variables(mesh: model.Mesh, *, instance: str | None = None) -> dict[str, str]:
    """Return what a shell needs so that plain ``pulumi`` works on the environment.

    The values name files that hold secrets, never secrets. Raises LabError for a bad name of the lab.
    """
    own = {
        "PATH": os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")]),
        "PULUMI_OPTION_POLICY_PACK": str(Path(guardrails.__file__).with_name("run")),
    }
    if mesh.platform is not model.PlatformKind.LAB:
        return own
    from slipway.lab import backend
    from slipway.lab import instance as instances

    found = instances.named(instance_of(mesh, instance))
    for told in backend.prepare(found):
        click.echo(told, err=True)
    return {**own, **backend.variables(found, path=own["PATH"]), INSTANCE_VARIABLE: found.name}
