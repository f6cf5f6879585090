"""One named lab: its folders, its namespaces, and the address plan that is the same in all of them."""

import ipaddress
import os
import re
import socket
from dataclasses import dataclass
from pathlib import Path

import platformdirs

FABRIC_PREFIX_LENGTH = 16
FABRIC_NETWORK = f"10.60.0.0/{FABRIC_PREFIX_LENGTH}"
INTERNET_ADDRESS = "10.60.0.1"
PLATFORM_ADDRESS = "10.60.0.2"
VAULT_ADDRESS = "10.60.0.4"
VAULT_HOST = "vault.lab.internal"
# Azure's own DNS resolver. Source: Azure documentation, virtual-network/what-is-ip-address-168-63-129-16.
RESOLVER_ADDRESS = "168.63.129.16"
# Azure's instance metadata. Source: Azure documentation, virtual-machines/instance-metadata-service.
METADATA_ADDRESS = "169.254.169.254"
NODE_ADDRESS = "10.60.1.10"
INGRESS_ADDRESS = "10.60.1.100"
CONTROL_PLANE_ADDRESS = "10.60.1.101"
LOAD_BALANCER_ADDRESSES = tuple(f"10.60.1.{last}" for last in range(102, 120))
# What an environment on Azure with the infrastructure 10.60.1.128/25 derives for istiod, for the ingress gateway and,
# where pods are in an overlay, for the egress gateway.
AZURE_LOAD_BALANCER_ADDRESSES = ("10.60.1.132", "10.60.1.133", "10.60.1.134")
LOAD_BALANCER_NETWORKS = ("10.60.1.96/27", "10.60.1.128/27")
POD_NETWORK = "10.61.0.0/16"
NODE_POD_NETWORK = "10.61.0.0/24"
SERVICE_NETWORK = "10.62.0.0/16"
KUBERNETES_SERVICE_ADDRESS = "10.62.0.1"
DNS_SERVICE_ADDRESS = "10.62.0.10"
ZIPKIN_SERVICE_ADDRESS = "10.62.0.94"
PAYMENTS_ADDRESS = "203.0.113.10"
FORBIDDEN_ADDRESS = "203.0.113.20"
OUTSIDE_RESOLVER_ADDRESS = "203.0.113.53"
INTERNET_NAMES = {"payments.example.com": PAYMENTS_ADDRESS, "forbidden.example.net": FORBIDDEN_ADDRESS}

FABRIC, INTERNET, PLATFORM, NODE = "fabric", "internet", "platform", "node"
CLUSTER_HOSTS = (INTERNET, PLATFORM, NODE)

_NAME = re.compile(r"[a-z]([a-z0-9-]{0,18}[a-z0-9])?")
_LONGEST_SOCKET = "containerd/state/containerd.sock.ttrpc"
_SOCKET_PATH_LIMIT = 107  # bytes. Source: unix(7), sun_path


class LabError(Exception):
    """Something about the lab that its user can mend: what was found, what is allowed, how to fix it."""


class LabLocked(LabError):  # noqa: N818 - reads as the sentence that it is
    """Another process works on the same instance."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Instance:
    """A lab by name, with ``state`` (one folder, deleted by `down`) and ``cache`` (shared by all instances)."""

    name: str
    state: Path
    cache: Path

    def namespace(self, host: str) -> str:
        """Return the name of a host's network namespace."""
        return f"slipway-{self.name}-{host}"

    @property
    def log_folder(self) -> Path:
        """Where every program of the instance writes its log."""
        return self.state / "logs"

    @property
    def kubeconfig(self) -> Path:
        """The administrator's kubeconfig, by the loopback forward of the API server."""
        return self.state / "kubeconfig"

    @property
    def public_authority(self) -> Path:
        """The certificate of the authority that signs the lab's internet and vault (PEM)."""
        return self.state / "certificates" / "public-ca.crt"

    @property
    def overlay_mark(self) -> Path:
        """The file that says that pods are in an overlay, which machines have no way to."""
        return self.state / "pods-in-overlay"

    @property
    def has_overlay(self) -> bool:
        """Whether pods are in an overlay."""
        return self.overlay_mark.exists()

    @property
    def cgroup(self) -> str:
        """The control group below which all containers of the instance run."""
        return f"/slipway/{self.name}"


def named(name: str) -> Instance:
    """Return the instance called ``name``, with the folders that the environment asks for.

    ``SLIPWAY_STATE`` and ``SLIPWAY_CACHE`` replace the user's state and cache folders. Raises :class:`LabError`
    for a name that does not fit into names of namespaces or a folder too long for unix sockets.
    """
    if _NAME.fullmatch(name) is None:
        msg = (
            f"the lab's name is {name!r}; allowed are 1 to 20 lowercase letters, digits and '-', beginning with a "
            "letter and not ending with '-'; choose another name"
        )
        raise LabError(msg)
    state = Path(os.environ.get("SLIPWAY_STATE") or platformdirs.user_state_dir("slipway")).absolute()
    cache = Path(os.environ.get("SLIPWAY_CACHE") or platformdirs.user_cache_dir("slipway")).absolute()
    folder = state / "labs" / name
    longest = len(os.fsencode(folder / _LONGEST_SOCKET))
    if longest > _SOCKET_PATH_LIMIT:
        msg = (
            f"the state folder {folder} is {longest - _SOCKET_PATH_LIMIT} bytes too long for the sockets in it; "
            "set SLIPWAY_STATE to a shorter folder"
        )
        raise LabError(msg)
    return Instance(name=name, state=folder, cache=cache)


def on_fabric(address: str) -> str:
    """Return ``address`` with the fabric's prefix length, as network.attach takes it; refuses one outside of it."""
    fabric = ipaddress.ip_network(FABRIC_NETWORK)
    if ipaddress.ip_address(address) not in fabric:
        msg = f"the address is {address}; allowed are addresses in {fabric}"
        raise LabError(msg)
    return f"{address}/{FABRIC_PREFIX_LENGTH}"


def free_port() -> int:
    """Return a TCP port of the loopback interface that nobody listens on at this moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
