"""Ids in inputs: each must name something that exists, of the type that the property wants."""

import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from standin import arm, cloud, values

_INDEX = re.compile(r"\[\d+\]")
_NETWORK = "Microsoft.Network/"
# What a property refers to, by the end of its path. Source: the SDK's texts of these properties.
TARGETS: Mapping[str, str] = {
    "subnet.id": _NETWORK + "virtualNetworks/subnets",
    "vnetSubnetID": _NETWORK + "virtualNetworks/subnets",
    "podSubnetID": _NETWORK + "virtualNetworks/subnets",
    "apiServerAccessProfile.subnetId": _NETWORK + "virtualNetworks/subnets",
    "virtualNetworkRules[].id": _NETWORK + "virtualNetworks/subnets",
    "virtualNetworkRules[].virtualNetworkResourceId": _NETWORK + "virtualNetworks/subnets",
    "virtualNetwork.id": _NETWORK + "virtualNetworks",
    "remoteVirtualNetwork.id": _NETWORK + "virtualNetworks",
    "networkSecurityGroup.id": _NETWORK + "networkSecurityGroups",
    "routeTable.id": _NETWORK + "routeTables",
    "natGateway.id": _NETWORK + "natGateways",
    "publicIPAddress.id": _NETWORK + "publicIPAddresses",
    "publicIpAddresses[].id": _NETWORK + "publicIPAddresses",
    "publicIpPrefixes[].id": _NETWORK + "publicIPPrefixes",
    "publicIPPrefix.id": _NETWORK + "publicIPPrefixes",
    "applicationSecurityGroups[].id": _NETWORK + "applicationSecurityGroups",
    "sourceApplicationSecurityGroups[].id": _NETWORK + "applicationSecurityGroups",
    "destinationApplicationSecurityGroups[].id": _NETWORK + "applicationSecurityGroups",
    "networkInterfaces[].id": _NETWORK + "networkInterfaces",
    "firewallPolicy.id": _NETWORK + "firewallPolicies",
    "privateDnsZoneId": _NETWORK + "privateDnsZones",
    "dataDisks[].managedDisk.id": "Microsoft.Compute/disks",
    "diskEncryptionSet.id": "Microsoft.Compute/diskEncryptionSets",
    "userAssignedIdentities[]": "Microsoft.ManagedIdentity/userAssignedIdentities",
    "workspaceId": "Microsoft.OperationalInsights/workspaces",
    "logAnalyticsWorkspaceResourceId": "Microsoft.OperationalInsights/workspaces",
    "workspaceResourceId": "Microsoft.OperationalInsights/workspaces",
    "dataCollectionRuleId": "Microsoft.Insights/dataCollectionRules",
    "dataCollectionEndpointId": "Microsoft.Insights/dataCollectionEndpoints",
    "storageAccountId": "Microsoft.Storage/storageAccounts",
    "sourceVault.id": "Microsoft.KeyVault/vaults",
    "maintenanceConfigurationId": "Microsoft.Maintenance/maintenanceConfigurations",
}
# Both ends must be in one region. Source: learn.microsoft.com, "Resource not found errors", same region.
_ONE_REGION = frozenset(
    {"subnet.id", "networkSecurityGroup.id", "routeTable.id", "natGateway.id", "networkInterfaces[].id",
     "dataDisks[].managedDisk.id", "vnetSubnetID", "podSubnetID"}
)  # fmt: skip
# Azure's own definitions, which exist in every subscription.
_BUILT_IN = ("/providers/microsoft.authorization/roledefinitions/", "/providers/microsoft.authorization/policy")


@dataclass(frozen=True, slots=True)
class Reference:
    """An id at a place in some inputs; ``wanted`` is the type that the place takes, where that is known."""

    path: str
    value: str
    suffix: str | None

    @property
    def wanted(self) -> str | None:
        """The ARM type that the property takes."""
        return TARGETS[self.suffix] if self.suffix is not None else None


def find(inputs: Mapping[str, Any]) -> Iterator[Reference]:
    """Yield every id in ``inputs``, and every value that should be one."""
    for path, value in values.leaves({key: item for key, item in inputs.items() if key != "tags"}):
        if not isinstance(value, str):
            continue
        shown = _INDEX.sub("[]", path)
        suffix = next((end for end in TARGETS if shown == end or shown.endswith(f".{end}")), None)
        if suffix is not None or value.lower().startswith("/subscriptions/"):
            yield Reference(path, value, suffix)


def check(known: cloud.Cloud, resource_id: str, inputs: Mapping[str, Any], *, modelled: Collection[str]) -> None:
    """Raise :class:`arm.RefusalError` for the first id that names nothing, or something of another type.

    ``modelled`` are the ARM types, in lower case, that exist only as records of their own.
    """
    for reference in find(inputs):
        _check_form(resource_id, reference)
        if any(part in reference.value.lower() for part in _BUILT_IN) or reference.value.lower() == arm.ROOT:
            continue
        target = _existing(known, reference.value, modelled)
        far = target is not None and reference.suffix in _ONE_REGION and _are_apart(known, inputs, target)
        if target is None or far:
            raise arm.RefusalError(
                400,
                "InvalidResourceReference",
                f"Resource {reference.value} referenced by resource {resource_id} at `{reference.path}` was not "
                "found. Please make sure that the referenced resource exists, and that both resources are in the "
                "same region.",
            )


def users(known: cloud.Cloud, resource_id: str) -> list[cloud.Record]:
    """Return what refers to ``resource_id`` or to a part of it, what stands below it left out."""
    wanted = f"{resource_id.lower()}/"

    def uses(record: cloud.Record) -> bool:
        return any(item.suffix and f"{item.value.lower()}/".startswith(wanted) for item in find(record.inputs))

    return [record for record in known.all() if not f"{record.key}/".startswith(wanted) and uses(record)]


def _check_form(resource_id: str, reference: Reference) -> None:
    wanted = reference.wanted
    if wanted is not None and arm.type_of(reference.value).lower() != wanted.lower():
        raise arm.RefusalError(
            400,
            "LinkedInvalidPropertyId",
            f"Property id '{reference.value}' at path '{reference.path}' of {resource_id} is invalid. Expect the "
            f"fully qualified id of a resource of type {wanted}.",
        )


def _existing(known: cloud.Cloud, resource_id: str, modelled: Collection[str]) -> cloud.Record | None:
    """Return what ``resource_id`` names; a part that is no resource of its own stands for its nearest owner."""
    found = known.get(resource_id)
    if found is not None or arm.type_of(resource_id).lower() in modelled:
        return found
    parent = arm.parent_of(resource_id)
    return _existing(known, parent, modelled) if "/providers/" in parent else None


def _are_apart(known: cloud.Cloud, inputs: Mapping[str, Any], target: cloud.Record) -> bool:
    here, there = inputs.get("location"), location(known, target)
    return here is not None and there is not None and normalized(here) != normalized(there)


def location(known: cloud.Cloud, record: cloud.Record) -> str | None:
    """Return where ``record`` or what it belongs to is."""
    if "location" in record.inputs:
        return record.inputs["location"]
    parent = known.get(arm.parent_of(record.id))
    return location(known, parent) if parent is not None else None


def normalized(place: str) -> str:
    """Return a region's name as Azure compares it: ``West Europe`` is ``westeurope``."""
    return place.replace(" ", "").lower()
