"""Every resource type that the stand-in models, by its token and by ARM's name."""

from collections.abc import Mapping
from types import MappingProxyType

from standin.model import ResourceType
from standin.types import compute, containers, network, operations, protection

_TABLES = (network.TYPES, compute.TYPES, containers.TYPES, protection.TYPES, operations.TYPES)
TYPES: Mapping[str, ResourceType] = MappingProxyType({item.token: item for table in _TABLES for item in table})
ARM_TYPES: Mapping[str, ResourceType] = MappingProxyType(
    {item.path.arm_type.lower(): item for item in TYPES.values()}
)


class NotModelledError(LookupError):
    """The stand-in has no rule for a type."""


def by_token(token: str) -> ResourceType:
    """Return the type. Raises :class:`NotModelledError`."""
    found = TYPES.get(token)
    if found is None:
        raise NotModelledError(f"the stand-in has no rule for {token}: add it to tests/azure/standin/types")
    return found
