"""What services of Azure say about themselves, into the environment's workspace."""

from collections.abc import Sequence

import pulumi
from pulumi_azure_native import monitor


def send(
    name: str,
    *,
    resource: pulumi.Input[str],
    workspace: pulumi.Input[str],
    categories: Sequence[str],
    opts: pulumi.ResourceOptions,
) -> monitor.DiagnosticSetting:
    """Send the logs ``categories`` of one resource (an id) to the workspace (an id), a table for each.

    Source: Azure documentation, azure-monitor/platform/resource-logs, "Resource-specific".
    """
    return monitor.DiagnosticSetting(
        name,
        resource_uri=resource,
        name="logs",
        workspace_id=workspace,
        log_analytics_destination_type="Dedicated",
        logs=[monitor.DiagnosticsLogSettingsArgs(category=item, enabled=True) for item in categories],
        opts=opts,
    )
