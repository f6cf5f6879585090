"""Which part of an environment a Pulumi stack makes: all of it, or one of two that different people apply."""

import enum
from collections.abc import Collection

from slipway.diagnostics import Collector, catalogue, wording
from slipway.mesh import azure, model

_PLATFORM_ENDING = "-platform"


class Part(enum.Enum):
    """What one stack makes: everything, what is the platform's, or what lies in the cluster."""

    ALL = "all"
    PLATFORM = "platform"
    MESH = "mesh"


def platform_stack(environment: str) -> str:
    """Return the name of the stack that makes the platform of an environment in two stacks."""
    return f"{environment}{_PLATFORM_ENDING}"


def environment_of(stack: str, environments: Collection[str]) -> str:
    """Return the environment that ``stack`` belongs to: the one of its name, or the one whose platform it makes.

    ``environments`` are those that have a file. A stack of none is returned as it is.
    """
    base = stack.removesuffix(_PLATFORM_ENDING)
    return base if stack not in environments and base in environments else stack


def part_of(stack: str, mesh: model.Mesh) -> Part:
    """Return what ``stack`` makes of ``mesh``.

    Raises DiagnosticsError (MESH0222) for the platform's stack of an environment that is one stack.
    """
    is_split = mesh.azure is not None and mesh.azure.stacks is azure.Stacks.TWO
    if stack == mesh.environment:
        return Part.MESH if is_split else Part.ALL
    if not is_split:
        sentence = f"there is no stack {wording.quoted(stack)}: the environment `{mesh.environment}` is one stack"
        other = "" if mesh.azure is None else ", or state `stacks: two` below `azure`"
        hint = f"use the stack `{mesh.environment}`{other}"
        Collector().fail(catalogue.ENVIRONMENT_FILE, sentence, span=None, found=stack, hint=hint)
    return Part.PLATFORM
