"""The places where verify may send requests: today, labs."""

from collections.abc import Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from slipway.lab import ground as lab_ground
from slipway.lab import instance as instances
from slipway.rollout import probes
from slipway.rollout.checks import check
from slipway.rollout.ground import GroundError, Surroundings
from slipway.world import process

_TLS_PORT = 443
_OTHER_PORT = 8443
_FORBIDDEN = "forbidden.example.net"


@contextmanager
def _mapped(told: str) -> Generator[None]:
    try:
        yield
    except (instances.LabError, process.CommandFailed) as error:
        raise GroundError(f"{told}: {error}") from error


@dataclass(frozen=True, slots=True, kw_only=True)
class LabGround:
    """A lab, as :class:`slipway.rollout.ground.Ground` wants it."""

    lab: lab_ground.LabGround

    def surroundings(self) -> Surroundings:
        """Return the lab's own internet, its authority, Zipkin and prober."""
        internet = check.Outside(
            addresses={host: found for host, found in instances.INTERNET_NAMES.items() if host != _FORBIDDEN},
            forbidden=probes.Address(host=_FORBIDDEN, port=_TLS_PORT),
            forbidden_address=instances.INTERNET_NAMES[_FORBIDDEN],
            other_port=_OTHER_PORT,
            resolver=instances.OUTSIDE_RESOLVER_ADDRESS,
            resolver_name=f"{_FORBIDDEN}.",
        )
        return Surroundings(
            internet=internet,
            ingress_authority=str(self.lab.instance.public_authority),
            zipkin=self.lab.zipkin,
            image=self.lab.image,
            program="/probe",
            machine_program=self.lab.machine_program,
        )

    def probe_from_machine(self, machine: str, requests: bytes, *, user: str, timeout_s: float) -> str:
        """See :meth:`slipway.rollout.ground.Ground.probe_from_machine`."""
        with _mapped(f"prober on {machine}"):
            return self.lab.probe_from_machine(machine, requests, user=user, timeout_s=timeout_s)

    def probe_from_node(self, requests: bytes, *, timeout_s: float) -> str:
        """See :meth:`slipway.rollout.ground.Ground.probe_from_node`."""
        with _mapped("prober on the node"):
            return self.lab.probe_from_node(requests, timeout_s=timeout_s)

    def probe_from_outside(self, requests: bytes, *, timeout_s: float) -> str:
        """See :meth:`slipway.rollout.ground.Ground.probe_from_outside`."""
        with _mapped("prober on the internet"):
            return self.lab.probe_from_outside(requests, timeout_s=timeout_s)

    def run_on_machine(
        self, machine: str, argv: Sequence[str], *, user: str = "root", stdin: bytes = b"", timeout_s: float = 20.0
    ) -> str:
        """See :meth:`slipway.rollout.ground.Ground.run_on_machine`."""
        with _mapped(f"on {machine}"):
            return self.lab.run_on_machine(machine, argv, user=user, stdin=stdin, timeout_s=timeout_s)

    def reboot(self, machine: str) -> None:
        """See :meth:`slipway.rollout.ground.Ground.reboot`."""
        with _mapped(f"reboot of {machine}"):
            self.lab.reboot(machine)


def of_lab(instance: instances.Instance) -> LabGround:
    """Return the ground of a lab; raises ProgramsUnavailable when its prober cannot be had."""
    return LabGround(lab=lab_ground.of(instance))
