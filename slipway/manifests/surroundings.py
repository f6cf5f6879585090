"""What decides who reaches whom and is no object that Slipway applies."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Self

from slipway.manifests import canonical
from slipway.manifests.manifest import Manifest
from slipway.manifests.nsg import NsgRule

# In istiod's environment: "true" has a Gateway select pods of its own namespace only.
# Source: istio 1.29.1 pilot/pkg/features/pilot.go, ScopeGatewayToNamespace.
GATEWAYS_SCOPED = "PILOT_SCOPE_GATEWAY_TO_NAMESPACE"


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """Everything around the applied objects, without a secret.

    ``manifests`` are what others make and the answers need: pods and Services of teams, of gateways' releases,
    and the labels of teams' namespaces. ``mesh_config`` is istiod's, ``nsg`` has the rules at each machine,
    ``owners`` who answers for a host that is called. ``pod_network`` and ``virtual_network`` are CIDR blocks, and
    ``pods_seen_as`` the one from which machines see pods, where they have no way to pods' own addresses; empty else.
    ``network_policies`` says what enforces NetworkPolicy, ``kube-router`` or ``cilium``; empty when not known.
    ``gateways_scoped`` tells that istiod has Gateways select pods of their own namespace only.
    """

    manifests: tuple[Manifest, ...] = ()
    mesh_config: Mapping[str, Any] = field(default_factory=dict[str, Any])
    nsg: Mapping[str, tuple[NsgRule, ...]] = field(default_factory=dict[str, tuple[NsgRule, ...]])
    owners: Mapping[str, str] = field(default_factory=dict[str, str])
    pod_network: str = ""
    virtual_network: tuple[str, ...] = ()
    pods_seen_as: str = ""
    network_policies: str = ""
    gateways_scoped: bool = False

    def to_json(self) -> str:
        """Return everything as one line of JSON; the same values give the same text."""
        known = {
            "manifests": [item.to_dict() for item in self.manifests],
            "meshConfig": dict(self.mesh_config),
            "nsg": {name: [canonical.rule_to_plain(rule) for rule in rules] for name, rules in self.nsg.items()},
            "owners": dict(self.owners),
            "podNetwork": self.pod_network,
            "virtualNetwork": list(self.virtual_network),
            **({"podsSeenAs": self.pods_seen_as} if self.pods_seen_as else {}),
            **({"networkPolicies": self.network_policies} if self.network_policies else {}),
            **({"gatewaysScoped": True} if self.gateways_scoped else {}),
        }
        return json.dumps(known, sort_keys=True, separators=(",", ":"))

    @classmethod
    def from_json(cls, text: str) -> Self:
        """Return what :meth:`to_json` wrote."""
        known = json.loads(text)
        return cls(
            manifests=tuple(Manifest.from_dict(item) for item in known["manifests"]),
            mesh_config=known["meshConfig"],
            nsg={
                name: tuple(canonical.rule_from_plain(rule) for rule in rules) for name, rules in known["nsg"].items()
            },
            owners=known["owners"],
            pod_network=known["podNetwork"],
            virtual_network=tuple(known["virtualNetwork"]),
            pods_seen_as=known.get("podsSeenAs", ""),
            network_policies=known.get("networkPolicies", ""),
            gateways_scoped=known.get("gatewaysScoped", False),
        )
