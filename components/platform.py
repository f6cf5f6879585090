"""What every platform gives to the mesh above it."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import pulumi

from components.istio import charts
from policies.bundles import bundle as bundles
from slipway.manifests.nsg import NsgRule
from slipway.mesh import model


@dataclass(frozen=True, slots=True, kw_only=True)
class MachineArgs:
    """One virtual machine as a platform creates it.

    ``names`` are names that the platform's DNS answers
    with the machine's address; ``after`` must exist before its first boot.
    """

    machine: model.Machine
    nsg: tuple[NsgRule, ...]
    names: tuple[str, ...]
    after: Sequence[pulumi.Resource] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class CertificateArgs:
    """A TLS Secret called ``secret`` for ``host``; ``after`` must exist before it: its namespace."""

    host: str
    secret: str
    namespace: str
    after: Sequence[pulumi.Resource] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class DeliveryArgs:
    """What is secret and has to get somewhere: certificates into the cluster, tokens out to the machines.

    ``cluster`` is the cluster's provider; ``machines`` are declared, and ``after`` their accounts and all namespaces.
    """

    cluster: pulumi.ProviderResource
    certificates: tuple[CertificateArgs, ...]
    machines: tuple[model.Machine, ...]
    after: Sequence[pulumi.Resource] = ()


def machine_args(
    mesh: model.Mesh, bundle: bundles.Bundle, declared: model.Machine, *, after: Sequence[pulumi.Resource] = ()
) -> MachineArgs:
    """Return what a platform needs to create one declared machine."""
    names = (known for service in declared.services for known in mesh.service(service).names)
    return MachineArgs(machine=declared, nsg=bundle.nsg[declared.name], names=tuple(names), after=after)


class Platform(Protocol):
    """A place with a cluster, machines and certificates. Everything above it is the same code everywhere."""

    @property
    def kubeconfig(self) -> pulumi.Input[str]:
        """The path of a kubeconfig, or its content as a secret output."""
        ...

    @property
    def cluster(self) -> pulumi.Input[str]:
        """What identifies the cluster for as long as it lives."""
        ...

    @property
    def charts(self) -> charts.Charts:
        """Where Istio comes from."""
        ...

    @property
    def parent(self) -> pulumi.Resource:
        """The component below which the platform's resources hang."""
        ...

    def machine(self, args: MachineArgs) -> pulumi.Resource | None:
        """Create one virtual machine and return the resource that is done when it has booted.

        None where it is not this stack that makes machines.
        """
        ...

    def deliver(self, args: DeliveryArgs) -> Sequence[pulumi.Resource]:
        """Deliver certificates and tokens, never through Pulumi's state; return what machines boot after."""
        ...

    @property
    def outputs(self) -> dict[str, pulumi.Input[object]]:
        """What a person wants to know of the platform, as outputs of the stack."""
        ...
