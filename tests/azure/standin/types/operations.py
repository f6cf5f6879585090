"""Logs, alerts, backup, storage, maintenance windows and registries.

Sources: learn.microsoft.com, "Naming rules and restrictions for Azure resources", "Delete a Recovery Services vault";
the REST references of the services.
"""

from typing import Any

from standin import arm, cloud, values
from standin.model import Request, ResourceType

_WORKSPACE = "Microsoft.OperationalInsights/workspaces/{workspaceName}"
_RECOVERY = "Microsoft.RecoveryServices/vaults/{vaultName}"
_PROTECTION = "Microsoft.DataProtection/backupVaults/{vaultName}"
_ACCOUNT = "Microsoft.Storage/storageAccounts/{accountName}"
_BLOBS = _ACCOUNT + "/blobServices/default/containers/{containerName}"
_INSIGHTS = "Microsoft.Insights/"
_SHORT: dict[str, Any] = {
    "name": r"[A-Za-z0-9][A-Za-z0-9-]{1,48}[A-Za-z0-9]",
    "name_says": "3 to 50 letters, digits and `-`, a letter or digit at both ends",
}


def _check_setting(request: Request) -> None:
    """Refuse a setting without a destination, and a second one for the same destination."""
    places = ("workspaceId", "storageAccountId", "eventHubAuthorizationRuleId", "marketplacePartnerId")
    wanted = {key: request.inputs[key] for key in places if key in request.inputs}
    if not wanted:
        raise request.refuse("BadRequest", "a diagnostic setting needs a destination")
    if not request.inputs.get("logs") and not request.inputs.get("metrics"):
        raise request.refuse("BadRequest", "a diagnostic setting needs `logs` or `metrics`")
    for other in request.cloud.below(arm.parent_of(request.id)):
        same = arm.type_of(other.id) == arm.type_of(request.id) and other.key != request.id.lower()
        if same and any(other.inputs.get(key) == value for key, value in wanted.items()):
            raise request.refuse("Conflict", f"{other.id} has the same destination", status=409)


def _check_items(request: Request) -> None:
    """Refuse to delete a vault in which something is protected."""
    held = [item for item in request.cloud.below(request.id) if "/protecteditems/" in item.key]
    held += [item for item in request.cloud.below(request.id) if "/backupinstances/" in item.key]
    if held:
        message = f"Recovery Services vault cannot be deleted as there are existing resources: {held[0].id}"
        raise request.refuse("ServiceResourceNotEmptyWithContainerDetails", message)


def _check_policy_use(request: Request) -> None:
    for item in request.cloud.below(arm.parent_of(request.id)):
        if str(values.one(item.inputs, "properties.policyId", "")).lower() == request.id.lower():
            raise request.refuse("BMSUserErrorPolicyInUse", f"{item.id} is protected by it")


def _check_item(request: Request) -> None:
    """Refuse a policy or a machine that does not exist."""
    for name in ("policyId", "sourceResourceId"):
        found = values.one(request.inputs, f"properties.{name}")
        if found is None or request.cloud.get(found) is None:
            raise request.refuse("BMSUserErrorInvalidInput", f"`properties.{name}` names nothing: {found}")


def _check_account(request: Request) -> None:
    if values.one(request.inputs, "isHnsEnabled") and values.one(request.inputs, "kind") not in {
        "StorageV2",
        "BlockBlobStorage",
    }:
        raise request.refuse("InvalidParameter", "a hierarchical namespace needs kind StorageV2")


_MOST_DAYS = {"immutability": 146_000, "soft delete": 365}


def _check_immutability(request: Request) -> None:
    """Refuse a period that there is none of.

    Source: Azure documentation, storage/blobs/immutable-time-based-retention-policy-overview.
    """
    days, most = request.inputs.get("immutabilityPeriodSinceCreationInDays"), _MOST_DAYS["immutability"]
    if days is None or not 1 <= days <= most:
        message = f"`immutabilityPeriodSinceCreationInDays` is 1 to {most}; found {days}"
        raise request.refuse("InvalidParameter", message)


