"""What an environment on Azure states besides its address plan."""

import enum
from dataclasses import dataclass


class PodNetwork(enum.Enum):
    """Where pods get their addresses from: a subnet, which machines reach, or an overlay, which they do not.

    Source: AKS documentation, concepts-network-cni-overview, "Feature comparison".
    """

    POD_SUBNET = "podSubnet"
    OVERLAY = "overlay"


class Option(enum.Enum):
    """Parts of the platform that cost money or need rights of their own, and are left out unless asked for."""

    DEFENDER = "defender"
    POLICY = "policy"
    INSIGHTS = "insights"


class Stacks(enum.Enum):
    """How many Pulumi stacks make the environment: one, or the platform's and the mesh's with rights of their own."""

    ONE = "one"
    TWO = "two"


class Day(enum.Enum):
    """A day of the week, as AKS spells it."""

    MONDAY = "Monday"
    TUESDAY = "Tuesday"
    WEDNESDAY = "Wednesday"
    THURSDAY = "Thursday"
    FRIDAY = "Friday"
    SATURDAY = "Saturday"
    SUNDAY = "Sunday"


@dataclass(frozen=True, slots=True, kw_only=True)
class Pool:
    """One node pool: the size of its machines, and how many of them at least and at most."""

    size: str
    minimum: int
    maximum: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Pools:
    """The node pools: Kubernetes' own pods, the teams' workloads, and the gateways."""

    system: Pool
    workloads: Pool
    gateways: Pool

    def all(self) -> tuple[tuple[str, Pool], ...]:
        """Return each pool with its name, in the order in which they are created."""
        return (("system", self.system), ("workloads", self.workloads), ("gateways", self.gateways))


@dataclass(frozen=True, slots=True, kw_only=True)
class Maintenance:
    """The weekly window of four hours in which AKS may update: a day and the hour (UTC) in which it begins."""

    day: Day
    hour: int


@dataclass(frozen=True, slots=True, kw_only=True)
class MachineImage:
    """What machines boot from and run: an image, the sidecar's package, and a key for the day of need.

    ``image`` is ``publisher:offer:sku:version`` or the id of an image's version; ``sidecar_url`` is ``https://`` or
    ``file:///`` (inside the image), ``sidecar_sha256`` its digest in hex; ``admin_key`` is a public SSH key.
    """

    image: str
    sidecar_url: str
    sidecar_sha256: str
    admin_key: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Azure:
    """Settings of one environment on Azure.

    ``kubernetes`` is a minor version, as ``1.34``; ``istio`` a full one; ``api_networks`` are those that reach the
    cluster's API from outside, none for a private one; ``admins`` are object ids of Entra groups; ``zones`` is empty
    in a region without them; ``vault`` is the key vault's name, ``archive`` that of the storage account of
    databases' logs; ``peers`` are networks that this one is connected to; ``keep_data`` protects what cannot be made
    again; ``machines`` is None where there are none; ``stacks`` says how many make it all; ``prices`` is a path of a
    list of prices, relative to the environment's file, or empty; ``charts`` and ``hub`` are where Istio's charts and
    images come from, where not from its project (empty).
    """

    region: str
    kubernetes: str
    istio: str
    pod_network: PodNetwork
    api_networks: tuple[str, ...]
    admins: tuple[str, ...]
    zones: tuple[str, ...]
    pools: Pools
    maintenance: Maintenance
    vault: str
    peers: tuple[str, ...]
    options: frozenset[Option]
    keep_data: bool
    relay_image: str
    machines: MachineImage | None
    stacks: Stacks = Stacks.ONE
    prices: str = ""
    archive: str = ""
    charts: str = ""
    hub: str = ""
