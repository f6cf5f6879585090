"""Where a connection goes before any proxy."""

from dataclasses import dataclass

from slipway.reachability.objects import Service


@dataclass(frozen=True, slots=True, kw_only=True)
class Dialled:
    """Services of a name, or the workload of an address.

    ``name`` is what was dialled; ``services`` those with that host, or for which proxies listen at that address;
    ``workload`` the position of the one whose ``address`` was dialled; ``resolves`` whether the name has an address
    at all.
    """

    name: str
    port: int
    services: tuple[Service, ...] = ()
    workload: int | None = None
    address: str = ""
    resolves: bool = True

    @property
    def is_of_the_cluster(self) -> bool:
        """Whether only the cluster's own DNS has an address for it."""
        return not self.address and bool(self.services) and all(item.kubernetes for item in self.services)
