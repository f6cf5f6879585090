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


Blocks = tuple[tuple[str, tuple[str, ...]], ...]  # CIDR blocks, each with its exceptions


def covers(blocks: Blocks, place: str) -> bool | None:
    """Return whether blocks cover a place, the narrowest deciding; no host of the internet is an exception."""
    found: bool | None = False
    for block, named in narrowing(blocks):
        held = inside(place, block)
        if held is False or (held is None and named is False and place == INTERNET):
            continue
        found = named if held or found is named else None
    return found


@functools.lru_cache(maxsize=10_000)
def narrowing(blocks: Blocks) -> tuple[tuple[str, bool | None], ...]:
    """Return blocks and exceptions from the widest to the narrowest, and whether each is in; None: both is said."""
    listed = {block for block, _ in blocks}
    excepted = {item for _, items in blocks for item in items}
    ordered = sorted(listed | excepted, key=lambda item: (_length(item), item))
    return tuple((item, None if item in listed & excepted else item in listed) for item in ordered)


def _length(block: str) -> int:
    return int(length) if (length := block.rpartition("/")[2]).isdigit() else 0
