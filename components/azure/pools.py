"""Node pools: one for Kubernetes' own pods, one for workloads, one for gateways only."""

from collections.abc import Mapping
from dataclasses import dataclass

import pulumi
from pulumi_azure_native import containerservice

from components.azure.place import Place
from slipway.mesh import azure, azure_checks, azure_plan

OS_DISK_GIB = 64  # fits the local disk of the sizes that have one
SURGE = "33%"  # Source: AKS baseline, cluster-stamp.bicep, `maxSurge`
# Source: AKS documentation, use-system-pools: keeps workloads off the system pool.
_SYSTEM_ONLY = "CriticalAddonsOnly=true:NoSchedule"
GATEWAYS_ONLY = f"{azure_plan.POOL_LABEL}={azure_plan.GATEWAYS}:NoSchedule"


@dataclass(frozen=True, slots=True, kw_only=True)
class PoolsArgs:
    """The pools beside the system's: ``cluster`` is the cluster's name, ``subnets`` are ids by name."""

    place: Place
    cluster: pulumi.Input[str]
    settings: azure.Azure
    subnets: Mapping[str, pulumi.Input[str]]


class Pools(pulumi.ComponentResource):
    """The pools of workloads and of gateways.

    Only gateways run on the gateways' pool: its pods' subnet has the way out. Changing a pool's size replaces it.
    """

    def __init__(self, name: str, args: PoolsArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("slipway:azure:Pools", name, None, opts)
        for pool, spec in args.settings.pools.all():
            if pool != azure_plan.SYSTEM:
                self._pool(pool, spec, args)
        self.register_outputs({})

    def _pool(self, name: str, spec: azure.Pool, args: PoolsArgs) -> None:
        containerservice.AgentPool(
            name,
            resource_group_name=args.place.group,
            resource_name_=args.cluster,
            agent_pool_name=name,
            mode="User",
            type="VirtualMachineScaleSets",
            vm_size=spec.size,
            count=spec.minimum,
            min_count=spec.minimum,
            max_count=spec.maximum,
            enable_auto_scaling=True,
            max_pods=azure_checks.MAX_PODS,
            availability_zones=[*args.settings.zones] or None,
            os_type="Linux",
            os_sku="AzureLinux",
            os_disk_type="Ephemeral",
            os_disk_size_gb=OS_DISK_GIB,
            vnet_subnet_id=args.subnets["nodes"],
            pod_subnet_id=args.subnets.get(f"pods-{name}"),
            node_labels={azure_plan.POOL_LABEL: name},
            node_taints=[GATEWAYS_ONLY] if name == azure_plan.GATEWAYS else None,
            security_profile=containerservice.AgentPoolSecurityProfileArgs(
                enable_secure_boot=True, enable_vtpm=True, ssh_access="Disabled"
            ),
            upgrade_settings=containerservice.AgentPoolUpgradeSettingsArgs(max_surge=SURGE),
            tags=args.place.tags,
            opts=pulumi.ResourceOptions(parent=self, ignore_changes=["count"]),
        )


def profile(
    settings: azure.Azure, subnets: Mapping[str, pulumi.Input[str]]
) -> containerservice.ManagedClusterAgentPoolProfileArgs:
    """Return the system pool as the cluster takes it. The other pools are resources of their own.

    Source: pulumi-azure-native issues 579 and 2719: pools that are part of the cluster cannot be added later.
    """
    spec = settings.pools.system
    return containerservice.ManagedClusterAgentPoolProfileArgs(
        name=azure_plan.SYSTEM,
        mode="System",
        type="VirtualMachineScaleSets",
        vm_size=spec.size,
        count=spec.minimum,
        min_count=spec.minimum,
        max_count=spec.maximum,
        enable_auto_scaling=True,
        max_pods=azure_checks.MAX_PODS,
        availability_zones=[*settings.zones] or None,
        os_type="Linux",
        os_sku="AzureLinux",
        os_disk_type="Ephemeral",
        os_disk_size_gb=OS_DISK_GIB,
        vnet_subnet_id=subnets["nodes"],
        pod_subnet_id=subnets.get(f"pods-{azure_plan.SYSTEM}"),
        node_labels={azure_plan.POOL_LABEL: azure_plan.SYSTEM},
        node_taints=[_SYSTEM_ONLY],
        security_profile=containerservice.AgentPoolSecurityProfileArgs(
            enable_secure_boot=True, enable_vtpm=True, ssh_access="Disabled"
        ),
        upgrade_settings=containerservice.AgentPoolUpgradeSettingsArgs(max_surge=SURGE),
    )
