"""From the declaration to the arguments of Azure's platform."""

from pathlib import Path
from typing import Any

import pulumi

from components.azure import istio, platform, user_data
from policies.bundles import bundle as bundles
from slipway.diagnostics import DiagnosticsError, render
from slipway.mesh import azure_cost, azure_prices, model, names
from slipway.world import files

# Source: Azure documentation, resource-name-rules: resource groups 90, node resource groups 80 (`-nodes` is added),
# and DNS prefixes of clusters 54.
NAME_CHARACTERS = 48


def read(mesh: model.Mesh, *, bundle: bundles.Bundle, folder: Path) -> platform.AzurePlatformArgs:
    """Return the platform arguments of ``mesh``.

    ``folder`` is that of the environment's file: the teams' cloud-configs are given relative to it. Raises OSError
    for one that is not there, ValueError for one that is none or where the loader has not read `azure`, and
    pulumi.RunError for a list of prices with mistakes.
    """
    settings = mesh.azure
    if settings is None:
        raise ValueError("the loader lets no environment on Azure pass without its settings")
    return platform.AzurePlatformArgs(
        name=names.label(mesh.name, mesh.environment, limit=NAME_CHARACTERS),
        settings=settings,
        plan=mesh.network,
        egress=mesh.phases.egress,
        charts=istio.charts_of(settings),
        machines=mesh.machines,
        tags={"managed-by": "slipway", "mesh": mesh.name, "environment": mesh.environment},
        user_data=user_data.of(mesh, bundle, folder=folder),
        monthly_cost=_monthly_cost(mesh, path=settings.prices, folder=folder),
    )


def _monthly_cost(mesh: model.Mesh, *, path: str, folder: Path) -> dict[str, Any]:
    try:
        prices = azure_prices.read(files.read_prices(folder, path))
    except DiagnosticsError as error:
        raise pulumi.RunError("\n" + render.text(error.diagnostics)) from None
    return azure_cost.to_plain(azure_cost.estimate(mesh, prices))
