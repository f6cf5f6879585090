"""Ranges and addresses: what lies in what, and what is taken.

Sources: learn.microsoft.com, "Azure Virtual Network FAQ" (five reserved addresses, sizes) and the error codes of
Microsoft.Network.
"""

import ipaddress
from collections.abc import Iterable, Mapping
from typing import Any

from standin import arm, cloud, values
from standin.model import Request

Network = ipaddress.IPv4Network | ipaddress.IPv6Network
_RESERVED_AT_START = 4  # the network's address, the router, and two for DNS
_LARGEST_PREFIX = 29
# Subnets of a fixed name have a size. Source: the services' own documentation.
_SIZES = {
    "azurebastionsubnet": 26,
    "azurefirewallsubnet": 26,
    "azurefirewallmanagementsubnet": 26,
    "gatewaysubnet": 27,
}


def ranges(request: Request, texts: Iterable[Any]) -> list[Network]:
    """Return the ranges; raises where one is no range or has host bits set."""
    found = []
    for text in texts:
        try:
            found.append(ipaddress.ip_network(text))
        except ValueError as error:
            raise request.refuse("InvalidCIDRNotation", f"the address prefix {text} is not valid: {error}") from error
    return found


def prefixes(inputs: Mapping[str, Any]) -> list[Any]:
    """Return a subnet's prefixes, of the one property or the other."""
    return [*values.at(inputs, "addressPrefix"), *values.at(inputs, "addressPrefixes[]")]


def _space(inputs: Mapping[str, Any]) -> list[Network]:
    return [ipaddress.ip_network(item) for item in values.at(inputs, "addressSpace.addressPrefixes[]")]


def check_network(request: Request) -> None:
    """Refuse a space that is missing, overlaps itself or no longer holds its subnets."""
    space = ranges(request, values.at(request.inputs, "addressSpace.addressPrefixes[]"))
    if not space:
        raise request.refuse("InvalidRequestFormat", "`addressSpace.addressPrefixes` needs at least one range")
    if any(one.overlaps(other) for index, one in enumerate(space) for other in space[:index]):
        raise request.refuse("AddressPrefixesOverlap", "the ranges of the address space overlap")
    for subnet in request.cloud.below(request.id):
        for text in prefixes(subnet.inputs):
            if not _inside(ipaddress.ip_network(text), space):
                raise request.refuse("InUsePrefixCannotBeDeleted", f"subnet {subnet.id} still uses {text}")


def check_subnet(request: Request) -> None:
    """Refuse a range outside the network, one that another subnet has, and one too small."""
    wanted = ranges(request, prefixes(request.inputs))
    if not wanted:
        raise request.refuse("InvalidRequestFormat", "a subnet needs `addressPrefix` or `addressPrefixes`")
    network = request.cloud.get(arm.parent_of(request.id))
    for item in wanted:
        if network is not None and not _inside(item, _space(network.inputs)):
            raise request.refuse("NetcfgSubnetRangeOutsideVnet", f"{item} is not within the range of its network")
        _check_size(request, item)
        _check_overlap(request, item)
    _check_moved(request, wanted)


def _check_size(request: Request, wanted: Network) -> None:
    name = arm.name_of(request.id).lower()
    longest = _SIZES.get(name, _LARGEST_PREFIX)
    if wanted.version == 4 and wanted.prefixlen > longest:
        raise request.refuse("InvalidSubnet", f"{wanted} is too small: the subnet must be at least a /{longest}")


def _check_overlap(request: Request, wanted: Network) -> None:
    for other in request.cloud.below(arm.parent_of(request.id)):
        taken = [ipaddress.ip_network(text) for text in prefixes(other.inputs)]
        if other.key != request.id.lower() and any(wanted.overlaps(item) for item in taken):
            raise request.refuse("NetcfgSubnetRangesOverlap", f"{wanted} overlaps the range of subnet {other.id}")


