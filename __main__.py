"""One environment as a Pulumi program: the stack's name is the environment's, or that of its platform alone."""

import datetime
import os
from pathlib import Path

import pulumi

from components import access_preview, platforms
from policies.bundles import compiler
from slipway.diagnostics import DiagnosticsError, render
from slipway.mesh import loader, stack_parts
from slipway.world import files

STACKS = Path(__file__).parent / "stacks"


def main() -> None:
    """Compile the declaration and register its resources."""
    stack = pulumi.get_stack()
    try:
        name = files.environment_of(STACKS, stack)
        sources = files.read_sources(STACKS, name)
        today = datetime.datetime.now(tz=datetime.UTC).date()
        examined = loader.examine(
            sources.mesh, sources.environment, environment_name=name, today=today, extra_files=sources.extra
        )
        mesh = examined.resolved()
        part = stack_parts.part_of(stack, mesh)
        files.read_cloud_configs(STACKS, mesh)
        bundle = compiler.compile_bundle(mesh)
    except DiagnosticsError as error:
        raise pulumi.RunError("\n" + render.text(error.diagnostics)) from None
    for warning in examined.diagnostics:
        pulumi.log.warn(render.text([warning]))
    if part is not stack_parts.Part.PLATFORM:
        access_preview.tell(mesh, bundle, file=os.environ.get("SLIPWAY_ACCESS_FILE"))
    instance = os.environ.get("SLIPWAY_LAB_INSTANCE")
    outputs = platforms.build(mesh, stack=stack, bundle=bundle, folder=STACKS, lab_instance=instance)
    for key, value in outputs.items():
        pulumi.export(key, value)


if __name__ == "__main__":
    main()
