"""Backups of database machines: a vault, one policy, and a protected item per machine."""

from collections.abc import Sequence
from dataclasses import dataclass

import pulumi
from pulumi_azure_native import recoveryservices

from components.azure.place import Place

# Source: Azure documentation, backup/backup-azure-vms-enhanced-policy: every four hours is the closest that it takes.
INTERVAL_HOURS = 4
WINDOW_HOURS = 24
WINDOW_START = "2026-01-01T00:00:00Z"  # a day is needed in form only
SNAPSHOT_DAYS = 7  # kept beside the machine, for a restore of minutes. Source: same, 1 to 30
RETENTION_DAYS = 30
SOFT_DELETE_DAYS = 14  # Source: Azure documentation, backup/secure-by-default: the shortest
_TYPE = "AzureIaasVM"
_KIND = "iaasvmcontainerv2"


@dataclass(frozen=True, slots=True, kw_only=True)
class BackupArgs:
    """The vault of one environment; it is protected, since what it holds is what is left after a mistake.

    ``zones`` says whether the region has any: copies are spread over them then.
    """

    place: Place
    zones: Sequence[str]


class Backup(pulumi.ComponentResource):
    """A vault and the policy: a point every four hours, kept for thirty days.

    Points are snapshots of the running machine with its file systems flushed; PostgreSQL recovers from one as after a
    power failure. What was written after the last point comes from the archive of its log.
    Source: Azure documentation, backup/backup-azure-vms-introduction, "Snapshot consistency".
    """

    vault: recoveryservices.Vault
    policy: recoveryservices.ProtectionPolicy

    def __init__(self, name: str, args: BackupArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("slipway:azure:Backup", name, None, opts)
        self._place = args.place
        self.vault = recoveryservices.Vault(
            "backups",
            resource_group_name=args.place.group,
            location=args.place.region,
            vault_name="backups",
            sku=recoveryservices.SkuArgs(name="RS0", tier="Standard"),
            identity=recoveryservices.IdentityDataArgs(type="SystemAssigned"),
            properties=recoveryservices.VaultPropertiesArgs(
                public_network_access="Disabled",
                redundancy_settings=recoveryservices.VaultPropertiesRedundancySettingsArgs(
                    standard_tier_storage_redundancy="ZoneRedundant" if args.zones else "LocallyRedundant"
                ),
                security_settings=recoveryservices.SecuritySettingsArgs(
                    immutability_settings=recoveryservices.ImmutabilitySettingsArgs(state="Unlocked"),
                    soft_delete_settings=recoveryservices.SoftDeleteSettingsArgs(
                        soft_delete_state="Enabled", soft_delete_retention_period_in_days=SOFT_DELETE_DAYS
                    ),
                ),
            ),
            tags=args.place.tags,
            opts=pulumi.ResourceOptions(parent=self, protect=True),
        )
        self.policy = recoveryservices.ProtectionPolicy(
            "databases",
            resource_group_name=args.place.group,
            vault_name=self.vault.name,
            policy_name="databases",
            properties=_policy(),
            opts=pulumi.ResourceOptions(parent=self, protect=True),
        )
        self.register_outputs({"vault": self.vault.id})

    def protect(self, machine: str, *, machine_id: pulumi.Output[str]) -> None:
        """Back up one machine with its disks.

        Source: Azure REST reference, backup/protected-items: the names are made of group and machine.
        """
        suffix = pulumi.Output.concat(_KIND, ";", self._place.group, ";", machine)
        recoveryservices.ProtectedItem(
            f"{machine}-backup",
            resource_group_name=self._place.group,
            vault_name=self.vault.name,
            fabric_name="Azure",
            container_name=pulumi.Output.concat("IaasVMContainer;", suffix),
            protected_item_name=pulumi.Output.concat("VM;", suffix),
            properties=recoveryservices.AzureIaaSComputeVMProtectedItemArgs(
                protected_item_type="Microsoft.Compute/virtualMachines",
                policy_id=self.policy.id,
                source_resource_id=_awaited(machine_id),
            ),
            opts=pulumi.ResourceOptions(parent=self, protect=True),
        )


def _awaited(value: pulumi.Output[str]) -> pulumi.Output[str | None]:
    """Return ``value`` without what it depends on: it is waited for, and the state says nothing of it.

    A partial destroy keeps all that something protected depends on. Recovery points outlive their machine, so they
    must not keep it, and with it the cluster and everything else that it booted after.
    Source: pulumi 3.258, pkg/cmd/pulumi/operations/destroy.go, `separateProtected`.
    """
    return pulumi.Output(set(), value.future(with_unknowns=True), value.is_known(), value.is_secret())


def _policy() -> recoveryservices.AzureIaaSVMProtectionPolicyArgs:
    """Return the enhanced policy, which takes several points a day.

    Classes and not maps: the SDK sends maps in unions as they are written. Source: pulumi-azure-native 3.29.0.
    """
    return recoveryservices.AzureIaaSVMProtectionPolicyArgs(
        backup_management_type=_TYPE,
        policy_type="V2",
        time_zone="UTC",
        instant_rp_retention_range_in_days=SNAPSHOT_DAYS,
        schedule_policy=recoveryservices.SimpleSchedulePolicyV2Args(
            schedule_policy_type="SimpleSchedulePolicyV2",
            schedule_run_frequency="Hourly",
            hourly_schedule=recoveryservices.HourlyScheduleArgs(
                interval=INTERVAL_HOURS,
                schedule_window_duration=WINDOW_HOURS,
                schedule_window_start_time=WINDOW_START,
            ),
        ),
        retention_policy=recoveryservices.LongTermRetentionPolicyArgs(
            retention_policy_type="LongTermRetentionPolicy",
            daily_schedule=recoveryservices.DailyRetentionScheduleArgs(
                retention_times=[WINDOW_START],
                retention_duration=recoveryservices.RetentionDurationArgs(count=RETENTION_DAYS, duration_type="Days"),
            ),
        ),
    )
