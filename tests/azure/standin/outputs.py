"""What Azure answers: the inputs that it gives back, and what it adds."""

from typing import Any

from standin import arm, cloud, model, schema
from standin.types import protection


def of(known: cloud.Cloud, kind: model.ResourceType, record: cloud.Record) -> dict[str, Any]:
    """Return the outputs of ``record``, only with properties that the SDK's output types have."""
    resource = schema.resource(kind.token)
    given = _without(record.inputs, kind.hidden)
    merged = {**given, **_common(resource, record)}
    if kind.answer is not None:
        merged |= kind.answer(known, record)
    if "identity" in given:
        merged["identity"] = _identity(known, record)
    return {name: _shaped(field.shape, merged[name]) for name, field in resource.outputs.items() if name in merged}


def _common(resource: schema.Resource, record: cloud.Record) -> dict[str, Any]:
    return {
        "name": arm.name_of(record.id),
        "type": arm.type_of(record.id),
        "azureApiVersion": resource.api_version,
        "provisioningState": record.provisioning_state,
        "etag": f'W/"{arm.guid(record.id, repr(sorted(record.inputs.items())))}"',
    }


def _identity(known: cloud.Cloud, record: cloud.Record) -> dict[str, Any]:
    """Return the identity as Azure shows it: a list of ids becomes a map of what they are."""
    given = record.inputs["identity"]
    shown: dict[str, Any] = {"type": given.get("type")}
    if "SystemAssigned" in str(given.get("type")):
        own = protection.identity(record)
        shown |= {"principalId": own["principalId"], "tenantId": own["tenantId"]}
    users = {found: known.get(found) for found in given.get("userAssignedIdentities", [])}
    if users:
        shown["userAssignedIdentities"] = {
            found: {key: protection.identity(user)[key] for key in ("principalId", "clientId")}
            for found, user in users.items()
            if user is not None
        }
    return shown


def _shaped(shape: schema.Shape, value: Any) -> Any:
    """Return ``value`` without what the output's type does not have."""
    if isinstance(shape, schema.Typed) and isinstance(value, dict):
        known = schema.fields(shape.cls)
        return {name: _shaped(known[name].shape, item) for name, item in value.items() if name in known}
    if isinstance(shape, schema.ListOf) and isinstance(value, list):
        return [_shaped(shape.item, item) for item in value]
    if isinstance(shape, schema.MapOf) and isinstance(value, dict):
        return {name: _shaped(shape.item, item) for name, item in value.items()}
    return value


def _without(inputs: dict[str, Any], hidden: tuple[str, ...], path: str = "") -> dict[str, Any]:
    """Return ``inputs`` without what Azure never gives back."""
    return {
        name: _without(value, hidden, f"{path}{name}.") if isinstance(value, dict) else value
        for name, value in inputs.items()
        if f"{path}{name}" not in hidden
    }
