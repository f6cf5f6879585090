"""Identities, rights, locks and Key Vault.

Sources: the REST reference of Microsoft.Authorization, Microsoft.ManagedIdentity and Microsoft.KeyVault 2024-11-01;
learn.microsoft.com, "Troubleshoot Azure RBAC", "Lock your resources", "Key Vault soft-delete overview".
"""

import re
from typing import Any

from standin import arm, cloud, values
from standin.model import Request, ResourceType

_VAULT = "Microsoft.KeyVault/vaults/{vaultName}"
_IDENTITY = "Microsoft.ManagedIdentity/userAssignedIdentities/{resourceName}"
_GUID = r"[0-9a-fA-F]{8}-([0-9a-fA-F]{4}-){3}[0-9a-fA-F]{12}"
_RETENTION_DAYS = range(7, 91)
_MOST_CREDENTIALS = 20
_SECRET_NAME: dict[str, Any] = {"name": r"[A-Za-z0-9-]{1,127}", "name_says": "1 to 127 letters, digits and `-`"}


def _identity_answer(known: cloud.Cloud, record: cloud.Record) -> dict[str, Any]:
    return identity(record)


def identity(record: cloud.Record) -> dict[str, str]:
    """Return the ids that Entra gave to an identity; one made again has new ones."""
    made = str(record.made)
    return {
        "principalId": arm.guid(record.id, made, "principal"),
        "clientId": arm.guid(record.id, made, "client"),
        "tenantId": arm.TENANT,
    }


def _check_credential(request: Request) -> None:
    """Refuse a second trust of the same subject, and more than an identity takes."""
    others = [item for item in request.cloud.below(arm.parent_of(request.id)) if item.key != request.id.lower()]
    wanted = (request.inputs.get("issuer"), request.inputs.get("subject"))
    if any((item.inputs.get("issuer"), item.inputs.get("subject")) == wanted for item in others):
        raise request.refuse("Conflict", f"issuer and subject {wanted} are trusted already", status=409)
    if len(others) >= _MOST_CREDENTIALS:
        raise request.refuse("BadRequest", f"an identity takes {_MOST_CREDENTIALS} federated credentials")
    if len(request.inputs.get("audiences", [])) != 1:
        raise request.refuse("BadRequest", "`audiences` takes exactly one")


def _check_assignment(request: Request) -> None:
    """Refuse a role that is no definition, a principal of another type, and a second assignment."""
    role = str(request.inputs.get("roleDefinitionId", ""))
    if not re.search(rf"/providers/Microsoft\.Authorization/roleDefinitions/{_GUID}$", role, re.IGNORECASE):
        raise request.refuse("InvalidRoleDefinitionId", f"{role} is not the id of a role definition")
    principal = str(request.inputs.get("principalId", ""))
    if not re.fullmatch(_GUID, principal):
        raise request.refuse("InvalidPrincipalId", f"the principal id {principal!r} is not a GUID")
    if principal in _principals(request) and request.inputs.get("principalType") != "ServicePrincipal":
        found = request.inputs.get("principalType")
        message = f"the principal {principal} has type ServicePrincipal, which is different from {found}"
        raise request.refuse("UnmatchedPrincipalType", message)
    for other in request.cloud.all("Microsoft.Authorization/roleAssignments"):
        same = all(
            str(other.inputs.get(key, "")).lower() == str(request.inputs.get(key, "")).lower()
            for key in ("scope", "principalId", "roleDefinitionId")
        )
        if same and other.key != request.id.lower():
            raise request.refuse("RoleAssignmentExists", f"{other.id} assigns the same role", status=409)


def _principals(request: Request) -> set[str]:
    """Return the service principals that Entra knows: every identity of the cloud, and the client itself."""
    identities = request.cloud.all("Microsoft.ManagedIdentity/userAssignedIdentities")
    return {arm.CLIENT_PRINCIPAL, *(identity(item)["principalId"] for item in identities)}


def _check_vault(request: Request) -> None:
    """Refuse a mistaken vault, and to take back what cannot be taken back."""
    properties = request.inputs.get("properties", {})
    days = properties.get("softDeleteRetentionInDays")
    if days is not None and days not in _RETENTION_DAYS:
        raise request.refuse("VaultPropertyValueInvalid", f"`softDeleteRetentionInDays` is 7 to 90; found {days}")
    if not re.fullmatch(_GUID, str(properties.get("tenantId", ""))):
        raise request.refuse("InvalidTenantId", f"`tenantId` is no GUID: {properties.get('tenantId')!r}")
    if not properties.get("enableRbacAuthorization") and not properties.get("accessPolicies"):
        raise request.refuse("BadRequest", "`accessPolicies` is missing and `enableRbacAuthorization` is not true")
    if properties.get("enablePurgeProtection") is False:
        raise request.refuse("BadRequest", "`enablePurgeProtection` cannot be set to false")
    if request.old is not None:
        _check_vault_change(request, request.old.inputs["properties"])
    elif request.cloud.kept_name(f"vault/{request.inputs['vaultName']}") is not None:
        _recover(request, properties.get("createMode"))


def _check_vault_change(request: Request, old: dict[str, Any]) -> None:
    new = request.inputs["properties"]
    if old.get("enablePurgeProtection") and not new.get("enablePurgeProtection"):
        raise request.refuse("BadRequest", "`enablePurgeProtection` cannot be removed once it was set")
    if old.get("softDeleteRetentionInDays") != new.get("softDeleteRetentionInDays"):
        raise request.refuse("BadRequest", "`softDeleteRetentionInDays` can only be set when a vault is created")


