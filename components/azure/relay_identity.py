"""Who the relay in the cluster is in Azure: an identity that one ServiceAccount of one cluster may use."""

from collections.abc import Mapping
from dataclasses import dataclass

import pulumi
from pulumi_azure_native import managedidentity

from components.azure import place, relay


@dataclass(frozen=True, slots=True, kw_only=True)
class RelayIdentityArgs:
    """What the relay may do: write ``secrets`` (ids by machine), and where ``certificates`` is set, read the vault's.

    ``issuer`` is the cluster's OIDC issuer, ``vault`` the key vault's id.
    """

    place: place.Place
    issuer: pulumi.Input[str]
    vault: pulumi.Input[str]
    secrets: Mapping[str, pulumi.Input[str]]
    certificates: bool


def _former_parent(opts: pulumi.ResourceOptions | None) -> pulumi.Output[str]:
    """Return the URN of the component that the identity was a part of once: a stack of that time keeps it.

    Made anew, it would have another principal, and the machines' tokens would wait for its rights.
    """
    return pulumi.create_urn("relay", "slipway:azure:Relay", parent=None if opts is None else opts.parent)


class RelayIdentity(pulumi.ComponentResource):
    """The relay's identity in Azure with its rights; ``ready`` are the resources without which it can do nothing."""

    identity: relay.Identity
    ready: tuple[pulumi.Resource, ...]

    def __init__(self, name: str, args: RelayIdentityArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("slipway:azure:RelayIdentity", name, None, opts)
        own = pulumi.ResourceOptions(parent=self, aliases=[pulumi.Alias(parent=_former_parent(opts))])
        identity = managedidentity.UserAssignedIdentity(
            f"{relay.NAME}-identity",
            resource_group_name=args.place.group,
            location=args.place.region,
            resource_name_=f"{relay.NAME}-identity",
            tags=args.place.tags,
            opts=own,
        )
        federated = managedidentity.FederatedIdentityCredential(
            f"{relay.NAME}-federation",
            resource_group_name=args.place.group,
            resource_name_=identity.name,
            federated_identity_credential_resource_name=relay.NAME,
            issuer=args.issuer,
            subject=f"system:serviceaccount:{relay.NAMESPACE}:{relay.NAME}",
            audiences=[relay.AUDIENCE],
            opts=own,
        )
        scopes = [
            (f"{relay.NAME}-writes-{machine}", place.Role.SECRETS_OFFICER, secret)
            for machine, secret in args.secrets.items()
        ]
        if args.certificates:
            scopes.append((f"{relay.NAME}-reads-certificates", place.Role.SECRETS_USER, args.vault))
        rights = [
            place.assign(
                assignment,
                place=args.place,
                role=role,
                principal=identity.principal_id,
                kind=place.Principal.IDENTITY,
                scope=scope,
                opts=own,
            )
            for assignment, role, scope in scopes
        ]
        self.identity = relay.Identity(client=identity.client_id, tenant=identity.tenant_id)
        self.ready = (federated, *rights)
        self.register_outputs({"client": identity.client_id})
