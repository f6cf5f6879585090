"""Everything that one declaration compiles to, as values."""

import enum
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from slipway.manifests.guard import GuardPolicy
from slipway.manifests.manifest import Manifest
from slipway.manifests.nsg import NsgRule


class Stage(enum.IntEnum):
    """Order of creation; deletion goes backwards.

    Whatever closes (``DENY``) stands before anything opens (``ALLOW``) and outlives it, so that there is no moment
    without protection, neither at the first `up` nor while everything is taken away.
    """

    NAMESPACE = 1
    IDENTITY = 2
    DENY = 3
    ALLOW = 4
    REGISTRATION = 5
    TRAFFIC = 6
    TELEMETRY = 7


_STAGES = {
    "Namespace": Stage.NAMESPACE,
    "ServiceAccount": Stage.IDENTITY,
    "Service": Stage.IDENTITY,
    "PeerAuthentication": Stage.DENY,
    "NetworkPolicy": Stage.DENY,
    "RequestAuthentication": Stage.DENY,
    "WorkloadGroup": Stage.REGISTRATION,
    "WorkloadEntry": Stage.REGISTRATION,
    "ServiceEntry": Stage.REGISTRATION,
    "Gateway": Stage.TRAFFIC,
    "VirtualService": Stage.TRAFFIC,
    "DestinationRule": Stage.TRAFFIC,
    "Sidecar": Stage.TRAFFIC,
    "ProxyConfig": Stage.IDENTITY,
    "EnvoyFilter": Stage.TRAFFIC,
    "WasmPlugin": Stage.TRAFFIC,
    "Telemetry": Stage.TELEMETRY,
}


def stage_of(manifest: Manifest) -> Stage:
    """Return the stage of ``manifest``.

    An AuthorizationPolicy without rules refuses what no other one allows, so it belongs to ``DENY`` as one that
    refuses by itself. Raises ``KeyError`` for a kind that is neither made nor admitted.
    """
    if manifest.kind == "AuthorizationPolicy":
        spec: Mapping[str, Any] = manifest.body.get("spec") or {}
        allows = spec.get("action", "ALLOW") == "ALLOW" and "rules" in spec
        return Stage.ALLOW if allows else Stage.DENY
    return _STAGES[manifest.kind]


@dataclass(frozen=True, slots=True, kw_only=True)
class GatewayPort:
    """A port of a gateway's Service: ``port`` outside, ``target_port`` where the gateway's Envoy listens."""

    name: str
    port: int
    target_port: int


@dataclass(frozen=True, slots=True, kw_only=True)
class GatewayDeployment:
    """One gateway as its Helm release installs it.

    ``labels`` are put on its pods (the chart derives ``app`` and ``istio`` from the release's name, and they are
    repeated here as selectors of policies read them); ``service_type`` is ``LoadBalancer`` or ``ClusterIP``;
    ``load_balancer_ip`` is empty for the platform's choice; ``environment`` is that of the proxy.
    """

    release: str
    namespace: str
    labels: Mapping[str, str]
    service_type: str
    ports: tuple[GatewayPort, ...]
    load_balancer_ip: str = ""
    service_annotations: Mapping[str, str] = field(default_factory=dict)
    environment: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class ControlPlane:
    """What istiod needs besides its mesh configuration.

    ``environment`` is that of its process, ``values`` are values of the chart ``istiod``.
    """

    environment: Mapping[str, str]
    values: Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Apart:
    """What a mesh of two networks needs besides its objects.

    ``system_labels`` are those of istio-system, from which istiod knows the network of pods; ``source_ranges`` are
    the blocks that reach the load balancers made for machines.
    """

    system_labels: Mapping[str, str]
    source_ranges: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Bundle:
    """The whole result, complete or not there at all.

    ``manifests`` are sorted by kind, namespace and name, and hold the Namespaces that Slipway owns;
    ``namespace_labels`` are the labels for namespaces that belong to teams, which are only ever patched.
    ``mesh_config`` is istiod's ``meshConfig``; ``nsg`` and ``guards`` have one entry per machine; ``apart`` is None
    where machines reach pods.
    """

    manifests: tuple[Manifest, ...]
    namespace_labels: Mapping[str, Mapping[str, str]]
    mesh_config: Mapping[str, Any]
    control_plane: ControlPlane
    gateways: tuple[GatewayDeployment, ...]
    nsg: Mapping[str, tuple[NsgRule, ...]]
    guards: Mapping[str, GuardPolicy]
    apart: Apart | None = None

    def of(self, kind: str) -> tuple[Manifest, ...]:
        """Return the manifests of one kind, sorted by namespace and name."""
        return tuple(item for item in self.manifests if item.kind == kind)

    def stages(self) -> tuple[tuple[Stage, tuple[Manifest, ...]], ...]:
        """Return every manifest, grouped by stage in the order of creation; empty stages are left out."""
        found: dict[Stage, list[Manifest]] = {}
        for item in self.manifests:
            found.setdefault(stage_of(item), []).append(item)
        return tuple((stage, tuple(found[stage])) for stage in sorted(found))


def in_order(manifests: Iterable[Manifest]) -> tuple[Manifest, ...]:
    """Return ``manifests`` in canonical order."""
    return tuple(sorted(manifests, key=lambda item: item.key))
