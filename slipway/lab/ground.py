"""A lab as the ground of verify: its machines, its node and its internet.

The command line makes :class:`slipway.rollout.ground.Ground` of it; that room and the lab know nothing of each other.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from slipway.lab import forwards, images, network, programs
from slipway.lab import instance as instances
from slipway.lab.machines import api

_PROGRAM = "shop"
_PROBER = "probe"
_CONNECTED_TIMEOUT_S = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class LabGround:
    """One instance; ``prober`` is the program that sends requests, on this computer."""

    instance: instances.Instance
    prober: Path
    image: str

    @property
    def zipkin(self) -> str:
        """Zipkin's URL by the loopback forward."""
        return f"http://127.0.0.1:{forwards.ports(self.instance)[forwards.ZIPKIN]}"

    @property
    def machine_program(self) -> str:
        """The prober on machines."""
        return f"{api.PACKAGES_FOLDER}/{_PROBER}"

    def probe_from_machine(self, machine: str, requests: bytes, *, user: str, timeout_s: float) -> str:
        """Run the prober on a machine as ``user``; raises LabError or CommandFailed."""
        argv = [self.machine_program]
        return api.execute(self.instance, machine, argv, user=user, stdin=requests, timeout_s=timeout_s).stdout

    def probe_from_node(self, requests: bytes, *, timeout_s: float) -> str:
        """Run the prober in the node's network."""
        return self._probe_from(instances.NODE, requests, timeout_s=timeout_s)

    def probe_from_outside(self, requests: bytes, *, timeout_s: float) -> str:
        """Run the prober on the internet."""
        return self._probe_from(instances.INTERNET, requests, timeout_s=timeout_s)

    def run_on_machine(
        self, machine: str, argv: Sequence[str], *, user: str = "root", stdin: bytes = b"", timeout_s: float = 20.0
    ) -> str:
        """Run a program on a machine and return what it printed; raises LabError or CommandFailed."""
        return api.execute(self.instance, machine, argv, user=user, stdin=stdin, timeout_s=timeout_s).stdout

    def reboot(self, machine: str) -> None:
        """Boot a machine anew and return when its sidecar is connected again."""
        api.reboot(self.instance, machine, _silent)
        api.ready(self.instance, machine, level=api.Level.CONNECTED, timeout_s=_CONNECTED_TIMEOUT_S)

    def _probe_from(self, host: str, requests: bytes, *, timeout_s: float) -> str:
        return network.run(self.instance, host, [str(self.prober)], stdin=requests, timeout_s=timeout_s).stdout


def of(instance: instances.Instance) -> LabGround:
    """Return the ground of an instance, with its prober built where it is not yet."""
    program = programs.ensure([_PROGRAM])[_PROGRAM]
    image = f"{images.REPOSITORY}/{_PROGRAM}:{program.version}"
    return LabGround(instance=instance, prober=program.bin / _PROBER, image=image)


def _silent(_: str) -> None:
    pass
