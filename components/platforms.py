"""From the declaration's platform to its component."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import pulumi

from components import adopted, environment, platform
from policies.bundles import bundle as bundles
from slipway.mesh import model, stack_parts

if TYPE_CHECKING:
    from components.azure import platform as azure_platforms


def build(
    mesh: model.Mesh, *, stack: str, bundle: bundles.Bundle, folder: Path, lab_instance: str | None
) -> Mapping[str, pulumi.Input[object]]:
    """Register what ``stack`` makes of one environment and return its outputs.

    Parameters and errors as for :func:`create`. The platform ``existing`` is a cluster that runs Istio already:
    nothing is created but objects of the declaration.
    """
    name = mesh.environment
    if mesh.platform is model.PlatformKind.EXISTING:
        adopted.AdoptedMesh(name, adopted.AdoptedMeshArgs(mesh=mesh, bundle=bundle))
        return environment.outputs(mesh)
    match stack_parts.part_of(stack, mesh):
        case stack_parts.Part.PLATFORM:
            return _azure(mesh, bundle=bundle, folder=folder).hand_over(mesh, bundle)
        case stack_parts.Part.MESH:
            found = _handed_over(mesh, bundle=bundle, folder=folder)
        case stack_parts.Part.ALL:
            found = create(mesh, bundle=bundle, folder=folder, lab_instance=lab_instance)
    environment.Environment(name, environment.EnvironmentArgs(mesh=mesh, bundle=bundle, platform=found))
    return {**environment.outputs(mesh), **found.outputs}


def create(mesh: model.Mesh, *, bundle: bundles.Bundle, folder: Path, lab_instance: str | None) -> platform.Platform:
    """Return the platform component of ``mesh``.

    ``folder`` holds the environment's file; ``lab_instance`` names the lab to use when it is not the environment's
    own. Raises pulumi.RunError for the platform ``existing``, which is there, and for a lab that cannot be had.
    """
    # Each is imported only where it is used: Azure's SDK takes seconds, and the lab's needs what only Linux has.
    match mesh.platform:
        case model.PlatformKind.LAB:
            from components.lab import platform as lab_platform  # noqa: PLC0415
            from components.lab import settings as lab_settings  # noqa: PLC0415
            from slipway.lab import instance as instances  # noqa: PLC0415
            from slipway.lab import programs  # noqa: PLC0415

            try:
                found = lab_settings.read(lab_instance or mesh.environment, mesh=mesh, bundle=bundle, folder=folder)
            except (instances.LabError, programs.ProgramsUnavailable) as error:
                raise pulumi.RunError(str(error)) from None
            return lab_platform.LabPlatform("lab", found)
        case model.PlatformKind.AZURE:
            return _azure(mesh, bundle=bundle, folder=folder)
        case model.PlatformKind.EXISTING:
            raise pulumi.RunError("the platform existing is a cluster that is there; nothing creates it")


def _azure(mesh: model.Mesh, *, bundle: bundles.Bundle, folder: Path) -> "azure_platforms.AzurePlatform":
    from components.azure import platform as azure_platform  # noqa: PLC0415
    from components.azure import settings as azure_settings  # noqa: PLC0415

    return azure_platform.AzurePlatform("azure", azure_settings.read(mesh, bundle=bundle, folder=folder))


def _handed_over(mesh: model.Mesh, *, bundle: bundles.Bundle, folder: Path) -> platform.Platform:
    from components.azure import handed_over, handover, user_data  # noqa: PLC0415

    if mesh.azure is None:
        raise ValueError("the loader lets no environment on Azure pass without its settings")
    declared = handover.made_of(bundle, user_data.of(mesh, bundle, folder=folder))
    return handed_over.HandedOver("azure", mesh.azure, handover.read(mesh, machines=declared))