def _check_moved(request: Request, wanted: list[Network]) -> None:
    """Refuse a new range for a subnet in which something lives."""
    if request.old is None or ranges(request, prefixes(request.old.inputs)) == wanted:
        return
    if any(_cards_in(request.cloud, request.id)):
        raise request.refuse("InUseSubnetCannotBeUpdated", "the subnet is in use and its range cannot be changed")


def check_card(request: Request) -> None:
    """Refuse an address outside the subnet, a reserved or a taken one, and a static one that is not given."""
    if not values.at(request.inputs, "ipConfigurations[].subnet.id"):
        raise request.refuse("NetworkInterfaceMustHaveSubnet", "`ipConfigurations` needs one with a subnet")
    for item in values.at(request.inputs, "ipConfigurations[]"):
        address = item.get("privateIPAddress")
        if item.get("privateIPAllocationMethod") == "Static" and address is None:
            raise request.refuse("PrivateIPAddressMissing", "a static allocation needs `privateIPAddress`")
        subnet = request.cloud.get(values.one(item, "subnet.id", ""))
        if address is not None and subnet is not None:
            _check_address(request, subnet, address)


def _check_address(request: Request, subnet: cloud.Record, address: str) -> None:
    networks = [ipaddress.ip_network(text) for text in prefixes(subnet.inputs)]
    wanted = ipaddress.ip_address(address)
    home = next((item for item in networks if wanted in item), None)
    if home is None:
        raise request.refuse("PrivateIPAddressNotInSubnet", f"{address} is not in the range of subnet {subnet.id}")
    if wanted not in list(home)[_RESERVED_AT_START:-1]:
        raise request.refuse("PrivateIPAddressInReservedRange", f"Azure keeps {address} of {home} for itself")
    taken = _taken(request.cloud, subnet.id, but=request.id)
    if address in taken:
        raise request.refuse("PrivateIPAddressIsAllocated", f"{address} is already allocated to {taken[address]}")


def _cards_in(known: cloud.Cloud, subnet: str) -> list[tuple[cloud.Record, Mapping[str, Any]]]:
    return [
        (record, item)
        for record in known.all("Microsoft.Network/networkInterfaces")
        for item in values.at(record.inputs, "ipConfigurations[]")
        if str(values.one(item, "subnet.id", "")).lower() == subnet.lower()
    ]


def _taken(known: cloud.Cloud, subnet: str, *, but: str) -> dict[str, str]:
    cards = _cards_in(known, subnet)
    return {
        item["privateIPAddress"]: card.id
        for card, item in cards
        if "privateIPAddress" in item and card.key != but.lower()
    }


def first_free(known: cloud.Cloud, record: cloud.Record, item: Mapping[str, Any]) -> str | None:
    """Return an address of the subnet that nothing asked for; the same one for the same resource each time."""
    subnet = known.get(values.one(item, "subnet.id", ""))
    if subnet is None:
        return None
    home = ipaddress.ip_network(prefixes(subnet.inputs)[0])
    taken = _taken(known, subnet.id, but=record.id)
    free = [address for address in list(home)[_RESERVED_AT_START:-1] if str(address) not in taken]
    return str(free[-1 - record.made % len(free)]) if free else None


def check_peering(request: Request) -> None:
    """Refuse a peering between networks whose ranges overlap."""
    here = request.cloud.get(arm.parent_of(request.id))
    there = request.cloud.get(values.one(request.inputs, "remoteVirtualNetwork.id", ""))
    if here is None or there is None:
        raise request.refuse("InvalidRequestFormat", "a peering needs `remoteVirtualNetwork.id`")
    if any(one.overlaps(other) for one in _space(here.inputs) for other in _space(there.inputs)):
        raise request.refuse("VnetAddressSpacesOverlap", f"the address space overlaps that of {there.id}")


def _inside(wanted: Network, space: Iterable[Network]) -> bool:
    return any(item.version == wanted.version and wanted.subnet_of(item) for item in space)  # type: ignore[arg-type]
