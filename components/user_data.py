"""The user-data of an environment's machines: the same on every platform but for where things are."""

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

from policies.bundles import bundle as bundles
from slipway.machines import arguments, user_data
from slipway.mesh import azure_plan, model
from slipway.world import files

_NO_ARCHIVES: Mapping[str, str] = MappingProxyType({})


def of(
    mesh: model.Mesh,
    bundle: bundles.Bundle,
    *,
    folder: Path,
    metadata: str,
    vault_url: str,
    package: arguments.SidecarPackage,
    archives: Mapping[str, str] = _NO_ARCHIVES,
) -> dict[str, str]:
    """Return cloud-init's text by machine; ``metadata`` is the address of the instance metadata service.

    ``archives`` are addresses of blob containers, by machines whose database's log is archived. ``folder`` is that of
    the environment's file: the teams' cloud-configs are given relative to it. Raises DiagnosticsError for one that is
    not there or is none, and ValueError where both are too large together.
    """
    configs = files.read_cloud_configs(folder, mesh)

    def text(machine: model.Machine) -> str:
        made = arguments.of(
            mesh,
            machine=machine.name,
            guard_policy=bundle.guards[machine.name],
            token=arguments.TokenSource(
                metadata_url=f"http://{metadata}",
                resource=azure_plan.VAULT_RESOURCE,
                client_id="",  # the machine has one identity
                vault_url=vault_url,
                secret=arguments.secret_name(machine.name),
            ),
            package=package,
            team_cloud_config=configs.get(machine.name, ""),
            archive=_archive(archives.get(machine.name, ""), metadata=metadata),
        )
        return user_data.user_data(made)

    return {machine.name: text(machine) for machine in mesh.machines}


def _archive(url: str, *, metadata: str) -> arguments.Archive | None:
    if not url:
        return None
    resource = azure_plan.STORAGE_RESOURCE
    return arguments.Archive(metadata_url=f"http://{metadata}", resource=resource, client_id="", url=url)
