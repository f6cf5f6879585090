"""What a machine's own packet filter lets through, as plain values: the machine's room turns them into nftables.

The guard is independent of the sidecar: what these values do not state stays closed also while the sidecar is
dead, not started yet, or its capture rules are gone.
"""

import enum
from dataclasses import dataclass


class Inbound(enum.Enum):
    """What happens to inbound TCP on a port that is not in ``captured_ports``.

    ``CAPTURED`` takes any port as long as the sidecar took the connection over; ``OPEN`` takes it from the network
    directly as well.
    """

    REFUSED = "refused"
    CAPTURED = "captured"
    OPEN = "open"


class Outbound(enum.Enum):
    """What leaves the machine: only what the guard states, or everything."""

    DECLARED = "declared"
    OPEN = "open"


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class Reach:
    """TCP destinations: an IPv4 block and destination ports in it, sorted; no port stands for every one."""

    cidr: str
    ports: tuple[int, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class GuardPolicy:
    """The guard of one machine. Ports are the numbers that applications listen on; tuples are sorted.

    ``captured_ports`` are accepted only when the sidecar's capture took the connection (destination port 15006,
    original destination port in this tuple), never from the network directly; ``other_inbound`` decides the rest.

    ``mesh`` is where the sidecar's user, and nobody else, may open TCP connections while ``outbound`` is
    ``DECLARED``: the control plane, called services, the egress gateway, the tracing service. ``resolver`` is the
    DNS server (port 53, UDP and TCP: the sidecar's user, since it answers the machine's own queries, and the
    system's resolver); ``metadata`` the platform's metadata endpoint (TCP 80) and ``vault`` the key vault's address
    (TCP 443), both for the superuser alone, as is ``archive``, the storage of its database's log (TCP 443); an empty
    ``vault`` or ``archive`` means that there is none. ``administration`` is from where SSH connections come in past
    the sidecar: blocks of sources with the port on which sshd listens.
    """

    machine: str
    captured_ports: tuple[int, ...]
    other_inbound: Inbound
    outbound: Outbound
    mesh: tuple[Reach, ...]
    resolver: str
    metadata: str
    vault: str
    administration: tuple[Reach, ...] = ()
    archive: str = ""
