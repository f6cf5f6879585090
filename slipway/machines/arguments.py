"""Everything that a machine's user-data is made from."""

from dataclasses import dataclass

from slipway.manifests import guard
from slipway.mesh import model, names

CLUSTER = "Kubernetes"  # istiod's own default. Source: istio 1.29.1, pkg/config/constants `DefaultClusterName`
CONTROL_PLANE_PORT = 15012


def secret_name(machine: str) -> str:
    """Return the name of a machine's secret in the key vault."""
    return f"{machine}-istio"


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenSource:
    """Where a machine fetches its short-lived token with its own identity.

    ``metadata_url`` is the platform's metadata endpoint (``http://169.254.169.254``), ``resource`` the audience
    for which it is asked there, ``client_id`` chooses one of several identities of the machine (empty: the only
    one); ``vault_url`` is the key vault and ``secret`` the name of the secret there.
    """

    metadata_url: str
    resource: str
    client_id: str
    vault_url: str
    secret: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Archive:
    """Where a machine's database keeps its log: ``url`` is that of a blob container of its own.

    ``metadata_url``, ``resource`` and ``client_id`` are as for :class:`TokenSource`.
    """

    metadata_url: str
    resource: str
    client_id: str
    url: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SidecarPackage:
    """The Debian package `istio-sidecar`: ``url`` is ``https://`` or ``file:///``, ``sha256`` its digest in hex."""

    url: str
    sha256: str


@dataclass(frozen=True, slots=True, kw_only=True)
class MachineArguments:
    """The inputs of :func:`slipway.machines.user_data.user_data`; nothing in them is secret.

    ``services`` are those that run on the machine, as the declaration states them. ``control_plane`` is the IPv4
    address by which machines reach istiod; ``cluster`` equals istiod's cluster name, or it refuses the machine's
    token; ``network`` is the machine's, by name, and empty where pods and machines share one. ``token`` is None where
    the machine has no identity of its own: who onboards it brings one. ``team_cloud_config`` is the text of the
    cloud-config that the machine's team wrote, or empty. ``archive`` is None where the log of its database is not
    archived, or it has none.
    """

    machine: model.Machine
    services: tuple[model.Service, ...]
    mesh_name: str
    revision: str
    trust_domain: str
    cluster: str
    control_plane: str
    guard: guard.GuardPolicy
    token: TokenSource | None
    package: SidecarPackage
    team_cloud_config: str
    archive: Archive | None = None
    network: str = ""

    @property
    def data_folder(self) -> str:
        """Where the data disk is mounted; empty where the machine has none.

        Source: Debian, postgresql-common: clusters live in /var/lib/postgresql/VERSION/NAME.
        """
        if not self.machine.disk_gib:
            return ""
        return "/srv" if self.machine.database is None else "/var/lib/postgresql"

    @property
    def control_plane_host(self) -> str:
        """The name for which istiod of this revision has a certificate.

        Source: istio 1.29.1, pilot/pkg/bootstrap/server.go `getDNSNames`.
        """
        return f"istiod-{self.revision}.istio-system.svc"


def of(
    mesh: model.Mesh,
    *,
    machine: str,
    guard_policy: guard.GuardPolicy,
    token: TokenSource | None,
    package: SidecarPackage,
    team_cloud_config: str,
    archive: Archive | None = None,
) -> MachineArguments:
    """Return the arguments of one declared machine."""
    found = mesh.machine(machine)
    return MachineArguments(
        machine=found,
        services=tuple(mesh.service(name) for name in found.services),
        mesh_name=mesh.name,
        revision=mesh.revision,
        trust_domain=mesh.trust_domain,
        cluster=CLUSTER,
        control_plane=mesh.network.control_plane,
        guard=guard_policy,
        token=token,
        package=package,
        team_cloud_config=team_cloud_config,
        archive=archive,
        network=names.NETWORK_OF_MACHINES if mesh.network.overlay else "",
    )
