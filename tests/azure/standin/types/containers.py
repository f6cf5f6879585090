"""The managed cluster.

Sources: learn.microsoft.com, AKS articles "Azure CNI overview", "Outbound types", "Node pools", "Planned
maintenance", "Local accounts"; the REST reference of Microsoft.ContainerService 2025-09-01; azure-native issues 579,
1686 and 2719 for pools inside the cluster's own inputs.
"""

import ipaddress
import re
from collections.abc import Mapping
from typing import Any

from standin import arm, cloud, references, values
from standin.model import Request, ResourceType

_CLUSTER = "Microsoft.ContainerService/managedClusters/{resourceName}"
# Ranges that AKS refuses for Services and pods. Source: "Azure CNI overview", IP address planning.
_RESERVED = ("169.254.0.0/16", "172.30.0.0/16", "172.31.0.0/16", "192.0.2.0/24")
_WINDOWS = ("default", "aksManagedAutoUpgradeSchedule", "aksManagedNodeOSUpgradeSchedule")
_SHORTEST_WINDOW_H = 4
_POOL_NAME = r"[a-z][a-z0-9]{0,11}"


def _check_cluster(request: Request) -> None:
    """Refuse what the service refuses before it starts."""
    inputs = request.inputs
    pools = values.at(inputs, "agentPoolProfiles[]")
    if not inputs.get("dnsPrefix") and not inputs.get("fqdnSubdomain"):
        raise request.refuse("InvalidParameter", "`dnsPrefix` is required")
    if values.one(inputs, "identity.type") is None and values.one(inputs, "servicePrincipalProfile") is None:
        raise request.refuse("InvalidParameter", "the cluster needs an `identity`")
    if not any(pool.get("mode") == "System" for pool in pools):
        raise request.refuse("InvalidParameter", "`agentPoolProfiles` needs a pool of mode System")
    for pool in pools:
        _check_pool_values(request, pool)
    _check_pools_kept(request, pools)
    _check_addresses(request)
    _check_outbound(request, pools)
    _check_access(request)
    _check_version(request)


def _check_pool_values(request: Request, pool: Mapping[str, Any]) -> None:
    name = pool.get("name", "")
    if not re.fullmatch(_POOL_NAME, name):
        raise request.refuse("InvalidParameter", f"a pool's name is 1 to 12 of a-z and 0-9, a letter first: {name!r}")
    if not pool.get("vmSize"):
        raise request.refuse("InvalidParameter", f"pool {name}: `vmSize` is required")
    if pool.get("enableAutoScaling") and not (pool.get("minCount", 0) <= pool.get("count", 0) <= pool["maxCount"]):
        raise request.refuse("InvalidParameter", f"pool {name}: `count` must lie between `minCount` and `maxCount`")
    if pool.get("podSubnetID") and pool.get("podSubnetID") == pool.get("vnetSubnetID"):
        raise request.refuse("InvalidParameter", f"pool {name}: pods and nodes need subnets of their own")


def _check_pools_kept(request: Request, pools: list[Mapping[str, Any]]) -> None:
    if request.old is None:
        return
    known = {arm.name_of(item.id) for item in request.cloud.below(request.id) if "/agentpools/" in item.key}
    new = {pool.get("name") for pool in pools} - known
    if new:
        message = f"A new agent pool was introduced. Adding agent pools to an existing cluster is not allowed: {new}"
        raise request.refuse("InvalidParameter", message)


def _check_addresses(request: Request) -> None:
    """Refuse ranges that AKS keeps, that overlap, or a DNS address outside of them."""
    profile = request.inputs.get("networkProfile", {})
    named = {key: profile[key] for key in ("serviceCidr", "podCidr") if key in profile}
    taken = {f"subnet {item.id}": text for item in _subnets(request) for text in _ranges(item)}
    for key, text in named.items():
        wanted = ipaddress.ip_network(text, strict=False)
        for other in (*_RESERVED, *taken.values(), *(named[name] for name in named if name != key)):
            if wanted.overlaps(ipaddress.ip_network(other)):
                code = "ServiceCidrOverlapExistingSubnetsCidr" if key == "serviceCidr" else "InvalidParameter"
                raise request.refuse(code, f"`networkProfile.{key}` {text} overlaps {other}")
    dns, services = profile.get("dnsServiceIP"), profile.get("serviceCidr")
    if dns and services and ipaddress.ip_address(dns) not in ipaddress.ip_network(services):
        raise request.refuse("InvalidParameter", f"`dnsServiceIP` {dns} is not in `serviceCidr` {services}")
    if profile.get("networkPluginMode") == "overlay" and values.at(request.inputs, "agentPoolProfiles[].podSubnetID"):
        raise request.refuse("InvalidParameter", "overlay and `podSubnetID` exclude each other")


