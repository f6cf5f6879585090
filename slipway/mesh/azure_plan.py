"""The address plan of Azure: what follows from the networks that an environment states."""

import hashlib
import ipaddress
import re
from collections.abc import Mapping
from dataclasses import dataclass

from slipway.mesh import azure, azure_facts, model

# A /27 holds 27 addresses: enough load balancers or private endpoints for one environment, and more than the nine
# that the API server needs. Source: AKS documentation, api-server-vnet-integration, "at least a /28".
_PART_PREFIX = 27
INFRASTRUCTURE_PREFIX = 25  # the longest one that holds all its parts
PODS_PREFIX = 26  # likewise: a subnet has at least a /28. Source: Azure, virtual-networks-faq is /29
LOAD_BALANCERS = "load-balancers"  # the subnet's name, which Services of internal load balancers state
# Prefixes of public addresses by way out: two for nodes (images, Azure's own API), four for what the egress gateway
# sends. Source: Azure documentation, nat-gateway/nat-gateway-resource: 64 512 flows per address and destination, at
# most 16 addresses.
PUBLIC_PREFIXES = {"egress": 30, "nodes": 31}
OS_DISK_GIB = 64  # of machines
POOL_LABEL = "slipway.dev/pool"  # of nodes, with their pool's name; of taints, too
GATEWAYS = "gateways"  # the pool whose pods have the way out
SYSTEM = "system"
VAULT_RESOURCE = "https://vault.azure.net"  # Source: Azure documentation, key-vault/general/authentication
# Source: Azure documentation, storage/blobs/authorize-access-azure-active-directory, "Resource ID"
STORAGE_RESOURCE = "https://storage.azure.com"
ARCHIVE_CHARACTERS = 24  # Source: Azure documentation, resource-name-rules, Microsoft.Storage: lower case and digits
VAULT_CHARACTERS = 24  # Source: Azure documentation, resource-name-rules, Microsoft.KeyVault
_DIGEST_CHARACTERS = 6


@dataclass(frozen=True, slots=True, kw_only=True)
class Infrastructure:
    """Subnets of the platform's own: internal load balancers, private endpoints, the API server."""

    load_balancers: str
    endpoints: str
    api_server: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Pods:
    """Subnets of pods by pool: one half for workloads, a quarter each for the gateways and for the system's."""

    workloads: str
    gateways: str
    system: str


def infrastructure(block: str) -> Infrastructure:
    """Return the parts of the network ``infrastructure``, at most a /25 long."""
    parts = ipaddress.IPv4Network(block).subnets(new_prefix=_PART_PREFIX)
    return Infrastructure(load_balancers=str(next(parts)), endpoints=str(next(parts)), api_server=str(next(parts)))


def pods(block: str) -> Pods:
    """Return the parts of the network of pods, where pods have subnets: each is a block, none overlaps another."""
    first, second = ipaddress.IPv4Network(block).subnets()
    third, fourth = second.subnets()
    return Pods(workloads=str(first), gateways=str(third), system=str(fourth))


def derived(stated: Mapping[str, str]) -> dict[str, str]:
    """Return the addresses that follow from ``infrastructure``, by their keys; none when it is absent or too small.

    Source: Azure documentation, virtual-network/ip-services/private-ip-addresses: the first four are Azure's.
    """
    block = stated.get("infrastructure", "")
    if not block or ipaddress.IPv4Network(block).prefixlen > INFRASTRUCTURE_PREFIX:
        return {}
    parts = infrastructure(block)
    return {
        "vault": _address(parts.endpoints, 0),
        "archive": _address(parts.endpoints, 1),
        "controlPlane": _address(parts.load_balancers, 0),
        "ingress": _address(parts.load_balancers, 1),
        "egress": _address(parts.load_balancers, 2),
    }


def address(block: str, index: int) -> str:
    """Return the address of a block by its index, counted from 0."""
    return str(ipaddress.IPv4Network(block)[index])


def _address(block: str, index: int) -> str:
    return address(block, azure_facts.FIRST_ADDRESS + index)


def vault_name(*, mesh: str, environment: str, region: str) -> str:
    """Return a name for the key vault: letters, digits and ``-``, at most 24, different for other arguments.

    Somebody else's vault may bear it all the same: names of vaults are unique in all of Azure.
    """
    digest = _digest(mesh, environment, region)
    room = VAULT_CHARACTERS - len("kv--") - _DIGEST_CHARACTERS
    words = re.sub(r"-+", "-", f"{mesh}-{environment}")[:room].strip("-")
    return f"kv-{words}-{digest}"


def archive_name(*, mesh: str, environment: str, region: str) -> str:
    """Return a name for the storage of databases' logs: as :func:`vault_name`, of lower-case letters and digits."""
    digest = _digest(mesh, environment, region)
    words = re.sub(r"[^a-z0-9]", "", f"{mesh}{environment}".lower())[: ARCHIVE_CHARACTERS - len("wal") - len(digest)]
    return f"wal{words}{digest}"


def _digest(mesh: str, environment: str, region: str) -> str:
    return hashlib.sha256(f"{mesh}\x00{environment}\x00{region}".encode()).hexdigest()[:_DIGEST_CHARACTERS]


def archive_url(name: str, *, machine: str) -> str:
    """Return the address of the blob container for the log of a machine's database, in the storage ``name``."""
    return f"https://{name}.blob.core.windows.net/{container_name(machine)}"


def container_name(machine: str) -> str:
    """Return the name of the blob container for the log of a machine's database."""
    return f"{machine}-log"


def archive_address(mesh: model.Mesh, machine: model.Machine) -> str:
    """Return where ``machine`` reaches the archive of its database's log; empty where it has none."""
    return mesh.network.archive if mesh.azure is not None and keeps_database(mesh.azure, machine) else ""


def keeps_database(settings: azure.Azure, machine: model.Machine) -> bool:
    """Whether ``machine`` has a database whose data is to be kept: backed up, and its log archived."""
    return settings.keep_data and machine.database is not None


def vault_url(name: str) -> str:
    """Return the address of a key vault by its name."""
    return f"https://{name}.vault.azure.net"


def address_space(network: model.Network, *, pod_subnets: bool) -> tuple[str, ...]:
    """Return the blocks of the virtual network, sorted; ``pod_subnets`` says whether pods are part of it."""
    blocks = [network.infrastructure, network.nodes, network.machines, *([network.pods] if pod_subnets else [])]
    return tuple(map(str, sorted(map(ipaddress.IPv4Network, blocks))))
