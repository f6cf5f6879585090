"""From a running lab to the arguments of its platform."""

from pathlib import Path

import pulumi

from components.istio import charts
from components.lab import platform
from policies.bundles import bundle as bundles
from slipway.lab import instance as instances
from slipway.lab import programs
from slipway.lab.machines import api, sidecar_package
from slipway.machines import arguments, user_data
from slipway.mesh import model

HUB = "docker.io/slipway-lab"
VAULT_RESOURCE = "https://vault.azure.net"  # Source: Azure documentation, key-vault/general/authentication

_SMALL = {"requests": {"cpu": "10m", "memory": "40Mi"}}
_ISTIOD_VALUES = {
    "autoscaleEnabled": False,
    "resources": _SMALL,
    "global": {
        "defaultPodDisruptionBudget": {"enabled": False},
        "imagePullPolicy": "IfNotPresent",
        "proxy": {"resources": _SMALL},
    },
}
_GATEWAY_VALUES = {"autoscaling": {"enabled": False}, "imagePullPolicy": "IfNotPresent", "resources": _SMALL}


def read(name: str, *, mesh: model.Mesh, bundle: bundles.Bundle, folder: Path) -> platform.LabPlatformArgs:
    """Return the platform arguments of the lab instance ``name``.

    ``folder`` is that of the environment's file: the teams' cloud-configs are given relative to it. Raises LabError
    for a bad name and ProgramsUnavailable when the programs were never built.
    """
    instance = instances.named(name)
    package = sidecar_package.ensure(instance.cache, _say)
    sidecar = arguments.SidecarPackage(
        url=f"file://{api.PACKAGES_FOLDER}/{sidecar_package.NAME}", sha256=package.sha256
    )
    return platform.LabPlatformArgs(
        instance=name,
        kubeconfig=str(instance.kubeconfig),
        charts=built_charts(),
        user_data={
            machine.name: _user_data(machine, sidecar=sidecar, mesh=mesh, bundle=bundle, folder=folder)
            for machine in mesh.machines
        },
    )


def built_charts() -> charts.Charts:
    """Return the charts and images of labs. Raises ProgramsUnavailable when they were never built."""
    istio = programs.require(["istio"])["istio"]
    return charts.Charts(
        location=str(istio.share / "charts"),
        version="",
        hub=HUB,
        tag=istio.version,
        istiod_values=_ISTIOD_VALUES,
        gateway_values=_GATEWAY_VALUES,
    )


def _user_data(
    machine: model.Machine,
    *,
    sidecar: arguments.SidecarPackage,
    mesh: model.Mesh,
    bundle: bundles.Bundle,
    folder: Path,
) -> str:
    made = arguments.of(
        mesh,
        machine=machine.name,
        guard_policy=bundle.guards[machine.name],
        token=arguments.TokenSource(
            metadata_url=f"http://{instances.METADATA_ADDRESS}",
            resource=VAULT_RESOURCE,
            client_id="",
            vault_url=f"https://{instances.VAULT_HOST}",
            secret=f"{machine.name}-istio",
        ),
        package=sidecar,
        team_cloud_config=(folder / machine.cloud_config).read_text() if machine.cloud_config else "",
    )
    return user_data.user_data(made)


def _say(message: str) -> None:
    pulumi.log.info(message)