def _subnets(request: Request) -> list[cloud.Record]:
    """Return every subnet of the networks in which the cluster's nodes stand."""
    homes = {arm.parent_of(found) for found in values.at(request.inputs, "agentPoolProfiles[].vnetSubnetID")}
    return [item for home in homes for item in request.cloud.below(home) if "/subnets/" in item.key]


def _ranges(subnet: cloud.Record) -> list[Any]:
    return [*values.at(subnet.inputs, "addressPrefix"), *values.at(subnet.inputs, "addressPrefixes[]")]


def _check_outbound(request: Request, pools: list[Mapping[str, Any]]) -> None:
    """Refuse an outbound type whose route or gateway the node's subnet lacks."""
    kind = values.one(request.inputs, "networkProfile.outboundType", "loadBalancer")
    needed = {"userDefinedRouting": "routeTable", "userAssignedNATGateway": "natGateway"}.get(kind)
    for pool in pools:
        subnet = request.cloud.get(pool.get("vnetSubnetID", ""))
        if needed is not None and (subnet is None or values.one(subnet.inputs, f"{needed}.id") is None):
            raise request.refuse(
                "ExistingRouteTableNotAssociatedWithSubnet", f"`{kind}` needs a subnet with `{needed}`"
            )
    if kind == "managedNATGateway" and any(pool.get("vnetSubnetID") for pool in pools):
        raise request.refuse("InvalidParameter", "managedNATGateway needs a network that AKS manages")


def _check_access(request: Request) -> None:
    profile = request.inputs.get("apiServerAccessProfile", {})
    if profile.get("enablePrivateCluster") and profile.get("authorizedIPRanges"):
        raise request.refuse("InvalidParameter", "a private cluster takes no `authorizedIPRanges`")
    subnet = request.cloud.get(profile.get("subnetId", ""))
    services = values.at(subnet.inputs, "delegations[].serviceName") if subnet is not None else []
    if subnet is not None and "Microsoft.ContainerService/managedClusters" not in services:
        raise request.refuse("InvalidParameter", "the API server's subnet is not delegated to managedClusters")
    if request.inputs.get("disableLocalAccounts") and values.one(request.inputs, "aadProfile.managed") is not True:
        raise request.refuse("InvalidParameter", "without local accounts the cluster needs `aadProfile.managed`")
    security = values.one(request.inputs, "securityProfile.workloadIdentity.enabled")
    if security and values.one(request.inputs, "oidcIssuerProfile.enabled") is not True:
        raise request.refuse("InvalidParameter", "workload identity needs `oidcIssuerProfile.enabled`")


def _check_version(request: Request) -> None:
    new = request.inputs.get("kubernetesVersion")
    old = request.old.inputs.get("kubernetesVersion") if request.old is not None else None
    if new is None or old is None:
        return
    ahead = [int(part) for part in new.split(".")], [int(part) for part in old.split(".")]
    if ahead[0][: len(ahead[1])] < ahead[1][: len(ahead[0])]:
        raise request.refuse("OperationNotAllowed", f"a cluster cannot go back from {old} to {new}", status=409)
    if ahead[0][1] > ahead[1][1] + 1:
        raise request.refuse("OperationNotAllowed", f"from {old} to {new} skips a minor version", status=409)


def _check_pool(request: Request) -> None:
    _check_pool_values(request, {**request.inputs, "name": request.inputs["agentPoolName"]})
    cluster = request.cloud.get(arm.parent_of(request.id))
    homes = {arm.parent_of(found) for found in values.at(request.inputs, "vnetSubnetID")}
    others = set(values.at(cluster.inputs, "agentPoolProfiles[].vnetSubnetID")) if cluster is not None else set()
    if homes and {home.lower() for home in homes} - {arm.parent_of(found).lower() for found in others}:
        raise request.refuse("InvalidParameter", "all pools of a cluster must be in one virtual network")


def _check_last_system_pool(request: Request) -> None:
    others = [item for item in request.cloud.below(arm.parent_of(request.id)) if item.key != request.id.lower()]
    if request.inputs.get("mode") == "System" and not any(item.inputs.get("mode") == "System" for item in others):
        raise request.refuse("OperationNotAllowed", "there has to be at least one system node pool", status=409)


def _check_window(request: Request) -> None:
    if request.inputs.get("configName") not in _WINDOWS:
        raise request.refuse("InvalidParameter", f"a maintenance configuration is one of {', '.join(_WINDOWS)}")
    hours = values.one(request.inputs, "maintenanceWindow.durationHours")
    if hours is not None and hours < _SHORTEST_WINDOW_H:
        raise request.refuse("InvalidParameter", f"`durationHours` is at least {_SHORTEST_WINDOW_H}; found {hours}")


