"""Where a connection leads, as far as it is known, and whether a block of addresses covers that."""

import functools
import ipaddress

INTERNET = "internet"  # a host outside that is only known by its name
NOWHERE = ""  # not known at all


@functools.lru_cache(maxsize=100_000)
def inside(place: str, block: str) -> bool | None:
    """Return whether ``block`` (CIDR, or a service tag of Azure) covers a place; None when that is not known.

    ``place`` is an address, a CIDR block that the address lies in, :data:`INTERNET` or :data:`NOWHERE`. A host that
    is only known by name is taken for one of the internet: inside of ``0.0.0.0/0``, outside of private blocks.
    """
    try:
        network = ipaddress.ip_network(block, strict=False)
    except ValueError:
        return None
    if place in {INTERNET, NOWHERE}:
        if network.prefixlen == 0:
            return True
        return False if place == INTERNET and not network.is_global else None
    own = ipaddress.ip_network(place, strict=False)
    if own.version != network.version or not own.overlaps(network):
        return False
    return True if own.prefixlen >= network.prefixlen else None


def inside_except(place: str, block: str, excepted: tuple[str, ...]) -> bool | None:
    """Return whether ``block`` without its exceptions covers a place; no host of the internet is an exception."""
    found = inside(place, block)
    for item in excepted:
        other = inside(place, item)
        if other is True:
            return False
        if other is None and found is not False and place != INTERNET:
            found = None
    return found
