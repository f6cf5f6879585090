"""The key vault: one secret per machine, which only that machine reads and only the relay writes."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pulumi
from pulumi_azure_native import keyvault

from components.azure import logs, place, private_endpoint
from slipway.machines import arguments

SOFT_DELETE_DAYS = (
    90  # Source: Azure documentation, key-vault/general/soft-delete-overview: the longest, and Azure's default
)
LOGS = ("AuditEvent",)  # Source: Azure documentation, key-vault/general/logging
_ZONE = "privatelink.vaultcore.azure.net"  # Source: Azure documentation, private-link/private-endpoint-dns
_PLACEHOLDER = "the relay in the cluster has not delivered a token yet"


@dataclass(frozen=True, slots=True, kw_only=True)
class VaultArgs:
    """One key vault, reached at ``address`` in ``subnet`` only.

    ``tenant`` is the Entra tenant whose identities it knows; ``workspace`` is the id of where it writes who asked for
    what; ``machines`` are names; ``keep`` protects it, and makes
    Azure keep what was deleted: a vault without that protection is gone with everything in it.
    """

    place: place.Place
    name: str
    tenant: pulumi.Input[str]
    machines: Sequence[str]
    address: str
    subnet: pulumi.Input[str]
    network: pulumi.Input[str]
    workspace: pulumi.Input[str]
    keep: bool


class Vault(pulumi.ComponentResource):
    """A key vault behind a private endpoint.

    ``secrets`` are the machines' by name; their values are the relay's and never Pulumi's, and they stay as long as
    the vault. No lock: it would keep the vault's role assignments too, so that no machine could be taken away; soft
    delete keeps the vault itself.
    Source: Azure documentation, azure-resource-manager/management/lock-resources, "Considerations".
    """

    vault: keyvault.Vault
    secrets: Mapping[str, keyvault.Secret]
    ready: pulumi.Resource

    def __init__(self, name: str, args: VaultArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("slipway:azure:Vault", name, None, opts)
        self.vault = keyvault.Vault(
            args.name,
            resource_group_name=args.place.group,
            location=args.place.region,
            vault_name=args.name,
            properties=keyvault.VaultPropertiesArgs(
                sku=keyvault.SkuArgs(family="A", name=keyvault.SkuName.STANDARD),
                tenant_id=args.tenant,
                enable_rbac_authorization=True,
                enable_soft_delete=True,
                soft_delete_retention_in_days=SOFT_DELETE_DAYS,
                enable_purge_protection=True if args.keep else None,  # Azure takes no false once it was true
                public_network_access="Disabled",
                network_acls=keyvault.NetworkRuleSetArgs(default_action="Deny", bypass="AzureServices"),
            ),
            tags=args.place.tags,
            opts=pulumi.ResourceOptions(parent=self, protect=args.keep),
        )
        logs.send(
            "vault-logs",
            resource=self.vault.id,
            workspace=args.workspace,
            categories=LOGS,
            opts=pulumi.ResourceOptions(parent=self),
        )
        endpoint = private_endpoint.PrivateEndpoint(
            "vault-endpoint",
            private_endpoint.PrivateEndpointArgs(
                place=args.place,
                service=self.vault.id,
                kind="vault",
                member="default",
                zone=_ZONE,
                address=args.address,
                subnet=args.subnet,
                network=args.network,
            ),
            opts=pulumi.ResourceOptions(parent=self),
        )
        self.ready = endpoint.ready
        self.secrets = {machine: self._secret(arguments.secret_name(machine), args) for machine in args.machines}
        self.register_outputs({"vault": self.vault.id})

    def _secret(self, name: str, args: VaultArgs) -> keyvault.Secret:
        """Create a secret that exists, so that roles can be given on it; its value is written by the relay.

        It is protected with its vault and never deleted by itself: soft delete would hold its name for as long as the
        vault's, so that no machine of that name could come back; and deleting is the only thing that Azure's resource
        manager leaves to the vault, which is reached from the network alone.
        Source: Azure documentation, key-vault/general/soft-delete-overview; pulumi-azure-native, custom_keyvault.go.
        """
        return keyvault.Secret(
            name,
            resource_group_name=args.place.group,
            vault_name=self.vault.name,
            secret_name=name,
            properties=keyvault.SecretPropertiesArgs(
                value=pulumi.Output.secret(_PLACEHOLDER), content_type="application/json"
            ),
            tags=args.place.tags,
            opts=pulumi.ResourceOptions(
                parent=self, protect=args.keep, retain_on_delete=True, ignore_changes=["properties.value"]
            ),
        )