def nodes_group(record: cloud.Record) -> str:
    """Return the name of the group in which AKS keeps the nodes. Source: "AKS FAQ", two resource groups."""
    group = arm.name_of(arm.group_of(record.id) or "")
    where = references.normalized(record.inputs.get("location", ""))
    return record.inputs.get("nodeResourceGroup") or f"MC_{group}_{arm.name_of(record.id)}_{where}"


def _add_nodes_group(request: Request) -> None:
    record = request.cloud.get(request.id)
    if record is None or request.old is not None:
        return
    name = nodes_group(record)
    request.cloud.put(
        cloud.Record(
            id=f"{arm.ROOT}/resourceGroups/{name}",
            token="azure-native:resources:ResourceGroup",
            inputs={"resourceGroupName": name, "location": record.inputs.get("location"), "managedBy": record.id},
            made=request.cloud.next_made(),
        )
    )


def _remove_nodes_group(request: Request) -> None:
    for group in request.cloud.all("Microsoft.Resources/resourceGroups"):
        if group.inputs.get("managedBy") == request.id:
            request.cloud.remove(group, *request.cloud.below(group.id))


def _cluster_answer(known: cloud.Cloud, record: cloud.Record) -> dict[str, Any]:
    """Return the addresses and identities of a cluster."""
    where = references.normalized(references.location(known, record) or "")
    prefix, number = record.inputs.get("dnsPrefix", ""), arm.guid(record.id, "fqdn")[:8]
    private = values.one(record.inputs, "apiServerAccessProfile.enablePrivateCluster") is True
    host = f"{prefix}-{number}.{'privatelink.' if private else 'hcp.'}{where}.azmk8s.io"
    issuer = f"https://{where}.oic.prod-aks.azure.com/{arm.TENANT}/{arm.guid(record.id, 'oidc')}/"
    answer: dict[str, Any] = {
        "privateFQDN" if private else "fqdn": host,
        "currentKubernetesVersion": record.inputs.get("kubernetesVersion", "1.34.4"),
        "nodeResourceGroup": nodes_group(record),
        "identityProfile": {"kubeletidentity": _principal(record, "kubelet")},
        "powerState": {"code": "Running"},
        "maxAgentPools": 100,
    }
    if values.one(record.inputs, "oidcIssuerProfile.enabled"):
        answer["oidcIssuerProfile"] = {"enabled": True, "issuerURL": issuer}
    return answer


def _principal(record: cloud.Record, what: str) -> dict[str, str]:
    made = str(record.made)
    return {
        "clientId": arm.guid(record.id, made, what, "client"),
        "objectId": arm.guid(record.id, made, what, "object"),
        "resourceId": f"{arm.ROOT}/resourceGroups/{nodes_group(record)}/providers/"
        f"Microsoft.ManagedIdentity/userAssignedIdentities/{arm.name_of(record.id)}-agentpool",
    }


TYPES = (
    ResourceType(
        token="azure-native:containerservice:ManagedCluster",
        path=arm.Path(_CLUSTER),
        name=r"[A-Za-z0-9]([\w-]{0,61}[A-Za-z0-9])?",
        name_says="1 to 63 letters, digits, `_` and `-`, a letter or digit at both ends",
        replaces=(
            "diskEncryptionSetID",
            "dnsPrefix",
            "fqdnSubdomain",
            "linuxProfile",
            "location",
            "nodeResourceGroup",
            "windowsProfile",
            *(
                f"networkProfile.{name}"
                for name in (
                    "serviceCidr",
                    "serviceCidrs",
                    "dnsServiceIP",
                    "networkMode",
                    "networkPlugin",
                    "networkPluginMode",
                    "podCidr",
                    "networkDataplane",
                    "networkPolicy",
                    "outboundType",
                )
            ),
        ),
        fixed=("apiServerAccessProfile.enablePrivateCluster", "apiServerAccessProfile.privateDNSZone"),
        inline=(("agentPoolProfiles", "azure-native:containerservice:AgentPool"),),
        inline_removes=False,
        rules=(_check_cluster,),
        made=_add_nodes_group,
        gone=_remove_nodes_group,
        answer=_cluster_answer,
    ),
    ResourceType(
        token="azure-native:containerservice:AgentPool",
        path=arm.Path(_CLUSTER + "/agentPools/{agentPoolName}"),
        name=_POOL_NAME,
        name_says="1 to 12 of a-z and 0-9, a letter first",
        replaces=("gpuInstanceProfile", "vmSize"),
        fixed=("vnetSubnetID", "podSubnetID", "osType", "osDiskType", "osDiskSizeGB", "maxPods", "availabilityZones"),
        rules=(_check_pool,),
        delete_rules=(_check_last_system_pool,),
    ),
    ResourceType(
        token="azure-native:containerservice:MaintenanceConfiguration",
        path=arm.Path(_CLUSTER + "/maintenanceConfigurations/{configName}"),
        rules=(_check_window,),
    ),
)
