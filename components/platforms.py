"""From the declaration's platform to its component."""

from pathlib import Path

import pulumi

from components import platform
from policies.bundles import bundle as bundles
from slipway.mesh import model


def create(mesh: model.Mesh, *, bundle: bundles.Bundle, folder: Path, lab_instance: str | None) -> platform.Platform:
    """Return the platform component of ``mesh``.

    ``folder`` holds the environment's file; ``lab_instance`` names the lab to use when it is not the environment's
    own. Raises pulumi.RunError for a platform that this version cannot create.
    """
    if mesh.platform is not model.PlatformKind.LAB:
        message = f"platform {mesh.platform.value} cannot be created yet; this version knows: lab"
        raise pulumi.RunError(message)
    from components.lab import platform as lab_platform  # noqa: PLC0415 - only where there is a lab
    from components.lab import settings  # noqa: PLC0415

    arguments = settings.read(lab_instance or mesh.environment, mesh=mesh, bundle=bundle, folder=folder)
    return lab_platform.LabPlatform("lab", arguments)
