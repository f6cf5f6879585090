"""The Istio control plane: custom resource definitions, then istiod by revision."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import pulumi
from pulumi_kubernetes.core import v1 as core
from pulumi_kubernetes.helm import v3 as helm

from components.istio import charts

NAMESPACE = "istio-system"
INGRESS_NAMESPACE = "istio-ingress"
INSTALL_TIMEOUT_S = 300


@dataclass(frozen=True, slots=True, kw_only=True)
class DefinitionsArgs:
    """``charts`` is where the chart ``base`` comes from; ``default_revision`` validates what names no revision.

    ``labels`` are further ones of istio-system.
    """

    charts: charts.Charts
    default_revision: str
    labels: Mapping[str, str] = field(default_factory=dict)


class Definitions(pulumi.ComponentResource):
    """Istio's custom resource definitions, once per cluster.

    They come before everything else so that policies exist before the first proxy can ask for its configuration.
    ``namespace`` is istio-system, which the gateways in it share.
    """

    namespace: core.Namespace
    release: helm.Release

    def __init__(self, name: str, args: DefinitionsArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("slipway:istio:Definitions", name, None, opts)
        self.namespace = core.Namespace(
            f"Namespace/{NAMESPACE}",
            metadata={"name": NAMESPACE, "labels": {"app.kubernetes.io/managed-by": "slipway", **args.labels}},
            opts=pulumi.ResourceOptions(parent=self),
        )
        self.release = helm.Release(
            "istio-base",
            helm.ReleaseArgs(
                name="istio-base",
                **args.charts.chart("base"),
                namespace=NAMESPACE,
                values={"defaultRevision": args.default_revision},
                timeout=INSTALL_TIMEOUT_S,
            ),
            opts=pulumi.ResourceOptions(parent=self, depends_on=[self.namespace]),
        )
        self.register_outputs({"release": self.release.name})


@dataclass(frozen=True, slots=True, kw_only=True)
class ControlPlaneArgs:
    """One revision of istiod.

    ``mesh_config`` is istiod's meshConfig and ``environment`` its process environment, and ``values``
    further values of its chart, all from the bundle;
    ``cluster`` is the name under which machines and proxies know this cluster; ``after`` are the resources that
    must exist before istiod configures the first proxy.
    """

    charts: charts.Charts
    revision: str
    cluster: str
    mesh_config: Mapping[str, Any]
    environment: Mapping[str, str] = field(default_factory=dict)
    values: Mapping[str, Any] = field(default_factory=dict)
    after: Sequence[pulumi.Resource] = ()


class ControlPlane(pulumi.ComponentResource):
    """istiod of one revision, named ``istiod-<revision>``."""

    release: helm.Release

    def __init__(self, name: str, args: ControlPlaneArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("slipway:istio:ControlPlane", name, None, opts)
        self.release = helm.Release(
            f"istiod-{args.revision}",
            helm.ReleaseArgs(
                name=f"istiod-{args.revision}",
                **args.charts.chart("istiod"),
                namespace=NAMESPACE,
                values=istiod_values(args),
                timeout=INSTALL_TIMEOUT_S,
            ),
            opts=pulumi.ResourceOptions(parent=self, depends_on=[*args.after]),
        )
        self.register_outputs({"release": self.release.name})


def istiod_values(args: ControlPlaneArgs) -> dict[str, Any]:
    """Return the values of the chart ``istiod``.

    Source: istio/istio 1.29.1 manifests/charts/istio-control/istio-discovery/values.yaml.
    """
    values: dict[str, Any] = {
        "revision": args.revision,
        "env": dict(args.environment),
        "meshConfig": dict(args.mesh_config),
        "global": {
            "hub": args.charts.hub,
            "tag": args.charts.tag,
            "multiCluster": {"clusterName": args.cluster},
        },
    }
    return charts.merged(charts.merged(values, args.values), args.charts.istiod_values)
