"""A compiled policy bundle on any cluster that runs Istio."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field

import pulumi

from components import kubernetes_objects
from slipway.manifests.manifest import Manifest


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicyBundleArgs:
    """Manifests to apply.

    ``after`` must exist before the first of them, ``after_namespace`` before those of one namespace. Dependents are
    deleted first, so what must close first and open last (deny-all, STRICT) comes in a bundle of its own that the
    others depend on. ``kept`` are Namespaces that stay when their resource goes: others may have moved in meanwhile.
    """

    manifests: Sequence[Manifest]
    kept: Collection[str] = ()
    after: Sequence[pulumi.Resource] = ()
    after_namespace: Mapping[str, Sequence[pulumi.Resource]] = field(default_factory=dict)


class PolicyBundle(pulumi.ComponentResource):
    """The objects of a bundle, one resource each, by Kubernetes key: ``resources[(kind, namespace, name)]``."""

    resources: dict[tuple[str, str, str], pulumi.Resource]

    def __init__(self, name: str, args: PolicyBundleArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("slipway:index:PolicyBundle", name, None, opts)
        self.resources = {}
        for manifest in args.manifests:
            after = [*args.after, *args.after_namespace.get(manifest.namespace, ())]
            kept = manifest.kind == "Namespace" and manifest.name in args.kept
            options = pulumi.ResourceOptions(parent=self, depends_on=after, retain_on_delete=kept)
            self.resources[manifest.key] = kubernetes_objects.create(manifest, opts=options)
        self.register_outputs({"objects": len(self.resources)})
