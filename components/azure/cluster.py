"""The AKS cluster: Istio comes from its project and not as Azure's add-on, which knows no machines."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pulumi
from pulumi_azure_native import containerservice, managedidentity

from components.azure import kubeconfig, logs, place
from components.azure.pools import Pools, PoolsArgs, profile
from slipway.mesh import azure, azure_plan, model

IMAGE_CLEANER_HOURS = 48  # Source: AKS baseline, cluster-stamp.bicep, `imageCleaner`
WINDOW_HOURS = 4  # Source: AKS documentation, planned-maintenance: four at least
# Source: AKS baseline, cluster-stamp.bicep: who changed what, who was refused, and why a pool grew.
LOGS = ("kube-audit-admin", "guard", "kube-controller-manager", "cluster-autoscaler")
_DNS_ADDRESS = 10  # Kubernetes' custom: the tenth address of the Services' network


@dataclass(frozen=True, slots=True, kw_only=True)
class ClusterArgs:
    """One cluster.

    ``name`` is its name and DNS prefix, ``settings`` and ``plan`` are the declaration's, ``subnets`` ids of the
    network's subnets by name, of which the cluster's own identity manages those that it needs; ``workspace`` is the
    id of the Log Analytics workspace for its logs; ``protect`` says that it must not be destroyed by mistake;
    ``after`` must exist before it: its subnets' ways out.
    """

    place: place.Place
    name: str
    settings: azure.Azure
    plan: model.Network
    subnets: Mapping[str, pulumi.Input[str]]
    workspace: pulumi.Input[str]
    protect: bool = False
    after: Sequence[pulumi.Resource] = ()


class Cluster(pulumi.ComponentResource):
    """A cluster with pools, logs and a maintenance window.

    ``issuer`` is its OIDC issuer's URL, ``tenant`` the
    Entra tenant's id; ``kubeconfig`` is secret.

    Nobody logs in without Entra, its API is private unless networks are stated, and its identity may change nothing
    but its own subnets.
    """

    cluster: containerservice.ManagedCluster
    kubeconfig: pulumi.Output[str]
    issuer: pulumi.Output[str]
    tenant: pulumi.Output[str]
    pools: Pools

    def __init__(self, name: str, args: ClusterArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("slipway:azure:Cluster", name, None, opts)
        self._args = args
        self._opts = pulumi.ResourceOptions(parent=self)
        identity = managedidentity.UserAssignedIdentity(
            f"{args.name}-identity",
            resource_group_name=args.place.group,
            location=args.place.region,
            resource_name_=f"{args.name}-identity",
            tags=args.place.tags,
            opts=self._opts,
        )
        self.tenant = identity.tenant_id
        self.cluster = self._cluster(identity, after=self._rights(identity))
        self.pools = Pools(
            "pools",
            PoolsArgs(place=args.place, cluster=self.cluster.name, settings=args.settings, subnets=args.subnets),
            opts=self._opts,
        )
        self._maintenance()
        self._logs()
        self._admins()
        given = containerservice.list_managed_cluster_user_credentials_output(
            resource_group_name=args.place.group,
            resource_name=self.cluster.name,
            format="exec",
            opts=pulumi.InvokeOutputOptions(parent=self),
        )
        encoded = given.apply(lambda found: (found.kubeconfigs or [])[0].value)
        self.kubeconfig = pulumi.Output.secret(encoded.apply(kubeconfig.readable))
        self.issuer = self.cluster.oidc_issuer_profile.apply(_issuer_url)
        self.register_outputs({"cluster": self.cluster.id})

    def _rights(self, identity: managedidentity.UserAssignedIdentity) -> list[pulumi.Resource]:
        """Give the cluster's identity its subnets, before the cluster: it is refused otherwise."""
        return [
            place.assign(
                f"{self._args.name}-manages-{name}",
                place=self._args.place,
                role=place.Role.NETWORK_CONTRIBUTOR,
                principal=identity.principal_id,
                kind=place.Principal.IDENTITY,
                scope=subnet,
                opts=self._opts,
            )
            for name, subnet in sorted(self._args.subnets.items())
            if name not in {"machines", "endpoints"}
        ]

    def _cluster(
        self, identity: managedidentity.UserAssignedIdentity, *, after: Sequence[pulumi.Resource]
    ) -> containerservice.ManagedCluster:
        args, settings = self._args, self._args.settings
        return containerservice.ManagedCluster(
            args.name,
            resource_group_name=args.place.group,
            location=args.place.region,
            resource_name_=args.name,
            dns_prefix=args.name,
            node_resource_group=f"{args.name}-nodes",
            kubernetes_version=settings.kubernetes,
            sku=containerservice.ManagedClusterSKUArgs(name="Base", tier="Standard"),
            identity=containerservice.ManagedClusterIdentityArgs(
                type=containerservice.ResourceIdentityType.USER_ASSIGNED, user_assigned_identities=[identity.id]
            ),
            aad_profile=containerservice.ManagedClusterAADProfileArgs(
                managed=True, enable_azure_rbac=True, tenant_id=identity.tenant_id
            ),
            enable_rbac=True,
            disable_local_accounts=True,
            api_server_access_profile=self._api_access(),
            network_profile=_network_profile(settings, args.plan),
            oidc_issuer_profile=containerservice.ManagedClusterOIDCIssuerProfileArgs(enabled=True),
            security_profile=self._security(),
            service_mesh_profile=containerservice.ServiceMeshProfileArgs(mode="Disabled"),
            addon_profiles=self._addons(),
            auto_upgrade_profile=containerservice.ManagedClusterAutoUpgradeProfileArgs(
                upgrade_channel="patch", node_os_upgrade_channel="NodeImage"
            ),
            node_resource_group_profile=containerservice.ManagedClusterNodeResourceGroupProfileArgs(
                restriction_level="ReadOnly"
            ),
            agent_pool_profiles=[profile(settings, args.subnets)],
            tags=args.place.tags,
            # The autoscaler changes the number of nodes.
            opts=pulumi.ResourceOptions(
                parent=self,
                depends_on=[*after, *args.after],
                protect=args.protect,
                ignore_changes=["agentPoolProfiles[*].count"],
            ),
        )

    def _api_access(self) -> containerservice.ManagedClusterAPIServerAccessProfileArgs:
        """Put the API server into a subnet; nodes reach it there, people only where networks are stated.

        Source: AKS documentation, api-server-vnet-integration and api-server-authorized-ip-ranges.
        """
        networks = self._args.settings.api_networks
        private = None if networks else "system"
        return containerservice.ManagedClusterAPIServerAccessProfileArgs(
            enable_vnet_integration=True,
            subnet_id=self._args.subnets["api-server"],
            enable_private_cluster=not networks,
            private_dns_zone=private,
            enable_private_cluster_public_fqdn=False if private else None,
            authorized_ip_ranges=[*networks] or None,
            disable_run_command=True,
        )

    def _security(self) -> containerservice.ManagedClusterSecurityProfileArgs:
        defender = None
        if azure.Option.DEFENDER in self._args.settings.options:
            defender = containerservice.ManagedClusterSecurityProfileDefenderArgs(
                log_analytics_workspace_resource_id=self._args.workspace,
                security_monitoring=containerservice.ManagedClusterSecurityProfileDefenderSecurityMonitoringArgs(
                    enabled=True
                ),
            )
        return containerservice.ManagedClusterSecurityProfileArgs(
            workload_identity=containerservice.ManagedClusterSecurityProfileWorkloadIdentityArgs(enabled=True),
            image_cleaner=containerservice.ManagedClusterSecurityProfileImageCleanerArgs(
                enabled=True, interval_hours=IMAGE_CLEANER_HOURS
            ),
            defender=defender,
        )

    def _addons(self) -> dict[str, containerservice.ManagedClusterAddonProfileArgs]:
        """Return the add-ons that were asked for. Source: AKS documentation, integrations and use-azure-policy."""
        found: dict[str, containerservice.ManagedClusterAddonProfileArgs] = {}
        if azure.Option.POLICY in self._args.settings.options:
            found["azurepolicy"] = containerservice.ManagedClusterAddonProfileArgs(
                enabled=True, config={"version": "v2"}
            )
        if azure.Option.INSIGHTS in self._args.settings.options:
            config = {"logAnalyticsWorkspaceResourceID": self._args.workspace, "useAADAuth": "true"}
            found["omsagent"] = containerservice.ManagedClusterAddonProfileArgs(enabled=True, config=config)
        return found

    def _maintenance(self) -> None:
        """Let patches and node images come in one weekly window. Source: AKS documentation, planned-maintenance."""
        window = self._args.settings.maintenance
        for schedule in ("aksManagedAutoUpgradeSchedule", "aksManagedNodeOSUpgradeSchedule"):
            containerservice.MaintenanceConfiguration(
                schedule,
                resource_group_name=self._args.place.group,
                resource_name_=self.cluster.name,
                config_name=schedule,
                maintenance_window=containerservice.MaintenanceWindowArgs(
                    schedule=containerservice.ScheduleArgs(
                        weekly=containerservice.WeeklyScheduleArgs(day_of_week=window.day.value, interval_weeks=1)
                    ),
                    start_time=f"{window.hour:02}:00",
                    duration_hours=WINDOW_HOURS,
                    utc_offset="+00:00",
                ),
                opts=self._opts,
            )

    def _logs(self) -> None:
        logs.send(
            f"{self._args.name}-logs",
            resource=self.cluster.id,
            workspace=self._args.workspace,
            categories=LOGS,
            opts=self._opts,
        )

    def _admins(self) -> None:
        """Let the stated groups fetch the kubeconfig and act with it; there is no other way in."""
        for group in self._args.settings.admins:
            for role, verb in ((place.Role.CLUSTER_USER, "enters"), (place.Role.CLUSTER_ADMIN, "administers")):
                place.assign(
                    f"{group}-{verb}",
                    place=self._args.place,
                    role=role,
                    principal=group,
                    kind=place.Principal.GROUP,
                    scope=self.cluster.id,
                    opts=self._opts,
                )


def _network_profile(
    settings: azure.Azure, plan: model.Network
) -> containerservice.ContainerServiceNetworkProfileArgs:
    """Return how pods are connected: Cilium enforces NetworkPolicies, the nodes' NAT gateway is the way out.

    Source: AKS documentation, azure-cni-powered-by-cilium and nat-gateway.
    """
    overlay = settings.pod_network is azure.PodNetwork.OVERLAY
    return containerservice.ContainerServiceNetworkProfileArgs(
        network_plugin="azure",
        network_plugin_mode="overlay" if overlay else None,
        network_dataplane="cilium",
        network_policy="cilium",
        pod_cidr=plan.pods if overlay else None,
        service_cidr=plan.services,
        dns_service_ip=azure_plan.address(plan.services, _DNS_ADDRESS),
        load_balancer_sku="standard",
        outbound_type="userAssignedNATGateway",
    )


def _issuer_url(found: containerservice.outputs.ManagedClusterOIDCIssuerProfileResponse | None) -> str:
    return "" if found is None else found.issuer_url
