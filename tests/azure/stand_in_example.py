"""A small Azure: what the tests of the stand-in build on, and one broken resource for each of its rules."""

import base64
from typing import Any, NamedTuple

from standin import arm

REGION = "westeurope"
GROUP = "rg-shop"
NETWORK_CONTRIBUTOR = "4d97b98b-1d4f-4787-a291-c67834d212e7"
PRINCIPAL = "44444444-4444-4444-8444-444444444444"
_IN_GROUP = {"resourceGroupName": GROUP}
_ROLE = f"{arm.ROOT}/providers/Microsoft.Authorization/roleDefinitions/{NETWORK_CONTRIBUTOR}"


def rid(*parts: str, group: str = GROUP) -> str:
    """Return the id of something in the group: ``rid("Microsoft.Network/virtualNetworks", "vnet")``."""
    return f"{arm.ROOT}/resourceGroups/{group}/providers/{'/'.join(parts)}"


def subnet_id(name: str, network: str = "vnet") -> str:
    return rid("Microsoft.Network/virtualNetworks", network, "subnets", name)


class Made(NamedTuple):
    """One resource of a program: its type without the provider, its logical name, its inputs as on the wire."""

    token: str
    name: str
    inputs: dict[str, Any]
    after: tuple[str, ...] = ()


class Refused(NamedTuple):
    """A resource that Azure must refuse, and what it says."""

    says: str
    made: Made


def network(kind: str, name: str, **inputs: Any) -> Made:
    named = {
        "VirtualNetwork": "virtualNetworkName",
        "Subnet": "subnetName",
        "NetworkSecurityGroup": "networkSecurityGroupName",
        "SecurityRule": "securityRuleName",
        "RouteTable": "routeTableName",
        "NetworkInterface": "networkInterfaceName",
        "PublicIPAddress": "publicIpAddressName",
        "BastionHost": "bastionHostName",
        "PrivateEndpoint": "privateEndpointName",
        "VirtualNetworkPeering": "virtualNetworkPeeringName",
        "AzureFirewall": "azureFirewallName",
    }[kind]
    return Made(f"network:{kind}", name, {**_IN_GROUP, named: name, **inputs})


def subnet(name: str, prefix: str, **inputs: Any) -> Made:
    network_name = inputs.pop("virtualNetworkName", "vnet")
    return network("Subnet", name, virtualNetworkName=network_name, addressPrefix=prefix, **inputs)


def card(name: str, subnet_name: str = "app", address: str | None = None) -> Made:
    item: dict[str, Any] = {"name": "main", "subnet": {"id": subnet_id(subnet_name)}}
    if address is not None:
        item |= {"privateIPAllocationMethod": "Static", "privateIPAddress": address}
    return network("NetworkInterface", name, ipConfigurations=[item])


def rule(name: str, priority: int, **inputs: Any) -> Made:
    plain = {
        "access": "Allow", "direction": "Inbound", "protocol": "Tcp", "sourceAddressPrefix": "10.0.0.0/16",
        "sourcePortRange": "*", "destinationAddressPrefix": "*", "destinationPortRange": "5432",
    }  # fmt: skip
    return network("SecurityRule", name, networkSecurityGroupName="nsg", priority=priority, **{**plain, **inputs})


def machine(name: str, card_name: str, **inputs: Any) -> Made:
    plain = {
        "vmName": name,
        "hardwareProfile": {"vmSize": "Standard_D4ds_v5"},
        "networkProfile": {"networkInterfaces": [{"id": rid("Microsoft.Network/networkInterfaces", card_name)}]},
        "osProfile": {
            "computerName": name,
            "adminUsername": "operator",
            "customData": base64.b64encode(b"#cloud-config\n").decode(),
            "linuxConfiguration": {
                "disablePasswordAuthentication": True,
                "ssh": {
                    "publicKeys": [{"path": "/home/operator/.ssh/authorized_keys", "keyData": "ssh-ed25519 AAAA"}]
                },
            },
        },
        "storageProfile": {"osDisk": {"createOption": "FromImage"}},
        "zones": ["1"],
    }
    return Made("compute:VirtualMachine", name, {**_IN_GROUP, **plain, **inputs})