def _check_blob_service(request: Request) -> None:
    """Refuse a soft delete that there is none of."""
    for name in ("deleteRetentionPolicy", "containerDeleteRetentionPolicy"):
        policy = request.inputs.get(name) or {}
        if policy.get("enabled") and not 1 <= policy.get("days", 0) <= _MOST_DAYS["soft delete"]:
            raise request.refuse("InvalidParameter", f"`{name}.days` is 1 to 365; found {policy.get('days')}")


def _check_lifecycle(request: Request) -> None:
    """Refuse a rule that says nothing about what it is for or what it does.

    Source: Azure documentation, storage/blobs/lifecycle-management-policy-structure.
    """
    rules = values.at(request.inputs, "policy.rules[]")
    if not rules:
        raise request.refuse("InvalidParameter", "`policy.rules` needs a rule")
    for rule in rules:
        if not values.one(rule, "definition.filters.blobTypes"):
            raise request.refuse("InvalidParameter", f"the rule {rule.get('name')} needs `filters.blobTypes`")
        if not values.one(rule, "definition.actions"):
            raise request.refuse("InvalidParameter", f"the rule {rule.get('name')} needs an action")


def _check_container_use(request: Request) -> None:
    """Refuse to delete a container, or an account with one, whose blobs are kept.

    Source: the same: a container with a policy is deleted when it is empty; nobody knows here, so it never is.
    """
    kept = [item for item in request.cloud.below(request.id) if "/immutabilitypolicies/" in item.key]
    if kept:
        raise request.refuse("ContainerImmutableDueToPolicy", f"{kept[0].id} keeps what is in it", status=409)


def _account_answer(known: cloud.Cloud, record: cloud.Record) -> dict[str, Any]:
    name = arm.name_of(record.id)
    kinds = ("blob", "dfs", "file", "queue", "table")
    return {"primaryEndpoints": {kind: f"https://{name}.{kind}.core.windows.net/" for kind in kinds}}


def _workspace_answer(known: cloud.Cloud, record: cloud.Record) -> dict[str, Any]:
    return {"customerId": arm.guid(record.id, str(record.made))}


def _rule_answer(known: cloud.Cloud, record: cloud.Record) -> dict[str, Any]:
    return {"immutableId": f"dcr-{arm.guid(record.id, str(record.made)).replace('-', '')}"}


def _registry_answer(known: cloud.Cloud, record: cloud.Record) -> dict[str, Any]:
    return {"loginServer": f"{arm.name_of(record.id).lower()}.azurecr.io"}


def _plain(token: str, path: str, **more: Any) -> ResourceType:
    return ResourceType(token=f"azure-native:{token}", path=arm.Path(path), **more)


