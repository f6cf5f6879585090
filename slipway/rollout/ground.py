"""What verify needs of the place where it runs and that a cluster cannot give: machines, a node, the outside."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from slipway.rollout.checks import check


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """Facts about the place.

    ``internet`` is ``None`` where nothing outside may be probed; ``ingress_authority`` a file, readable from outside,
    with the certificates that sign the ingress hosts' own; ``zipkin`` the URL of Zipkin from here; ``image`` and
    ``program`` what runs in probing pods, ``machine_program`` the prober on machines.
    """

    internet: check.Outside | None
    ingress_authority: str
    zipkin: str
    image: str
    program: str
    machine_program: str


class GroundError(Exception):
    """A machine, the node or the outside could not be used: says which, what was asked and what happened."""


class Ground(Protocol):
    """The place. The public fake is :class:`slipway.rollout.ground_fake.FakeGround`."""

    def surroundings(self) -> Surroundings:
        """Return the facts about the place."""
        ...

    def probe_from_machine(self, machine: str, requests: bytes, *, user: str, timeout_s: float) -> str:
        """Run the prober on a machine as ``user`` and return what it printed."""
        ...

    def probe_from_node(self, requests: bytes, *, timeout_s: float) -> str:
        """Run the prober in the network of a cluster's node."""
        ...

    def probe_from_outside(self, requests: bytes, *, timeout_s: float) -> str:
        """Run the prober on the internet."""
        ...

    def run_on_machine(
        self, machine: str, argv: Sequence[str], *, user: str = "root", stdin: bytes = b"", timeout_s: float = 20.0
    ) -> str:
        """Run a program on a machine and return what it printed; raises GroundError when it fails."""
        ...

    def reboot(self, machine: str) -> None:
        """Boot a machine anew and return when it has booted; raises GroundError when it does not."""
        ...