def disk(name: str, **inputs: Any) -> Made:
    plain = {"diskName": name, "creationData": {"createOption": "Empty"}, "diskSizeGB": 32, "zones": ["1"]}
    return Made("compute:Disk", name, {**_IN_GROUP, **plain, **inputs})


def vault(name: str, **properties: Any) -> Made:
    plain = {
        "sku": {"family": "A", "name": "standard"}, "tenantId": arm.TENANT, "enableRbacAuthorization": True,
        "enablePurgeProtection": True, "softDeleteRetentionInDays": 7,
    }  # fmt: skip
    return Made("keyvault:Vault", name, {**_IN_GROUP, "vaultName": name, "properties": {**plain, **properties}})


def pool(name: str = "system", **inputs: Any) -> dict[str, Any]:
    plain = {"name": name, "mode": "System", "count": 1, "vmSize": "Standard_D4ds_v5", "osType": "Linux"}
    return {**plain, "type": "VirtualMachineScaleSets", "vnetSubnetID": subnet_id("nodes"), **inputs}


def cluster(name: str, **inputs: Any) -> Made:
    plain = {
        "resourceName": name,
        "dnsPrefix": name,
        "identity": {
            "type": "UserAssigned",
            "userAssignedIdentities": [rid("Microsoft.ManagedIdentity/userAssignedIdentities", "id-shop")],
        },
        "agentPoolProfiles": [pool()],
        "networkProfile": {"networkPlugin": "azure", "serviceCidr": "172.16.0.0/16", "dnsServiceIP": "172.16.0.10"},
        "kubernetesVersion": "1.34.4",
        "disableLocalAccounts": True,
        "aadProfile": {"managed": True},
    }
    return Made("containerservice:ManagedCluster", name, {**_IN_GROUP, **plain, **inputs})


def assignment(name: str, **inputs: Any) -> Made:
    plain = {
        "roleAssignmentName": arm.guid(name), "roleDefinitionId": _ROLE, "principalId": PRINCIPAL,
        "principalType": "ServicePrincipal", "scope": subnet_id("nodes"),
    }  # fmt: skip
    return Made("authorization:RoleAssignment", name, {**plain, **inputs})


def lock(name: str, scope: str, level: str = "CanNotDelete") -> Made:
    return Made("authorization:ManagementLockByScope", name, {"lockName": name, "scope": scope, "level": level})


def link(name: str, network_name: str = "vnet") -> Made:
    target = {"id": rid("Microsoft.Network/virtualNetworks", network_name)}
    inputs = {"privateZoneName": "mesh.internal", "virtualNetworkLinkName": name, "location": "global"}
    return Made("privatedns:VirtualNetworkLink", name, {**_IN_GROUP, **inputs, "virtualNetwork": target})


def setting(name: str, **inputs: Any) -> Made:
    return Made("monitor:DiagnosticSetting", name, {"resourceUri": subnet_id("app").partition("/subnets")[0],
                                                    "name": name, **inputs})  # fmt: skip


def credential(name: str, subject: str) -> Made:
    inputs = {
        "resourceName": "id-shop", "federatedIdentityCredentialResourceName": name, "issuer": "https://issuer.example/",
        "subject": subject, "audiences": ["api://AzureADTokenExchange"],
    }  # fmt: skip
    return Made("managedidentity:FederatedIdentityCredential", name, {**_IN_GROUP, **inputs})


def endpoint(name: str, **inputs: Any) -> Made:
    return network("PrivateEndpoint", name, subnet={"id": subnet_id("app")}, **inputs)


def blobs(kind: str, name: str, **inputs: Any) -> Made:
    """Return a part of the storage account."""
    return Made(f"storage:{kind}", name, {**_IN_GROUP, "accountName": "stlogs", **inputs})


