"""Network security group rules as plain values: the lab turns them into nftables, Azure into an NSG."""

import enum
from dataclasses import dataclass


class Direction(enum.Enum):
    """Seen from the machine's network interface."""

    INBOUND = "Inbound"
    OUTBOUND = "Outbound"


class Access(enum.Enum):
    """What the rule does with a matching flow."""

    ALLOW = "Allow"
    DENY = "Deny"


class Protocol(enum.Enum):
    """Transport protocol in Azure's spelling; ``ANY`` includes ICMP."""

    TCP = "Tcp"
    UDP = "Udp"
    ANY = "*"


@dataclass(frozen=True, slots=True, kw_only=True, order=False)
class NsgRule:
    """One rule, evaluated in order of ``priority`` (100 to 4096, the lowest number decides first).

    ``remote`` are CIDR blocks of the other side (source of inbound, destination of outbound rules), ``("*",)``
    for any; ``ports`` are destination ports as ``"443"`` or ``"8000-8010"``, ``("*",)`` for any. Flows are
    stateful: the answer of an allowed flow passes.
    Source: Azure documentation, network-security-groups-overview, "Security rules".
    """

    name: str
    priority: int
    direction: Direction
    access: Access
    protocol: Protocol
    remote: tuple[str, ...]
    ports: tuple[str, ...]
    description: str = ""
