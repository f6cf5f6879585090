"""The declaration on a cluster that runs Istio already: policies and registrations, no control plane, no gateway."""

from collections.abc import Sequence
from dataclasses import dataclass

import pulumi

from components import environment, kubernetes_objects, policy_bundle
from policies.bundles import bundle as bundles
from policies.bundles import surroundings
from slipway.mesh import model

_JOINING = (bundles.Stage.IDENTITY, bundles.Stage.ALLOW, bundles.Stage.REGISTRATION)
_MOVING = (bundles.Stage.TRAFFIC, bundles.Stage.TELEMETRY)


@dataclass(frozen=True, slots=True, kw_only=True)
class AdoptedMeshArgs:
    """The resolved declaration and the bundle compiled from it."""

    mesh: model.Mesh
    bundle: bundles.Bundle


class AdoptedMesh(pulumi.ComponentResource):
    """Everything of a declaration that is an object of the cluster.

    The cluster is that of the stack's own Kubernetes provider (``kubernetes:kubeconfig``, ``kubernetes:context``).
    istiod, its mesh configuration and the gateways belong to others; so do their namespaces. What closes is created
    before what opens and deleted after it. Its type and outputs are those of `Environment`, so that the next preview
    finds what this one left.
    """

    def __init__(self, name: str, args: AdoptedMeshArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__(environment.TYPE, name, None, opts)
        self._bundle = args.bundle
        declared = args.mesh.namespaces
        namespaces = self._objects("namespaces", (bundles.Stage.NAMESPACE,), only=declared, after=())
        for namespace, labels in args.bundle.namespace_labels.items():
            options = pulumi.ResourceOptions(parent=self)
            namespaces.append(kubernetes_objects.label_namespace(namespace, labels=dict(labels), opts=options))
        protection = self._objects("protection", (bundles.Stage.DENY,), after=namespaces)
        joining = self._objects("identities", _JOINING, after=protection)
        moving = self._objects("traffic", _MOVING, after=joining)
        around = surroundings.emit_surroundings(args.mesh, args.bundle).to_json()
        done = pulumi.Output.all(*(item.urn for item in (*joining, *moving)))
        outputs = environment.outputs(args.mesh)
        self.register_outputs({**outputs, environment.ACCESS: done.apply(lambda _: around)})

    def _objects(
        self,
        name: str,
        stages: Sequence[bundles.Stage],
        *,
        after: Sequence[pulumi.Resource],
        only: Sequence[str] | None = None,
    ) -> list[pulumi.Resource]:
        """Register the objects of ``stages``, or those called as ``only`` says; the Namespaces among them stay."""
        manifests = [
            item
            for stage, items in self._bundle.stages()
            for item in items
            if stage in stages and (only is None or item.name in only)
        ]
        arguments = policy_bundle.PolicyBundleArgs(manifests=manifests, kept=only or (), after=after)
        options = pulumi.ResourceOptions(parent=self)
        return list(policy_bundle.PolicyBundle(name, arguments, opts=options).resources.values())
