"""From a running lab to the arguments of its platform."""

from pathlib import Path

import pulumi

from components import user_data
from components.istio import charts
from components.lab import platform
from policies.bundles import bundle as bundles
from slipway.lab import instance as instances
from slipway.lab import programs
from slipway.lab.machines import api, sidecar_package
from slipway.machines import arguments
from slipway.mesh import model

HUB = "docker.io/slipway-lab"

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
    for a bad name or a lab with another network of pods, and ProgramsUnavailable when the programs were never built.
    """
    instance = instances.named(name)
    _check_network(instance, mesh)
    package = sidecar_package.ensure(instance.cache, _say)
    sidecar = arguments.SidecarPackage(
        url=f"file://{api.PACKAGES_FOLDER}/{sidecar_package.NAME}", sha256=package.sha256
    )
    return platform.LabPlatformArgs(
        instance=name,
        kubeconfig=str(instance.kubeconfig),
        charts=built_charts(),
        user_data=user_data.of(
            mesh,
            bundle,
            folder=folder,
            metadata=instances.METADATA_ADDRESS,
            vault_url=f"https://{instances.VAULT_HOST}",
            package=sidecar,
        ),
    )


def _check_network(instance: instances.Instance, mesh: model.Mesh) -> None:
    if not instance.state.exists() or instance.has_overlay == mesh.network.overlay:
        return
    how = ("routed", "overlay")
    option = " --overlay" if mesh.network.overlay else ""
    msg = (
        f"{mesh.environment} states the network of pods `{how[mesh.network.overlay]}`, and the lab {instance.name} "
        f"has `{how[instance.has_overlay]}`; make one with `slipway lab up NAME{option}`"
    )
    raise instances.LabError(msg)


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


def _say(message: str) -> None:
    pulumi.log.info(message)
