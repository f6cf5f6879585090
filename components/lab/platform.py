"""The lab as a platform: its cluster is there already, its machines and certificates are made by this program."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import pulumi

from components import platform
from components.istio import charts
from components.lab import certificate, machine
from slipway.lab.machines import record
from slipway.manifests import nsg
from slipway.mesh import model


@dataclass(frozen=True, slots=True, kw_only=True)
class LabPlatformArgs:
    """A running lab.

    ``instance`` is its name, ``kubeconfig`` the path of the file, ``charts`` what it was built with, and
    ``user_data`` the cloud-init user-data by machine name.
    """

    instance: str
    kubeconfig: str
    charts: charts.Charts
    user_data: Mapping[str, str] = field(default_factory=dict)


class LabPlatform(pulumi.ComponentResource):
    """Machines, certificates and the cluster of one lab instance."""

    def __init__(self, name: str, args: LabPlatformArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("slipway:lab:Platform", name, None, opts)
        self._args = args
        self.register_outputs({"instance": args.instance})

    @property
    def kubeconfig(self) -> pulumi.Input[str]:
        """The path of the lab's kubeconfig: its client key stays out of Pulumi's state."""
        return self._args.kubeconfig

    @property
    def cluster(self) -> pulumi.Input[str]:
        """The instance's name."""
        return f"lab/{self._args.instance}"

    @property
    def charts(self) -> charts.Charts:
        """The charts and images that the lab was built with."""
        return self._args.charts

    @property
    def parent(self) -> pulumi.Resource:
        """The component itself."""
        return self

    def machine(self, args: platform.MachineArgs) -> pulumi.Resource:
        """Boot one machine of the lab."""
        spec = specification(
            args.machine, user_data=self._args.user_data[args.machine.name], names=args.names, rules=args.nsg
        )
        properties = {"instance": self._args.instance, **spec.to_json()}
        return machine.LabMachine(
            spec.name, properties, pulumi.ResourceOptions(parent=self, depends_on=[*args.after])
        )

    def deliver(self, args: platform.DeliveryArgs) -> Sequence[pulumi.Resource]:
        """Have the lab's authority sign a certificate for each host; its key vault makes tokens when it is asked."""
        for item in args.certificates:
            properties = {
                "instance": self._args.instance,
                "host": item.host,
                "secret": item.secret,
                "namespace": item.namespace,
            }
            certificate.LabCertificate(
                f"{item.namespace}/{item.secret}",
                properties,
                pulumi.ResourceOptions(parent=self, depends_on=[*item.after]),
            )
        return ()

    @property
    def outputs(self) -> dict[str, pulumi.Input[object]]:
        """Nothing that `slipway lab status` does not say."""
        return {}


def specification(
    declared: model.Machine, *, user_data: str, names: Iterable[str], rules: tuple[nsg.NsgRule, ...]
) -> record.MachineSpec:
    """Return a declared machine as the lab makes it; ``names`` are those of today of its services."""
    return record.MachineSpec(
        name=declared.name,
        address=declared.address,
        user_data=user_data,
        names=dict.fromkeys(names, declared.address),
        nsg=rules,
        namespace=declared.namespace,
        service_account=declared.service_account,
        database=declared.database is not None,
    )
