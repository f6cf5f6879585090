"""What guards a network: rules of security groups, public addresses, endpoints, firewalls and name zones.

Sources: the REST reference of Microsoft.Network and Microsoft.Network/privateDnsZones, and their error codes.
"""

import ipaddress
import re
from collections.abc import Mapping
from typing import Any

from standin import arm, values
from standin.model import Request

_PRIORITIES = range(100, 4097)
_LAST_PORT = 65535
_PORTS = re.compile(r"(\d+)(?:-(\d+))?")
_ENDS = ("source", "destination")


def check_group(request: Request) -> None:
    """Refuse mistaken rules, and two that share a priority in one direction."""
    rules = [item for item in request.inputs.get("securityRules", []) if isinstance(item, Mapping)]
    for item in rules:
        _check_rule(request, item)
    _check_priorities(request, rules)


def check_rule(request: Request) -> None:
    """Refuse a mistaken rule, and one whose priority another one of its group has."""
    _check_rule(request, request.inputs)
    group = arm.parent_of(request.id)
    others = [item.inputs for item in request.cloud.below(group) if item.key != request.id.lower()]
    _check_priorities(request, [request.inputs, *others])


def _check_priorities(request: Request, rules: list[Mapping[str, Any]]) -> None:
    seen: set[tuple[Any, Any]] = set()
    for item in rules:
        place = (item.get("direction"), item.get("priority"))
        if place in seen:
            raise request.refuse("SecurityRuleConflict", f"two {place[0]} rules have the priority {place[1]}")
        seen.add(place)


def _check_rule(request: Request, rule: Mapping[str, Any]) -> None:
    priority = rule.get("priority")
    if priority not in _PRIORITIES:
        raise request.refuse("SecurityRuleInvalidPriority", f"a priority is 100 to 4096; found {priority}")
    for end in _ENDS:
        _check_end(request, rule, end)


def _check_end(request: Request, rule: Mapping[str, Any], end: str) -> None:
    addresses = [*values.at(rule, f"{end}AddressPrefix"), *values.at(rule, f"{end}AddressPrefixes[]")]
    groups = values.at(rule, f"{end}ApplicationSecurityGroups[]")
    ports = [*values.at(rule, f"{end}PortRange"), *values.at(rule, f"{end}PortRanges[]")]
    if bool(addresses) == bool(groups) or not ports:
        missing = f"needs {end} addresses or application security groups, not both, and a {end} port range"
        raise request.refuse("SecurityRuleParameterMissing", f"rule `{rule.get('name', '')}` {missing}")
    for text in addresses:
        if not _is_source(str(text)):
            raise request.refuse("SecurityRuleInvalidAddressPrefix", f"{text} is no address, range or service tag")
    if len(addresses) > 1 and any(not str(text)[:1].isdigit() for text in addresses):
        raise request.refuse("SecurityRuleInvalidAddressPrefix", "a service tag or `*` stands alone")
    for text in ports:
        if not _is_port(str(text)):
            raise request.refuse("SecurityRuleInvalidPortRange", f"{text} is no port, range of ports or `*`")


def _is_source(text: str) -> bool:
    """Return whether ``text`` is `*`, a service tag or a range without host bits."""
    if text == "*" or re.fullmatch(r"[A-Z][A-Za-z0-9]*(\.[A-Za-z0-9]+)?", text):
        return True
    try:
        ipaddress.ip_network(text)
    except ValueError:
        return False
    return True


def _is_port(text: str) -> bool:
    found = _PORTS.fullmatch(text)
    if found is None:
        return text == "*"
    first, last = int(found[1]), int(found[2] or found[1])
    return first <= last <= _LAST_PORT


def check_public_address(request: Request) -> None:
    """Refuse a changing address of the Standard SKU."""
    sku = values.one(request.inputs, "sku.name")
    method = values.one(request.inputs, "publicIPAllocationMethod", "Dynamic")
    if sku == "Standard" and method != "Static":
        raise request.refuse("PublicIPAddressSkuRequiresStaticAllocation", "a Standard address must be Static")


def check_bastion(request: Request) -> None:
    """Refuse a subnet of another name. Source: "Azure Bastion configuration settings", subnet."""
    _check_subnet_name(request, "AzureBastionSubnet", "BastionHostSubnetName")


def check_firewall(request: Request) -> None:
    """Refuse a subnet of another name. Source: "Azure Firewall FAQ", subnet."""
    _check_subnet_name(request, "AzureFirewallSubnet", "AzureFirewallSubnetName")


def _check_subnet_name(request: Request, wanted: str, code: str) -> None:
    for found in values.at(request.inputs, "ipConfigurations[].subnet.id"):
        if arm.name_of(found) != wanted:
            raise request.refuse(code, f"the subnet must be named {wanted}; found {arm.name_of(found)}")


def check_endpoint(request: Request) -> None:
    """Refuse an endpoint without a subnet or without a target."""
    links = [
        *values.at(request.inputs, "privateLinkServiceConnections[]"),
        *values.at(request.inputs, "manualPrivateLinkServiceConnections[]"),
    ]
    if values.one(request.inputs, "subnet.id") is None or not links:
        raise request.refuse("InvalidRequestFormat", "a private endpoint needs `subnet.id` and a connection")
    for item in links:
        if not item.get("privateLinkServiceId") or not item.get("groupIds"):
            raise request.refuse("InvalidRequestFormat", "a connection needs `privateLinkServiceId` and `groupIds`")


def check_global(request: Request) -> None:
    """Refuse a region: zones and their links have none. Source: "Private DNS zones", REST reference."""
    if str(request.inputs.get("location", "")).lower() != "global":
        found = request.inputs.get("location")
        raise request.refuse("LocationNotAvailableForResourceType", f"`location` must be global; found {found}")


def check_one_link(request: Request) -> None:
    """Refuse a second link between one zone and one network."""
    wanted = str(values.one(request.inputs, "virtualNetwork.id", "")).lower()
    for other in request.cloud.below(arm.parent_of(request.id)):
        found = str(values.one(other.inputs, "virtualNetwork.id", "")).lower()
        if other.key != request.id.lower() and found == wanted:
            raise request.refuse("Conflict", f"{other.id} links the same network already", status=409)


def check_zone_is_free(request: Request) -> None:
    """Refuse to delete a zone that a network is linked to."""
    links = [item for item in request.cloud.below(request.id) if "/virtualnetworklinks/" in item.key]
    if links:
        raise request.refuse(
            "CannotDeleteResource", f"delete its nested resources first: {', '.join(item.id for item in links)}",
            status=409,
        )  # fmt: skip
