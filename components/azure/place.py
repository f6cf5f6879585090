"""Where an environment's resources stand in Azure, and who may do what with them."""

import enum
from collections.abc import Mapping
from dataclasses import dataclass

import pulumi
from pulumi_azure_native import authorization

_ROLE = "/subscriptions/{subscription}/providers/Microsoft.Authorization/roleDefinitions/{role}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """The resource group that everything is created in.

    ``group`` is its name and ``subscription`` the id of its subscription, known when it exists; ``region`` is the
    short name; ``tags`` go onto every resource that takes them, so that a bill or a forgotten disk leads back here.
    """

    group: pulumi.Output[str]
    subscription: pulumi.Output[str]
    region: str
    tags: Mapping[str, str]


class Role(enum.Enum):
    """Built-in roles by their ids. Source: Azure documentation, role-based-access-control/built-in-roles."""

    NETWORK_CONTRIBUTOR = "4d97b98b-1d4f-4787-a291-c67834d212e7"
    SECRETS_USER = "4633458b-17de-408a-b874-0445c86b69e6"
    SECRETS_OFFICER = "b86a8fe4-44ce-4948-aee5-eccb2c155cd7"
    BLOB_CONTRIBUTOR = "ba92f5b4-2d11-453d-a403-e96b0029c9fe"
    CLUSTER_USER = "4abbcc35-e782-43d8-92c5-2d3f1bd2253f"
    CLUSTER_ADMIN = "b1ff04bb-8a4e-4dc4-8eb5-8693973ce19b"


class Principal(enum.Enum):
    """Kinds of those who get a role; stated, since a new identity is not found by its id for minutes otherwise."""

    IDENTITY = "ServicePrincipal"
    GROUP = "Group"


def subscription_of(resource_id: str) -> str:
    """Return the subscription in an Azure resource's id, ``/subscriptions/ID/...``."""
    return resource_id.split("/")[2]


def assign(
    name: str,
    *,
    place: Place,
    role: Role,
    principal: pulumi.Input[str],
    kind: Principal,
    scope: pulumi.Input[str],
    opts: pulumi.ResourceOptions,
) -> authorization.RoleAssignment:
    """Give ``principal`` a role on ``scope`` and below."""
    return authorization.RoleAssignment(
        name,
        principal_id=principal,
        principal_type=kind.value,
        role_definition_id=place.subscription.apply(lambda known: _ROLE.format(subscription=known, role=role.value)),
        scope=scope,
        opts=opts,
    )
