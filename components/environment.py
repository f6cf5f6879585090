"""One environment: a platform, Istio on it, and everything that the declaration asks for."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pulumi

from components import kubernetes_objects, platform, policy_bundle
from components.istio import control_plane, gateway
from policies.bundles import bundle as bundles
from policies.bundles import surroundings
from slipway.machines import arguments as machine_arguments
from slipway.manifests.manifest import Manifest
from slipway.mesh import model

TYPE = "slipway:index:Environment"
ACCESS = "access"

_NAMESPACES = (bundles.Stage.NAMESPACE,)
_PROTECTION = (bundles.Stage.DENY,)
_JOINING = (bundles.Stage.IDENTITY, bundles.Stage.ALLOW, bundles.Stage.REGISTRATION)
_MOVING = (bundles.Stage.TRAFFIC, bundles.Stage.TELEMETRY)


@dataclass(frozen=True, slots=True, kw_only=True)
class EnvironmentArgs:
    """The resolved declaration, the bundle compiled from it, and the platform that carries it."""

    mesh: model.Mesh
    bundle: bundles.Bundle
    platform: platform.Platform


class Environment(pulumi.ComponentResource):
    """The whole of one environment.

    What closes (deny-all, STRICT, NetworkPolicy) is created before istiod configures the first proxy and deleted
    after it is gone, so neither the first `up` nor `destroy` has a moment in which a proxy is told to be open.
    The output ``access`` keeps the surroundings once everything in them is there, for the next preview to compare.
    """

    def __init__(self, name: str, args: EnvironmentArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__(TYPE, name, None, opts)
        self._mesh, self._bundle, self._platform = args.mesh, args.bundle, args.platform
        self._cluster = kubernetes_objects.provider(
            f"{name}-cluster",
            kubeconfig=args.platform.kubeconfig,
            cluster=args.platform.cluster,
            opts=pulumi.ResourceOptions(parent=self),
        )
        namespaces = self._namespaces()
        definitions = self._definitions()
        namespaces[control_plane.NAMESPACE] = definitions.namespace
        protection = self._objects("protection", _PROTECTION, after=[definitions.release], namespaces=namespaces)
        istiod = self._istiod(after=[definitions.release, *protection.values()])
        joining = self._objects("identities", _JOINING, after=[istiod], namespaces=namespaces)
        gateways = self._gateways(after=[istiod], namespaces=namespaces)
        self._objects("traffic", _MOVING, after=[istiod], namespaces=namespaces)
        delivered = self._deliver(joining=joining, namespaces=namespaces)
        machines = self._machines(after=[*gateways, *delivered], joining=joining)
        around = surroundings.emit_surroundings(args.mesh, args.bundle).to_json()
        done = pulumi.Output.all(*(item.urn for item in (istiod, *gateways, *machines)))
        self.register_outputs({**outputs(args.mesh), **args.platform.outputs, ACCESS: done.apply(lambda _: around)})

    def _children(self) -> pulumi.ResourceOptions:
        return pulumi.ResourceOptions(parent=self, providers=[self._cluster])

    def _namespaces(self) -> dict[str, pulumi.Resource]:
        owned = policy_bundle.PolicyBundle(
            "namespaces",
            policy_bundle.PolicyBundleArgs(manifests=self._manifests(_NAMESPACES), kept=self._mesh.namespaces),
            opts=self._children(),
        )
        found: dict[str, pulumi.Resource] = {key[2]: item for key, item in owned.resources.items()}
        for name, labels in self._bundle.namespace_labels.items():
            options = pulumi.ResourceOptions(parent=owned)
            found[name] = kubernetes_objects.label_namespace(name, labels=dict(labels), opts=options)
        return found

    def _definitions(self) -> control_plane.Definitions:
        apart = self._bundle.apart
        arguments = control_plane.DefinitionsArgs(
            charts=self._platform.charts,
            default_revision=self._mesh.revision,
            labels={} if apart is None else apart.system_labels,
        )
        return control_plane.Definitions("definitions", arguments, opts=self._children())

    def _istiod(self, *, after: Sequence[pulumi.Resource]) -> pulumi.Resource:
        arguments = control_plane.ControlPlaneArgs(
            charts=self._platform.charts,
            revision=self._mesh.revision,
            cluster=machine_arguments.CLUSTER,
            mesh_config=self._bundle.mesh_config,
            environment=self._bundle.control_plane.environment,
            values=self._bundle.control_plane.values,
            after=after,
        )
        return control_plane.ControlPlane("control-plane", arguments, opts=self._children()).release

    def _gateways(
        self, *, after: Sequence[pulumi.Resource], namespaces: Mapping[str, pulumi.Resource]
    ) -> list[pulumi.Resource]:
        found: list[pulumi.Resource] = []
        for deployment in self._bundle.gateways:
            arguments = gateway.GatewayArgs(
                charts=self._platform.charts,
                revision=self._mesh.revision,
                deployment=deployment,
                source_ranges=self._source_ranges(deployment),
                after=[*after, namespaces[deployment.namespace]],
            )
            found.append(gateway.Gateway(deployment.release, arguments, opts=self._children()).release)
        return found

    def _source_ranges(self, deployment: bundles.GatewayDeployment) -> tuple[str, ...]:
        """Return who reaches a gateway's load balancer: machines alone, where there is one for them."""
        public = deployment.namespace == control_plane.INGRESS_NAMESPACE
        balanced = deployment.service_type == "LoadBalancer" and not public
        return self._bundle.apart.source_ranges if self._bundle.apart is not None and balanced else ()

    def _objects(
        self,
        name: str,
        stages: Sequence[bundles.Stage],
        *,
        after: Sequence[pulumi.Resource],
        namespaces: Mapping[str, pulumi.Resource],
    ) -> dict[tuple[str, str, str], pulumi.Resource]:
        arguments = policy_bundle.PolicyBundleArgs(
            manifests=self._manifests(stages),
            after=after,
            after_namespace={namespace: (resource,) for namespace, resource in namespaces.items()},
        )
        return policy_bundle.PolicyBundle(name, arguments, opts=self._children()).resources

    def _deliver(
        self,
        *,
        joining: Mapping[tuple[str, str, str], pulumi.Resource],
        namespaces: Mapping[str, pulumi.Resource],
    ) -> Sequence[pulumi.Resource]:
        home = control_plane.INGRESS_NAMESPACE
        accounts = [resource for (kind, _, _), resource in joining.items() if kind == "ServiceAccount"]
        return self._platform.deliver(
            platform.DeliveryArgs(
                cluster=self._cluster,
                certificates=tuple(
                    platform.CertificateArgs(
                        host=item.host, secret=item.certificate, namespace=home, after=[namespaces[home]]
                    )
                    for item in self._mesh.ingress
                ),
                machines=self._mesh.machines,
                after=[*accounts, *namespaces.values()],
            )
        )

    def _machines(
        self,
        *,
        after: Sequence[pulumi.Resource],
        joining: Mapping[tuple[str, str, str], pulumi.Resource],
    ) -> list[pulumi.Resource]:
        found: list[pulumi.Resource] = []
        for declared in self._mesh.machines:
            registered = [
                resource for (_, namespace, _), resource in joining.items() if namespace == declared.namespace
            ]
            arguments = platform.machine_args(self._mesh, self._bundle, declared, after=[*after, *registered])
            made = self._platform.machine(arguments)
            if made is not None:
                found.append(made)
        return found

    def _manifests(self, stages: Sequence[bundles.Stage]) -> tuple[Manifest, ...]:
        return tuple(item for stage, items in self._bundle.stages() if stage in stages for item in items)


def outputs(mesh: model.Mesh) -> dict[str, object]:
    """Return what a person wants to know of an environment, and the positions that it stands on."""
    return {
        "hosts": {host.host: mesh.network.ingress for host in mesh.ingress},
        "machines": {machine.name: machine.address for machine in mesh.machines},
        "revision": mesh.revision,
        "phases": {
            "mtls": mesh.phases.mtls.value,
            "egress": mesh.phases.egress.value,
            "authorization": mesh.phases.authorization.value,
        },
    }