def _recover(request: Request, mode: str | None) -> None:
    name = f"vault/{request.inputs['vaultName']}"
    if mode != "recover":
        message = f"a vault {request.inputs['vaultName']} exists in deleted state: recover or purge it first"
        raise request.refuse("ConflictError", message, status=409)
    request.cloud.free_name(name)


def _keep_vault(request: Request) -> None:
    request.cloud.keep_name(f"vault/{request.inputs['vaultName']}", request.id)


def _check_secret(request: Request) -> None:
    if request.old is None and request.cloud.kept_name(request.id) is not None:
        message = "it is deleted but recoverable, its name cannot be reused: recover or purge it first"
        raise request.refuse("ObjectIsDeletedButRecoverable", message, status=409)
    if values.one(request.inputs, "properties.value") is None:
        raise request.refuse("BadParameter", "`properties.value` is required")


def _keep_secret(request: Request) -> None:
    request.cloud.keep_name(request.id, request.id)


def _vault_answer(known: cloud.Cloud, record: cloud.Record) -> dict[str, Any]:
    host = f"https://{arm.name_of(record.id).lower()}.vault.azure.net/"
    return {"properties": {**record.inputs["properties"], "vaultUri": host, "provisioningState": "Succeeded"}}


def _secret_answer(known: cloud.Cloud, record: cloud.Record) -> dict[str, Any]:
    vault, name = arm.name_of(arm.parent_of(record.id)).lower(), arm.name_of(record.id)
    uri = f"https://{vault}.vault.azure.net/secrets/{name}"
    version = arm.guid(record.id, str(record.made)).replace("-", "")
    given = {key: value for key, value in record.inputs["properties"].items() if key != "value"}
    return {"properties": {**given, "secretUri": uri, "secretUriWithVersion": f"{uri}/{version}"}}


def _key_answer(known: cloud.Cloud, record: cloud.Record) -> dict[str, Any]:
    uri = f"https://{arm.name_of(arm.parent_of(record.id)).lower()}.vault.azure.net/keys/{arm.name_of(record.id)}"
    version = arm.guid(record.id, str(record.made)).replace("-", "")
    return {"keyUri": uri, "keyUriWithVersion": f"{uri}/{version}"}


TYPES = (
    ResourceType(
        token="azure-native:managedidentity:UserAssignedIdentity",
        path=arm.Path(_IDENTITY),
        name=r"[A-Za-z0-9][\w-]{2,127}",
        name_says="3 to 128 letters, digits, `_` and `-`",
        replaces=("location",),
        answer=_identity_answer,
    ),
    ResourceType(
        token="azure-native:managedidentity:FederatedIdentityCredential",
        path=arm.Path(_IDENTITY + "/federatedIdentityCredentials/{federatedIdentityCredentialResourceName}"),
        name=r"[A-Za-z0-9][\w-]{2,119}",
        name_says="3 to 120 letters, digits, `_` and `-`",
        rules=(_check_credential,),
    ),
    ResourceType(
        token="azure-native:authorization:RoleAssignment",
        path=arm.Path("{scope}/providers/Microsoft.Authorization/roleAssignments/{roleAssignmentName}"),
        name=_GUID,
        name_says="a GUID",
        replaces=("principalId", "scope"),
        fixed=("roleDefinitionId", "principalType"),
        rules=(_check_assignment,),
    ),
    ResourceType(
        token="azure-native:authorization:RoleDefinition",
        path=arm.Path("{scope}/providers/Microsoft.Authorization/roleDefinitions/{roleDefinitionId}"),
        name=_GUID,
        name_says="a GUID",
    ),
    ResourceType(
        token="azure-native:authorization:PolicyAssignment",
        path=arm.Path("{scope}/providers/Microsoft.Authorization/policyAssignments/{policyAssignmentName}"),
        name=r"[^#<>%&:\\?/\s]{1,128}",
        name_says="1 to 128 characters without `#<>%&:\\?/` and spaces",
        replaces=("location",),
    ),
    ResourceType(
        token="azure-native:authorization:ManagementLockByScope",
        path=arm.Path("{scope}/providers/Microsoft.Authorization/locks/{lockName}"),
        name=r"[\w.()-]{1,90}",
        name_says="1 to 90 letters, digits, `_`, `.`, `-` and brackets",
    ),
    ResourceType(
        token="azure-native:keyvault:Vault",
        path=arm.Path(_VAULT),
        name=r"(?!.*--)[A-Za-z][A-Za-z0-9-]{1,22}[A-Za-z0-9]",
        name_says="3 to 24 letters, digits and single `-`, a letter first, a letter or digit last",
        replaces=("location",),
        fixed=("properties.tenantId",),
        unique=True,
        rules=(_check_vault,),
        gone=_keep_vault,
        answer=_vault_answer,
    ),
    ResourceType(
        token="azure-native:keyvault:Secret",
        path=arm.Path(_VAULT + "/secrets/{secretName}"),
        **_SECRET_NAME,
        hidden=("properties.value",),
        rules=(_check_secret,),
        gone=_keep_secret,
        answer=_secret_answer,
    ),
    ResourceType(
        token="azure-native:keyvault:Key",
        path=arm.Path(_VAULT + "/keys/{keyName}"),
        **_SECRET_NAME,
        fixed=("properties",),
        answer=_key_answer,
    ),
)
