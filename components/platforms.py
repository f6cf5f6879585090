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
    # Each is imported only where it is used: Azure's SDK takes seconds, and the lab's needs what only Linux has.
    match mesh.platform:
        case model.PlatformKind.LAB:
            from components.lab import platform as lab_platform  # noqa: PLC0415
            from components.lab import settings as lab_settings  # noqa: PLC0415

            found = lab_settings.read(lab_instance or mesh.environment, mesh=mesh, bundle=bundle, folder=folder)
            return lab_platform.LabPlatform("lab", found)
        case model.PlatformKind.AZURE:
            from components.azure import platform as azure_platform  # noqa: PLC0415
            from components.azure import settings as azure_settings  # noqa: PLC0415

            return azure_platform.AzurePlatform("azure", azure_settings.read(mesh, bundle=bundle, folder=folder))
        case model.PlatformKind.EXISTING:
            raise pulumi.RunError("platform existing cannot be created yet; this version knows: lab, azure")
