"""One Istio gateway from the official chart."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import pulumi
from pulumi_kubernetes.helm import v3 as helm

from components.istio import charts, control_plane
from policies.bundles import bundle


@dataclass(frozen=True, slots=True, kw_only=True)
class GatewayArgs:
    """``deployment`` is what the bundle asks for; ``after`` must exist before the gateway's first pod.

    ``source_ranges`` are the blocks that reach its load balancer; none: every one.
    """

    charts: charts.Charts
    revision: str
    deployment: bundle.GatewayDeployment
    source_ranges: Sequence[str] = ()
    after: Sequence[pulumi.Resource] = ()


class Gateway(pulumi.ComponentResource):
    """A gateway's Deployment, Service, ServiceAccount and Role, in the bundle's namespace and with its ports."""

    release: helm.Release

    def __init__(self, name: str, args: GatewayArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("slipway:istio:Gateway", name, None, opts)
        self.release = helm.Release(
            args.deployment.release,
            helm.ReleaseArgs(
                name=args.deployment.release,
                **args.charts.chart("gateway"),
                namespace=args.deployment.namespace,
                values=gateway_values(args),
                timeout=control_plane.INSTALL_TIMEOUT_S,
            ),
            opts=pulumi.ResourceOptions(parent=self, depends_on=[*args.after]),
        )
        self.register_outputs({"release": self.release.name})


def gateway_values(args: GatewayArgs) -> dict[str, Any]:
    """Return the values of the chart ``gateway``.

    Source: istio/istio 1.29.1 manifests/charts/gateway/values.yaml.
    """
    deployment = args.deployment
    service: dict[str, Any] = {
        "type": deployment.service_type,
        "ports": [
            {"name": port.name, "port": port.port, "targetPort": port.target_port, "protocol": "TCP"}
            for port in deployment.ports
        ],
        "annotations": dict(deployment.service_annotations),
    }
    if deployment.load_balancer_ip:
        service["loadBalancerIP"] = deployment.load_balancer_ip
    if args.source_ranges:
        service["loadBalancerSourceRanges"] = [*args.source_ranges]
    values: dict[str, Any] = {
        "revision": args.revision,
        "labels": dict(deployment.labels),
        "service": service,
        "env": dict(deployment.environment),
    }
    return charts.merged(values, args.charts.gateway_values)
