"""The user-data of an environment's machines on Azure."""

from pathlib import Path

from components import user_data
from policies.bundles import bundle as bundles
from slipway.machines import arguments
from slipway.mesh import azure_plan, model


def of(mesh: model.Mesh, bundle: bundles.Bundle, *, folder: Path) -> dict[str, str]:
    """Return cloud-init's text by machine; parameters and errors as for :func:`components.user_data.of`."""
    if not mesh.machines:
        return {}
    settings = mesh.azure
    if settings is None or settings.machines is None:
        raise ValueError("the loader lets no machine on Azure pass without an image")
    image = settings.machines
    return user_data.of(
        mesh,
        bundle,
        folder=folder,
        metadata=mesh.network.metadata,
        vault_url=azure_plan.vault_url(settings.vault),
        archives={
            item.name: azure_plan.archive_url(settings.archive, machine=item.name)
            for item in mesh.machines
            if azure_plan.archive_address(mesh, item)
        },
        package=arguments.SidecarPackage(url=image.sidecar_url, sha256=image.sidecar_sha256),
    )
