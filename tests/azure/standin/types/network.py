"""Groups and networks.

Sources: learn.microsoft.com, "Naming rules and restrictions for Azure resources"; the REST reference of
Microsoft.Network 2024-05-01; pulumi-azure-native, provider/pkg/gen/replacement.go for what is replaced.
"""

from typing import Any

from standin import arm, cloud, values
from standin.model import ResourceType
from standin.types import addresses, perimeter

_NETWORK = "Microsoft.Network/"
_VNET = _NETWORK + "virtualNetworks/{virtualNetworkName}"
_NSG = _NETWORK + "networkSecurityGroups/{networkSecurityGroupName}"
_TABLE = _NETWORK + "routeTables/{routeTableName}"
_ENDPOINT = _NETWORK + "privateEndpoints/{privateEndpointName}"
_POLICY = _NETWORK + "firewallPolicies/{firewallPolicyName}"
_ZONE = _NETWORK + "privateDnsZones/{privateZoneName}"
# 1-80, alphanumerics, underscores, periods and hyphens; starts with an alphanumeric, ends with one or an underscore.
NAME: dict[str, Any] = {
    "name": r"[A-Za-z0-9]([\w.-]{0,78}\w)?",
    "name_says": "1 to 80 letters, digits, `_`, `.` and `-`, from a letter or digit to a letter, digit or `_`",
}


def _network_answer(known: cloud.Cloud, record: cloud.Record) -> dict[str, Any]:
    below = known.below(record.id)
    return {"subnets": [{**item.inputs, "id": item.id, "name": arm.name_of(item.id)} for item in below]}


def _card_answer(known: cloud.Cloud, record: cloud.Record) -> dict[str, Any]:
    """Return the addresses that Azure gave: the first free one where none was asked for."""
    configurations = []
    for item in record.inputs.get("ipConfigurations", []):
        address = item.get("privateIPAddress") or addresses.first_free(known, record, item)
        part = f"{record.id}/ipConfigurations/{item.get('name')}"
        configurations.append({**item, "privateIPAddress": address, "id": part, "provisioningState": "Succeeded"})
    return {"ipConfigurations": configurations, "macAddress": _mac(record)}


def _mac(record: cloud.Record) -> str:
    digits = arm.guid(record.id, "mac").replace("-", "")[:6].upper()
    return "-".join(["00", "0D", "3A", digits[0:2], digits[2:4], digits[4:6]])


def _public_address(known: cloud.Cloud, record: cloud.Record) -> dict[str, Any]:
    """Return an address of a documentation range, which nothing can reach. Source: RFC 5737."""
    return {"ipAddress": record.inputs.get("ipAddress", f"203.0.113.{record.made % 250 + 1}")}


def _public_prefix(known: cloud.Cloud, record: cloud.Record) -> dict[str, Any]:
    length = values.one(record.inputs, "prefixLength", 28)
    return {"ipPrefix": f"198.51.100.0/{length}"}


def _bastion_answer(known: cloud.Cloud, record: cloud.Record) -> dict[str, Any]:
    return {"dnsName": f"bst-{arm.guid(record.id)}.bastion.azure.com"}


def _endpoint_answer(known: cloud.Cloud, record: cloud.Record) -> dict[str, Any]:
    address = addresses.first_free(known, record, record.inputs)
    return {"customDnsConfigs": [{"ipAddresses": [address]}] if address else []}