TYPES = (
    _plain(
        "operationalinsights:Workspace",
        _WORKSPACE,
        name=r"[A-Za-z0-9][A-Za-z0-9-]{2,61}[A-Za-z0-9]",
        name_says="4 to 63 letters, digits and `-`, a letter or digit at both ends",
        replaces=("location",),
        answer=_workspace_answer,
    ),
    _plain("operationalinsights:Table", _WORKSPACE + "/tables/{tableName}"),
    _plain(
        "monitor:DiagnosticSetting",
        "{resourceUri}/providers/Microsoft.Insights/diagnosticSettings/{name}",
        rules=(_check_setting,),
    ),
    _plain(
        "monitor:DataCollectionRule",
        _INSIGHTS + "dataCollectionRules/{dataCollectionRuleName}",
        replaces=("location",),
        in_use="DataCollectionRuleInUse",
        answer=_rule_answer,
    ),
    _plain(
        "monitor:DataCollectionRuleAssociation",
        "{resourceUri}/providers/Microsoft.Insights/dataCollectionRuleAssociations/{associationName}",
    ),
    _plain(
        "monitor:DataCollectionEndpoint",
        _INSIGHTS + "dataCollectionEndpoints/{dataCollectionEndpointName}",
        replaces=("location",),
        in_use="DataCollectionEndpointInUse",
    ),
    _plain(
        "monitor:AzureMonitorWorkspace",
        "Microsoft.Monitor/accounts/{azureMonitorWorkspaceName}",
        replaces=("location",),
    ),
    _plain("monitor:ActionGroup", _INSIGHTS + "actionGroups/{actionGroupName}"),
    _plain("monitor:MetricAlert", _INSIGHTS + "metricAlerts/{ruleName}"),
    _plain("monitor:ScheduledQueryRule", _INSIGHTS + "scheduledQueryRules/{ruleName}", replaces=("location",)),
    _plain(
        "recoveryservices:Vault",
        _RECOVERY,
        name=r"[A-Za-z][A-Za-z0-9-]{1,49}",
        name_says="2 to 50 letters, digits and `-`, a letter first",
        replaces=("location",),
        delete_rules=(_check_items,),
    ),
    _plain(
        "recoveryservices:ProtectionPolicy",
        _RECOVERY + "/backupPolicies/{policyName}",
        name=r"[A-Za-z][A-Za-z0-9-]{1,148}[A-Za-z0-9]",
        name_says="3 to 150 letters, digits and `-`, a letter first",
        delete_rules=(_check_policy_use,),
    ),
    _plain(
        "recoveryservices:ProtectedItem",
        _RECOVERY + "/backupFabrics/{fabricName}/protectionContainers/{containerName}"
        "/protectedItems/{protectedItemName}",
        rules=(_check_item,),
    ),
    _plain("dataprotection:BackupVault", _PROTECTION, **_SHORT, replaces=("location",), delete_rules=(_check_items,)),
    _plain("dataprotection:BackupPolicy", _PROTECTION + "/backupPolicies/{backupPolicyName}", fixed=("properties",)),
    _plain("dataprotection:BackupInstance", _PROTECTION + "/backupInstances/{backupInstanceName}"),
    _plain(
        "storage:StorageAccount",
        _ACCOUNT,
        name=r"[a-z0-9]{3,24}",
        name_says="3 to 24 lower-case letters and digits",
        replaces=("isHnsEnabled", "location"),
        unique=True,
        rules=(_check_account,),
        delete_rules=(_check_container_use,),
        answer=_account_answer,
    ),
    _plain(
        "storage:BlobContainer",
        _BLOBS,
        name=r"(?!.*--)[a-z0-9][a-z0-9-]{1,61}[a-z0-9]",
        name_says="3 to 63 lower-case letters, digits and single `-`",
        delete_rules=(_check_container_use,),
    ),
    _plain(
        "storage:BlobContainerImmutabilityPolicy",
        _BLOBS + "/immutabilityPolicies/{immutabilityPolicyName}",
        name="default",
        name_says="`default`",
        rules=(_check_immutability,),
    ),
    _plain(
        "storage:BlobServiceProperties",
        _ACCOUNT + "/blobServices/{blobServicesName}",
        singleton=True,
        name="default",
        name_says="`default`",
        rules=(_check_blob_service,),
    ),
    _plain(
        "storage:ManagementPolicy",
        _ACCOUNT + "/managementPolicies/{managementPolicyName}",
        name="default",
        name_says="`default`",
        rules=(_check_lifecycle,),
    ),
    _plain("maintenance:MaintenanceConfiguration", "Microsoft.Maintenance/maintenanceConfigurations/{resourceName}"),
    _plain(
        "maintenance:ConfigurationAssignment",
        "/resourceGroups/{resourceGroupName}/providers/{providerName}/{resourceType}/{resourceName}"
        "/providers/Microsoft.Maintenance"
        "/configurationAssignments/{configurationAssignmentName}",
    ),
    _plain(
        "containerregistry:Registry",
        "Microsoft.ContainerRegistry/registries/{registryName}",
        name=r"[A-Za-z0-9]{5,50}",
        name_says="5 to 50 letters and digits",
        replaces=("location",),
        unique=True,
        answer=_registry_answer,
    ),
)