def fronted(kind: str, name: str) -> Made:
    """Return a Bastion or firewall that stands in a subnet of the wrong name."""
    place = {"name": "main", "subnet": {"id": subnet_id("app")}}
    return network(kind, name, ipConfigurations=[place])


DISK_ID = rid("Microsoft.Compute/disks", "data-db")
DISK = disk("data-db")
LOG = rid("Microsoft.OperationalInsights/workspaces", "log-shop")
NIC = rid("Microsoft.Network/networkInterfaces", "nic-db")


SECRET = Made(
    "keyvault:Secret",
    "token",
    {**_IN_GROUP, "vaultName": "kv-shop", "secretName": "token", "properties": {"value": "not-in-any-output"}},
)
# Each wave waits for the one before it.
WAVES = (
    (
        Made("resources:ResourceGroup", GROUP, {"resourceGroupName": GROUP, "location": REGION}),
        Made("resources:ResourceGroup", "rg-other", {"resourceGroupName": "rg-other", "location": REGION}),
    ),
    (
        network("VirtualNetwork", "vnet", addressSpace={"addressPrefixes": ["10.0.0.0/16"]}),
        network("VirtualNetwork", "twin", addressSpace={"addressPrefixes": ["10.0.0.0/16", "10.9.0.0/16"]}),
        network("NetworkSecurityGroup", "nsg"),
        network("RouteTable", "routes"),
        DISK,
        vault("kv-shop"),
        vault("kv-days"),
        Made("managedidentity:UserAssignedIdentity", "id-shop", {**_IN_GROUP, "resourceName": "id-shop"}),
        Made("operationalinsights:Workspace", "log-shop", {**_IN_GROUP, "workspaceName": "log-shop"}),
        Made("privatedns:PrivateZone", "mesh.internal", {
            **_IN_GROUP, "privateZoneName": "mesh.internal", "location": "global"}),
        Made("storage:StorageAccount", "stshop", {
            **_IN_GROUP, "accountName": "stshop", "kind": "StorageV2", "sku": {"name": "Standard_ZRS"}}),
        Made("storage:StorageAccount", "stlogs", {
            **_IN_GROUP, "accountName": "stlogs", "kind": "StorageV2", "sku": {"name": "Standard_ZRS"}}),
        Made("recoveryservices:Vault", "rsv-shop", {**_IN_GROUP, "vaultName": "rsv-shop"}),
    ),
    (
        subnet("app", "10.0.1.0/24", networkSecurityGroup={
            "id": rid("Microsoft.Network/networkSecurityGroups", "nsg")}),
        subnet("nodes", "10.0.4.0/22"),
        subnet("api", "10.0.8.0/28"),
        subnet("far", "10.9.1.0/24", virtualNetworkName="twin"),
        rule("allow-db", 200),
        link("to-vnet"),
        credential("relay", "system:serviceaccount:mesh:relay"),
        setting("to-log", workspaceId=LOG, logs=[{"enabled": True, "categoryGroup": "allLogs"}]),
        SECRET,
        lock("keep", rid("Microsoft.Storage/storageAccounts", "stshop")),
        blobs("BlobContainer", "kept-log", containerName="kept-log"),
        blobs("BlobContainer", "free-log", containerName="free-log"),
    ),
    (blobs("BlobContainerImmutabilityPolicy", "kept-log-policy", containerName="kept-log",
           immutabilityPolicyName="default", immutabilityPeriodSinceCreationInDays=30),
     card("nic-db", address="10.0.1.10"), card("nic-free"), assignment("nodes-network"),
     *(cluster(name) for name in ("aks", "aks-back", "aks-ahead"))),
    (
        machine("vm-db", "nic-db", storageProfile={
            "osDisk": {"createOption": "FromImage"},
            "dataDisks": [{"lun": 0, "createOption": "Attach", "managedDisk": {"id": DISK_ID}}],
        }),
    ),
)  # fmt: skip
BASE = tuple(made for wave in WAVES for made in wave)
