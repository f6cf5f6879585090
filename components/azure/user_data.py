"""The user-data of an environment's machines on Azure."""

from pathlib import Path

from policies.bundles import bundle as bundles
from slipway.machines import arguments, user_data
from slipway.mesh import azure, azure_plan, model


def of(mesh: model.Mesh, bundle: bundles.Bundle, *, folder: Path) -> dict[str, str]:
    """Return cloud-init's text by machine.

    ``folder`` is that of the environment's file: the teams' cloud-configs are given relative to it. Raises OSError
    for one that is not there, and ValueError for one that is none.
    """
    settings = mesh.azure
    image = None if settings is None else settings.machines
    if settings is None or (image is None and mesh.machines):
        raise ValueError("the loader lets no machine on Azure pass without an image")
    return {
        machine.name: _of(machine, image=image, vault=settings.vault, mesh=mesh, bundle=bundle, folder=folder)
        for machine in mesh.machines
        if image is not None
    }


def _of(
    machine: model.Machine,
    *,
    image: azure.MachineImage,
    vault: str,
    mesh: model.Mesh,
    bundle: bundles.Bundle,
    folder: Path,
) -> str:
    made = arguments.of(
        mesh,
        machine=machine.name,
        guard_policy=bundle.guards[machine.name],
        token=arguments.TokenSource(
            metadata_url=f"http://{mesh.network.metadata}",
            resource=azure_plan.VAULT_RESOURCE,
            client_id="",  # the machine has one identity
            vault_url=azure_plan.vault_url(vault),
            secret=arguments.secret_name(machine.name),
        ),
        package=arguments.SidecarPackage(url=image.sidecar_url, sha256=image.sidecar_sha256),
        team_cloud_config=(folder / machine.cloud_config).read_text() if machine.cloud_config else "",
    )
    return user_data.user_data(made)