TYPES = (
    ResourceType(
        token="azure-native:resources:ResourceGroup",
        path=arm.Path("/resourceGroups/{resourceGroupName}"),
        name=r"[\w().-]{0,89}[\w()-]",
        name_says="1 to 90 letters, digits, `_`, `-`, `.` and brackets, no `.` at the end",
        replaces=("location",),
    ),
    ResourceType(
        token="azure-native:network:VirtualNetwork",
        path=arm.Path(_VNET),
        **NAME,
        replaces=("location",),
        inline=(("subnets", "azure-native:network:Subnet"),),
        rules=(addresses.check_network,),
        answer=_network_answer,
    ),
    ResourceType(
        token="azure-native:network:Subnet",
        path=arm.Path(_VNET + "/subnets/{subnetName}"),
        **NAME,
        fixed=("defaultOutboundAccess",),
        in_use="InUseSubnetCannotBeDeleted",
        rules=(addresses.check_subnet,),
    ),
    ResourceType(
        token="azure-native:network:NetworkSecurityGroup",
        path=arm.Path(_NSG),
        **NAME,
        replaces=("location",),
        in_use="InUseNetworkSecurityGroupCannotBeDeleted",
        inline=(("securityRules", "azure-native:network:SecurityRule"),),
        rules=(perimeter.check_group,),
    ),
    ResourceType(
        token="azure-native:network:SecurityRule",
        path=arm.Path(_NSG + "/securityRules/{securityRuleName}"),
        **NAME,
        rules=(perimeter.check_rule,),
    ),
    ResourceType(
        token="azure-native:network:ApplicationSecurityGroup",
        path=arm.Path(_NETWORK + "applicationSecurityGroups/{applicationSecurityGroupName}"),
        **NAME,
        in_use="InUseApplicationSecurityGroupCannotBeDeleted",
    ),
    ResourceType(
        token="azure-native:network:RouteTable",
        path=arm.Path(_TABLE),
        **NAME,
        in_use="InUseRouteTableCannotBeDeleted",
        inline=(("routes", "azure-native:network:Route"),),
    ),
    ResourceType(token="azure-native:network:Route", path=arm.Path(_TABLE + "/routes/{routeName}"), **NAME),
    ResourceType(
        token="azure-native:network:NatGateway",
        path=arm.Path(_NETWORK + "natGateways/{natGatewayName}"),
        **NAME,
        in_use="NatGatewayInUseBySubnet",
        fixed=("zones", "sku"),
    ),
    ResourceType(
        token="azure-native:network:PublicIPAddress",
        path=arm.Path(_NETWORK + "publicIPAddresses/{publicIpAddressName}"),
        **NAME,
        replaces=("location", "publicIPAddressVersion", "publicIPPrefix", "sku"),
        fixed=("zones",),
        in_use="PublicIPAddressCannotBeDeleted",
        rules=(perimeter.check_public_address,),
        answer=_public_address,
    ),
    ResourceType(
        token="azure-native:network:PublicIPPrefix",
        path=arm.Path(_NETWORK + "publicIPPrefixes/{publicIpPrefixName}"),
        **NAME,
        fixed=("prefixLength", "zones", "sku"),
        in_use="InUsePublicIpPrefixCannotBeDeleted",
        answer=_public_prefix,
    ),
    ResourceType(
        token="azure-native:network:BastionHost",
        path=arm.Path(_NETWORK + "bastionHosts/{bastionHostName}"),
        **NAME,
        rules=(perimeter.check_bastion,),
        answer=_bastion_answer,
    ),
    ResourceType(
        token="azure-native:network:NetworkInterface",
        path=arm.Path(_NETWORK + "networkInterfaces/{networkInterfaceName}"),
        **NAME,
        replaces=("location",),
        in_use="NicInUse",
        rules=(addresses.check_card,),
        answer=_card_answer,
    ),
    ResourceType(
        token="azure-native:network:VirtualNetworkPeering",
        path=arm.Path(_VNET + "/virtualNetworkPeerings/{virtualNetworkPeeringName}"),
        **NAME,
        fixed=("remoteVirtualNetwork",),
        rules=(addresses.check_peering,),
    ),
    ResourceType(
        token="azure-native:network:PrivateEndpoint",
        path=arm.Path(_ENDPOINT),
        **NAME,
        replaces=("subnet",),
        rules=(perimeter.check_endpoint,),
        answer=_endpoint_answer,
    ),
    ResourceType(
        token="azure-native:network:PrivateDnsZoneGroup",
        path=arm.Path(_ENDPOINT + "/privateDnsZoneGroups/{privateDnsZoneGroupName}"),
        **NAME,
    ),
    ResourceType(
        token="azure-native:network:FirewallPolicy", path=arm.Path(_POLICY), **NAME, in_use="FirewallPolicyInUse"
    ),
    ResourceType(
        token="azure-native:network:FirewallPolicyRuleCollectionGroup",
        path=arm.Path(_POLICY + "/ruleCollectionGroups/{ruleCollectionGroupName}"),
        **NAME,
    ),
    ResourceType(
        token="azure-native:network:AzureFirewall",
        path=arm.Path(_NETWORK + "azureFirewalls/{azureFirewallName}"),
        **NAME,
        fixed=("zones",),
        rules=(perimeter.check_firewall,),
    ),
    ResourceType(
        token="azure-native:network:NetworkWatcher",
        path=arm.Path(_NETWORK + "networkWatchers/{networkWatcherName}"),
        **NAME,
    ),
    ResourceType(
        token="azure-native:network:FlowLog",
        path=arm.Path(_NETWORK + "networkWatchers/{networkWatcherName}/flowLogs/{flowLogName}"),
        **NAME,
        fixed=("targetResourceId",),
    ),
    ResourceType(
        token="azure-native:privatedns:PrivateZone",
        path=arm.Path(_ZONE),
        name=r"([A-Za-z0-9_-]{1,63}\.)+[A-Za-z0-9_-]{1,63}",
        name_says="2 to 34 labels of 1 to 63 characters",
        replaces=("location",),
        rules=(perimeter.check_global,),
        delete_rules=(perimeter.check_zone_is_free,),
    ),
    ResourceType(
        token="azure-native:privatedns:VirtualNetworkLink",
        path=arm.Path(_ZONE + "/virtualNetworkLinks/{virtualNetworkLinkName}"),
        **NAME,
        replaces=("location",),
        fixed=("virtualNetwork",),
        rules=(perimeter.check_global, perimeter.check_one_link),
    ),
    ResourceType(
        token="azure-native:privatedns:PrivateRecordSet",
        path=arm.Path(_ZONE + "/{recordType}/{relativeRecordSetName}"),
        name=r"@|[\w.*-]{1,253}",
        name_says="`@`, or 1 to 253 letters, digits, `_`, `-`, `.` and `*`",
    ),
)
