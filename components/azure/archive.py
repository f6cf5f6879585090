"""The archive of databases' logs: a storage account, and a container per machine that only that machine writes."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pulumi
from pulumi_azure_native import storage

from components.azure import backup, logs, place, private_endpoint
from slipway.mesh import azure_plan

# Nobody changes or deletes a segment before: as long as a backup is kept to which it belongs.
IMMUTABLE_DAYS = backup.RETENTION_DAYS
# Then it is deleted, some days later: the oldest backup needs what was written since it began.
RETENTION_DAYS = IMMUTABLE_DAYS + 5
SOFT_DELETE_DAYS = 14  # of containers and what outlived its immutability; as for backups
LOGS = ("StorageRead", "StorageWrite", "StorageDelete")  # Source: Azure docs, storage/blobs/monitor-blob-storage
_ZONE = "privatelink.blob.core.windows.net"  # Source: Azure documentation, private-link/private-endpoint-dns


@dataclass(frozen=True, slots=True, kw_only=True)
class ArchiveArgs:
    """One storage account, reached at ``address`` in ``subnet`` only.

    ``name`` is unique in all of Azure; ``machines`` are names of those that have a container; ``zones`` says whether
    the region has any: copies are spread over them then; ``network`` is the network that asks; ``workspace`` is
    the id of where it writes who did what.
    """

    place: place.Place
    name: str
    machines: Sequence[str]
    zones: Sequence[str]
    address: str
    subnet: pulumi.Input[str]
    network: pulumi.Input[str]
    workspace: pulumi.Input[str]


class Archive(pulumi.ComponentResource):
    """A storage account behind a private endpoint, without keys: who writes does so by an identity's role.

    ``containers`` are ids by machine. What was written is changed by nobody for thirty days and deleted after
    thirty-five. The policy of a container is not locked: locked, it could never be shortened, and neither account nor
    group could be deleted before its end, so that is a person's decision.
    Source: Azure documentation, storage/blobs/immutable-time-based-retention-policy-overview.
    """

    containers: Mapping[str, pulumi.Output[str]]

    def __init__(self, name: str, args: ArchiveArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("slipway:azure:Archive", name, None, opts)
        self._args = args
        # What is kept here is what is left after a mistake, so all of it is protected.
        self._opts = pulumi.ResourceOptions(parent=self, protect=True)
        self._account = self._create_account()
        self._keep_for_a_while()
        self.containers = {machine: self._container(machine) for machine in args.machines}
        private_endpoint.PrivateEndpoint(
            "archive-endpoint",
            private_endpoint.PrivateEndpointArgs(
                place=args.place,
                service=self._account.id,
                kind="blob",
                member="blob",
                zone=_ZONE,
                address=args.address,
                subnet=args.subnet,
                network=args.network,
            ),
            opts=pulumi.ResourceOptions(parent=self),
        )
        self.register_outputs({"account": self._account.id})

    def _create_account(self) -> storage.StorageAccount:
        args = self._args
        return storage.StorageAccount(
            args.name,
            resource_group_name=args.place.group,
            location=args.place.region,
            account_name=args.name,
            kind=storage.Kind.STORAGE_V2,
            sku=storage.SkuArgs(name="Standard_ZRS" if args.zones else "Standard_LRS"),
            access_tier=storage.AccessTier.COOL,  # written once, read hardly ever, kept longer than its thirty days
            allow_blob_public_access=False,
            allow_cross_tenant_replication=False,
            allow_shared_key_access=False,
            is_local_user_enabled=False,
            default_to_o_auth_authentication=True,
            enable_https_traffic_only=True,
            minimum_tls_version=storage.MinimumTlsVersion.TLS1_2,
            public_network_access=storage.PublicNetworkAccess.DISABLED,
            network_rule_set=storage.NetworkRuleSetArgs(
                default_action=storage.DefaultAction.DENY, bypass=storage.Bypass.NONE
            ),
            tags=args.place.tags,
            opts=self._opts,
        )

    def _keep_for_a_while(self) -> None:
        retained = storage.DeleteRetentionPolicyArgs(enabled=True, days=SOFT_DELETE_DAYS)
        blobs = storage.BlobServiceProperties(
            "archive-blobs",
            resource_group_name=self._args.place.group,
            account_name=self._account.name,
            blob_services_name="default",
            delete_retention_policy=retained,
            container_delete_retention_policy=retained,
            opts=self._opts,
        )
        logs.send(
            "archive-logs",
            resource=blobs.id,
            workspace=self._args.workspace,
            categories=LOGS,
            opts=pulumi.ResourceOptions(parent=self),
        )
        storage.ManagementPolicy(
            "archive-lifecycle",
            resource_group_name=self._args.place.group,
            account_name=self._account.name,
            management_policy_name="default",
            policy=storage.ManagementPolicySchemaArgs(rules=[_delete_old()]),
            opts=self._opts,
        )

    def _container(self, machine: str) -> pulumi.Output[str]:
        container = storage.BlobContainer(
            f"{machine}-log",
            resource_group_name=self._args.place.group,
            account_name=self._account.name,
            container_name=azure_plan.container_name(machine),
            public_access=storage.PublicAccess.NONE,
            opts=self._opts,
        )
        storage.BlobContainerImmutabilityPolicy(
            f"{machine}-log-kept",
            resource_group_name=self._args.place.group,
            account_name=self._account.name,
            container_name=container.name,
            immutability_policy_name="default",
            immutability_period_since_creation_in_days=IMMUTABLE_DAYS,
            opts=self._opts,
        )
        return container.id


def _delete_old() -> storage.ManagementPolicyRuleArgs:
    """Return the rule by which old segments go; it cannot delete what a container's policy still keeps.

    Source: Azure documentation, storage/blobs/lifecycle-management-overview.
    """
    old = storage.DateAfterModificationArgs(days_after_creation_greater_than=RETENTION_DAYS)
    return storage.ManagementPolicyRuleArgs(
        name="delete-old",
        type=storage.RuleType.LIFECYCLE,
        enabled=True,
        definition=storage.ManagementPolicyDefinitionArgs(
            actions=storage.ManagementPolicyActionArgs(base_blob=storage.ManagementPolicyBaseBlobArgs(delete=old)),
            filters=storage.ManagementPolicyFilterArgs(blob_types=["blockBlob"]),
        ),
    )
