"""Azure as a platform: everything is made by this program, in one resource group."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import pulumi
from pulumi_azure_native import operationalinsights, resources

from components import platform
from components.azure import (
    archive,
    backup,
    cluster,
    handover,
    machine,
    network,
    place,
    relay,
    relay_identity,
    vault,
)
from components.istio import charts
from policies.bundles import bundle as bundles
from slipway.mesh import azure, azure_plan, model

LOG_DAYS = 30  # Source: Azure documentation, azure-monitor/logs/data-retention-configure: what costs nothing extra


@dataclass(frozen=True, slots=True, kw_only=True)
class AzurePlatformArgs:
    """One environment on Azure.

    ``name`` is the environment's, of which names in Azure are made; ``settings`` and ``plan`` are the declaration's,
    ``egress`` the position of its phase; ``charts`` is where Istio comes from; ``user_data`` is cloud-init's text by
    machine; ``machines`` are declared; ``tags`` go onto everything; ``monthly_cost`` is the estimate, as an output.
    """

    name: str
    settings: azure.Azure
    plan: model.Network
    egress: model.EgressMode
    charts: charts.Charts
    machines: tuple[model.Machine, ...]
    tags: Mapping[str, str]
    user_data: Mapping[str, str] = field(default_factory=dict)
    monthly_cost: Mapping[str, Any] = field(default_factory=dict[str, Any])


class AzurePlatform(pulumi.ComponentResource):
    """Network, cluster, key vault, logs and machines of one environment.

    The resource group is protected with what is kept in it: deleting a group deletes everything inside.
    """

    def __init__(self, name: str, args: AzurePlatformArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("slipway:azure:Platform", name, None, opts)
        self._args = args
        self._opts = pulumi.ResourceOptions(parent=self)
        group = resources.ResourceGroup(
            args.name,
            resource_group_name=args.name,
            location=args.settings.region,
            tags=args.tags,
            opts=pulumi.ResourceOptions(parent=self, protect=args.settings.keep_data),
        )
        self._place = place.Place(
            group=group.name,
            subscription=group.id.apply(place.subscription_of),
            region=args.settings.region,
            tags=args.tags,
        )
        self._network = network.Network(
            "network",
            network.NetworkArgs(
                place=self._place,
                plan=args.plan,
                pod_network=args.settings.pod_network,
                egress=args.egress,
                zones=args.settings.zones,
            ),
            opts=self._opts,
        )
        self._databases = [item.name for item in args.machines if azure_plan.keeps_database(args.settings, item)]
        self._workspace = self._create_workspace()
        self._cluster = self._create_cluster()
        self._vault = self._create_vault()
        self._backup = self._create_backup()
        self._archive = self._create_archive()
        self.register_outputs({"group": group.name})

    def _create_workspace(self) -> operationalinsights.Workspace:
        return operationalinsights.Workspace(
            "logs",
            resource_group_name=self._place.group,
            location=self._place.region,
            workspace_name="logs",
            sku=operationalinsights.WorkspaceSkuArgs(name="PerGB2018"),
            retention_in_days=LOG_DAYS,
            tags=self._place.tags,
            opts=self._opts,
        )

    def _create_cluster(self) -> cluster.Cluster:
        return cluster.Cluster(
            "cluster",
            cluster.ClusterArgs(
                place=self._place,
                name=self._args.name,
                settings=self._args.settings,
                plan=self._args.plan,
                subnets={name: subnet.id for name, subnet in self._network.subnets.items()},
                workspace=self._workspace.id,
                # What another stack has in it would be lost with it, and that stack could not even be destroyed.
                protect=self._args.settings.stacks is azure.Stacks.TWO,
            ),
            opts=self._opts,
        )

    def _create_backup(self) -> backup.Backup | None:
        """Return the backups' vault, where there is a database whose data is to be kept."""
        if not self._databases:
            return None
        arguments = backup.BackupArgs(place=self._place, zones=self._args.settings.zones)
        return backup.Backup("backup", arguments, opts=self._opts)

    def _create_archive(self) -> archive.Archive | None:
        """Return the archive of databases' logs, where there is a database whose data is to be kept."""
        if not self._databases:
            return None
        arguments = archive.ArchiveArgs(
            place=self._place,
            name=self._args.settings.archive,
            machines=self._databases,
            zones=self._args.settings.zones,
            address=self._args.plan.archive,
            subnet=self._network.subnets["endpoints"].id,
            network=self._network.virtual_network.id,
            workspace=self._workspace.id,
        )
        return archive.Archive("archive", arguments, opts=self._opts)

    def _create_vault(self) -> vault.Vault:
        return vault.Vault(
            "vault",
            vault.VaultArgs(
                place=self._place,
                name=self._args.settings.vault,
                tenant=self._cluster.tenant,
                machines=[item.name for item in self._args.machines],
                address=self._args.plan.vault,
                subnet=self._network.subnets["endpoints"].id,
                network=self._network.virtual_network.id,
                workspace=self._workspace.id,
                keep=self._args.settings.keep_data,
            ),
            opts=self._opts,
        )

    @property
    def kubeconfig(self) -> pulumi.Input[str]:
        """The cluster's kubeconfig: who uses it logs in as themselves, and it is secret all the same."""
        return self._cluster.kubeconfig

    @property
    def cluster(self) -> pulumi.Input[str]:
        """The cluster's id."""
        return self._cluster.cluster.id

    @property
    def charts(self) -> charts.Charts:
        """Istio's official charts, with what AKS needs."""
        return self._args.charts

    @property
    def parent(self) -> pulumi.Resource:
        """The component itself."""
        return self

    @property
    def outputs(self) -> dict[str, pulumi.Input[object]]:
        """Where things are in Azure, and from which addresses allowed traffic leaves."""
        return {
            "resourceGroup": self._place.group,
            "cluster": self._cluster.cluster.name,
            "vault": self._args.settings.vault,
            "egressAddresses": self._network.address_prefix,
            handover.KUBECONFIG: self._cluster.kubeconfig,
            "monthlyCost": self._args.monthly_cost,
        }

    def hand_over(self, mesh: model.Mesh, bundle: bundles.Bundle) -> dict[str, pulumi.Input[object]]:
        """Create the machines, and what the relay is in Azure; return the outputs, with those for the mesh's stack.

        A machine boots without waiting for its token: it asks for it until the relay has brought it.
        """
        for declared in mesh.machines:
            self.machine(platform.machine_args(mesh, bundle, declared))
        identity = None
        if mesh.machines or mesh.ingress:
            identity = self.trust_relay(certificates=bool(mesh.ingress)).identity
        left = handover.output(
            mesh,
            machines=handover.made_of(bundle, self._args.user_data),
            cluster=self._cluster.cluster.id,
            identity=identity,
        )
        return {**self.outputs, handover.OUTPUT: left}

    def trust_relay(self, *, certificates: bool) -> relay_identity.RelayIdentity:
        """Let the relay in the cluster write the machines' secrets, and read ``certificates`` where there are any."""
        return relay_identity.RelayIdentity(
            "relay-identity",
            relay_identity.RelayIdentityArgs(
                place=self._place,
                issuer=self._cluster.issuer,
                vault=self._vault.vault.id,
                secrets={item.name: self._vault.secrets[item.name].id for item in self._args.machines},
                certificates=certificates,
            ),
            opts=self._opts,
        )

    def deliver(self, args: platform.DeliveryArgs) -> Sequence[pulumi.Resource]:
        """Run the relay in the cluster, where there is anything to deliver."""
        if not args.machines and not args.certificates:
            return ()
        trusted = self.trust_relay(certificates=bool(args.certificates))
        after = [*trusted.ready, self._vault.ready]
        settings = self._args.settings
        return (relay.deliver(args, settings=settings, identity=trusted.identity, after=after, parent=self),)

    def machine(self, args: platform.MachineArgs) -> pulumi.Resource:
        """Create one machine; it is done when it has booted."""
        image = self._args.settings.machines
        if image is None:
            raise ValueError("the loader lets no machine pass without an image")
        made = machine.Machine(
            args.machine.name,
            machine.MachineArgs(
                place=self._place,
                machine=args.machine,
                image=image,
                nsg=args.nsg,
                names=args.names,
                user_data=self._args.user_data[args.machine.name],
                subnet=self._network.subnets["machines"].id,
                network=self._network.virtual_network.id,
                secret=self._vault.secrets[args.machine.name].id,
                keep=self._args.settings.keep_data,
                archive=None if self._archive is None else self._archive.containers.get(args.machine.name),
                after=args.after,
            ),
            opts=self._opts,
        )
        if self._backup is not None and args.machine.database is not None:
            self._backup.protect(args.machine.name, machine_id=made.machine.id)
        return made.booted
