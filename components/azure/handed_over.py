"""Azure as another stack has made it: nothing here asks Azure for anything, and nothing needs its SDK."""

from collections.abc import Sequence

import pulumi

from components import platform
from components.azure import handover, istio, relay
from components.istio import charts
from slipway.mesh import azure


class HandedOver(pulumi.ComponentResource):
    """The platform of the mesh's own stack: a cluster that is there, with machines that were made beside it.

    Machines ask for their token until the relay has brought it, so they need not wait for this stack.
    """

    def __init__(
        self,
        name: str,
        settings: azure.Azure,
        found: handover.Handover,
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        super().__init__("slipway:azure:HandedOver", name, None, opts)
        self._settings, self._found = settings, found
        self.register_outputs({})

    @property
    def kubeconfig(self) -> pulumi.Input[str]:
        """The cluster's kubeconfig: who uses it logs in as themselves, and it is secret all the same."""
        return self._found.kubeconfig

    @property
    def cluster(self) -> pulumi.Input[str]:
        """The cluster's id."""
        return self._found.cluster

    @property
    def charts(self) -> charts.Charts:
        """Istio's official charts, with what AKS needs."""
        return istio.charts_of(self._settings)

    @property
    def parent(self) -> pulumi.Resource:
        """The component itself."""
        return self

    @property
    def outputs(self) -> dict[str, pulumi.Input[object]]:
        """Nothing: the platform's stack says where things are."""
        return {}

    def deliver(self, args: platform.DeliveryArgs) -> Sequence[pulumi.Resource]:
        """Run the relay in the cluster, where there is anything to deliver."""
        if not args.machines and not args.certificates:
            return ()
        return (relay.deliver(args, settings=self._settings, identity=self._found.relay, after=(), parent=self),)

    def machine(self, args: platform.MachineArgs) -> None:
        """Make none: the platform's stack does."""
