"""From whom a request is sent."""

import enum
from dataclasses import dataclass

from slipway.mesh import model

# In pods of ours, seen by the sidecar too: the prober, and the identity's certificate.
# Source: istio/istio 1.29.1 security/pkg/nodeagent/cache/secretcache.go, file names of OUTPUT_CERTS.
SHARED_FOLDER = "/slipway-probe"
CERTIFICATE_FILE = f"{SHARED_FOLDER}/cert-chain.pem"
KEY_FILE = f"{SHARED_FOLDER}/key.pem"


class Manner(enum.Enum):
    """How a source sends.

    ``APPLICATION`` is the running workload itself, ``OPENED`` its identity in a pod of ours whose sidecar knows
    every service, ``CERTIFICATE`` the same pod past its sidecar with the identity's own certificate, ``BARE`` a pod
    without sidecar in a declared namespace, ``PROXY_USER`` the user of the sidecar, whose packets are not captured,
    ``LOCAL`` another user of the machine, ``NODE`` a node of the cluster, ``OUTSIDE`` the internet.
    """

    APPLICATION = "application"
    OPENED = "opened scope"
    CERTIFICATE = "by its certificate"
    BARE = "no sidecar"
    PROXY_USER = "past the sidecar"
    LOCAL = "another local user"
    NODE = "node"
    OUTSIDE = "internet"


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class Identity:
    """One ServiceAccount that a declared service runs under: in the cluster, or of one machine."""

    service: str
    namespace: str
    service_account: str
    machine: str = ""

    @property
    def name(self) -> str:
        """The workload's own name: that of the machine, or of the service in the cluster."""
        return self.machine or self.service


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """A manner, and whose it is: an identity, or for ``BARE`` a namespace."""

    manner: Manner
    identity: Identity | None = None
    namespace: str = ""

    @property
    def key(self) -> tuple[str, str]:
        """What tells sources apart and sorts them."""
        return (self.manner.value, self.namespace if self.identity is None else self.identity.name)

    def __str__(self) -> str:
        if self.identity is None:
            return f"a pod without sidecar in {self.namespace}" if self.namespace else f"the {self.manner.value}"
        if self.manner is Manner.APPLICATION:
            return self.identity.name
        return f"{self.identity.name} ({self.manner.value})"


def identities(mesh: model.Mesh, service: model.Service) -> tuple[Identity, ...]:
    """Return every identity under which ``service`` runs, sorted."""
    found = [
        Identity(
            service=service.name,
            namespace=service.namespace,
            service_account=mesh.machine(name).service_account,
            machine=name,
        )
        for name in service.machines
    ]
    if service.workload is not None:
        account = service.workload.service_account
        found.append(Identity(service=service.name, namespace=service.namespace, service_account=account))
    return tuple(sorted(found))


def all_identities(mesh: model.Mesh) -> tuple[Identity, ...]:
    """Return the identities of every declared service, sorted."""
    return tuple(sorted(item for service in mesh.services for item in identities(mesh, service)))


def bare_namespaces(mesh: model.Mesh) -> tuple[str, ...]:
    """Return the declared namespaces that hold workloads of the cluster, sorted."""
    return tuple(sorted({service.namespace for service in mesh.services if service.workload is not None}))
