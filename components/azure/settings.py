"""From the declaration to the arguments of Azure's platform."""

from pathlib import Path

from components.azure import platform, pools, vault
from components.istio import charts
from policies.bundles import bundle as bundles
from slipway.machines import arguments, user_data
from slipway.mesh import azure, model, names

# Source: Azure documentation, resource-name-rules: resource groups 90, node resource groups 80 (`-nodes` is added),
# and DNS prefixes of clusters 54.
NAME_CHARACTERS = 48

_SPREAD = {"minReplicas": 2, "maxReplicas": 5}
# AKS writes a namespaceSelector into every webhook, and undoes what others set. Source: Azure/AKS issue 1771.
_ISTIOD_VALUES = {
    "autoscaleMin": 2,
    "sidecarInjectorWebhookAnnotations": {"admissions.enforcer/disabled": "true"},
    "nodeSelector": {pools.LABEL: "workloads"},
}
_GATEWAY_VALUES = {
    "autoscaling": {"enabled": True, **_SPREAD},
    "podDisruptionBudget": {"minAvailable": 1},
    "nodeSelector": {pools.LABEL: pools.GATEWAYS},
    "tolerations": [{"key": pools.LABEL, "operator": "Equal", "value": pools.GATEWAYS, "effect": "NoSchedule"}],
}


def read(mesh: model.Mesh, *, bundle: bundles.Bundle, folder: Path) -> platform.AzurePlatformArgs:
    """Return the platform arguments of ``mesh``.

    ``folder`` is that of the environment's file: the teams' cloud-configs are given relative to it. Raises OSError
    for one that is not there, and ValueError for one that is none or where the loader has not read `azure`.
    """
    settings = mesh.azure
    if settings is None:
        raise ValueError("the loader lets no environment on Azure pass without its settings")
    return platform.AzurePlatformArgs(
        name=names.label(mesh.name, mesh.environment, limit=NAME_CHARACTERS),
        settings=settings,
        plan=mesh.network,
        egress=mesh.phases.egress,
        charts=charts.Charts(
            version=settings.istio,
            tag=settings.istio,
            istiod_values=_ISTIOD_VALUES,
            gateway_values=_GATEWAY_VALUES,
        ),
        machines=mesh.machines,
        tags={"managed-by": "slipway", "mesh": mesh.name, "environment": mesh.environment},
        user_data={
            machine.name: _user_data(machine, settings=settings, mesh=mesh, bundle=bundle, folder=folder)
            for machine in mesh.machines
        },
    )


def _user_data(
    machine: model.Machine, *, settings: azure.Azure, mesh: model.Mesh, bundle: bundles.Bundle, folder: Path
) -> str:
    image = settings.machines
    if image is None:
        raise ValueError("the loader lets no machine pass without an image")
    made = arguments.of(
        mesh,
        machine=machine.name,
        guard_policy=bundle.guards[machine.name],
        token=arguments.TokenSource(
            metadata_url=f"http://{mesh.network.metadata}",
            resource=vault.RESOURCE,
            client_id="",  # the machine has one identity
            vault_url=vault.url(settings.vault),
            secret=arguments.secret_name(machine.name),
        ),
        package=arguments.SidecarPackage(url=image.sidecar_url, sha256=image.sidecar_sha256),
        team_cloud_config=(folder / machine.cloud_config).read_text() if machine.cloud_config else "",
    )
    return user_data.user_data(made)
