"""From a manifest to a Pulumi resource with a stable name."""

from typing import Any

import pulumi
import pulumi_kubernetes as kubernetes
from pulumi_kubernetes.apiextensions import CustomResource
from pulumi_kubernetes.core import v1 as core
from pulumi_kubernetes.networking import v1 as networking

from slipway.manifests.manifest import Manifest

FIELD_MANAGER = "slipway"

_CORE_KINDS: dict[tuple[str, str], Any] = {
    ("v1", "Namespace"): core.Namespace,
    ("v1", "Service"): core.Service,
    ("v1", "ServiceAccount"): core.ServiceAccount,
    ("networking.k8s.io/v1", "NetworkPolicy"): networking.NetworkPolicy,
}


def create(manifest: Manifest, *, opts: pulumi.ResourceOptions) -> pulumi.CustomResource:
    """Register ``manifest`` as a resource named ``Kind/namespace/name``.

    Kinds that the SDK knows become their own class, everything else a custom resource: both preview without a
    cluster and without the definition being installed. A ServiceAccount is not waited for.
    """
    name = "/".join(part for part in (manifest.kind, manifest.namespace, manifest.name) if part)
    document = manifest.to_dict()
    metadata = document.pop("metadata")
    if (manifest.api_version, manifest.kind) == ("v1", "Service"):
        # A Service of machines has no pods, so Pulumi's wait for endpoints would never end.
        metadata.setdefault("annotations", {})["pulumi.com/skipAwait"] = "true"
    factory = _CORE_KINDS.get((manifest.api_version, manifest.kind))
    if factory is not None:
        fields = {key: value for key, value in document.items() if key not in {"apiVersion", "kind"}}
        return factory(name, metadata=metadata, opts=opts, **fields)
    # The default, foreground, is an update that the collector sends later: istiod's webhook refuses it for ever when
    # istiod is gone by then. Nothing depends on these objects, so background deletes them at once.
    metadata.setdefault("annotations", {})["pulumi.com/deletionPropagationPolicy"] = "background"
    return CustomResource(
        name,
        api_version=document.pop("apiVersion"),
        kind=document.pop("kind"),
        metadata=metadata,
        opts=opts,
        **({"spec": document.pop("spec")} if "spec" in document else {}),
        **document,
    )


def label_namespace(name: str, *, labels: dict[str, str], opts: pulumi.ResourceOptions) -> core.NamespacePatch:
    """Add ``labels`` to a namespace that belongs to its team; destroying takes only these labels away again.

    Source: pulumi-kubernetes 4.25, server-side apply: a Patch resource owns just the fields that it sets.
    """
    return core.NamespacePatch(
        f"Namespace/{name}",
        metadata={
            "name": name,
            "labels": labels,
            "annotations": {"pulumi.com/patchFieldManager": FIELD_MANAGER},
        },
        opts=opts,
    )


def provider(
    name: str, *, kubeconfig: pulumi.Input[str], cluster: pulumi.Input[str], opts: pulumi.ResourceOptions
) -> kubernetes.Provider:
    """Return the provider of one cluster.

    ``kubeconfig`` is a path, or a secret output with the content; ``cluster`` identifies the cluster, so that an
    unknown kubeconfig in a preview does not plan to replace every object.
    Source: pulumi-kubernetes provider.go, DiffConfig and clusterIdentifier.
    """
    return kubernetes.Provider(
        name, kubeconfig=kubeconfig, cluster_identifier=cluster, enable_server_side_apply=True, opts=opts
    )
