"""JSON schemas of the declaration's files for editors, derived from the tables of keys."""

import json
from typing import Any

from slipway.mesh import environment_keys, mesh_keys, shape

_DRAFT = "http://json-schema.org/draft-07/schema#"


def mesh_schema() -> dict[str, Any]:
    """Return the schema of ``mesh.yaml``."""
    return _document(mesh_keys.MESH, "Who may call whom. Shared by all environments.")


def environment_schema() -> dict[str, Any]:
    """Return the schema of ``<environment>.yaml``."""
    return _document(environment_keys.ENVIRONMENT, "What differs in one environment.")


def to_json(schema: dict[str, Any]) -> str:
    """Return a schema as text, in the order of the tables."""
    return json.dumps(schema, indent=2, ensure_ascii=False) + "\n"


def _document(record: shape.Record, title: str) -> dict[str, Any]:
    return {"$schema": _DRAFT, "title": title, **_schema(record)}


def _schema(wanted: shape.Shape) -> dict[str, Any]:
    match wanted:
        case shape.ListOf():
            return {"type": "array", "uniqueItems": True, "minItems": wanted.minimum, "items": _schema(wanted.item)}
        case shape.MapOf():
            names, values = _schema(wanted.key), _schema(wanted.value)
            size = {"minProperties": wanted.minimum}
            return {"type": "object", **size, "propertyNames": names, "additionalProperties": values}
        case shape.Either():
            return {"anyOf": [_schema(wanted.short), _schema(wanted.long)]}
        case shape.Record():
            return _record(wanted)
        case _:
            return _scalar(wanted)


def _scalar(wanted: shape.Scalar) -> dict[str, Any]:
    match wanted:
        case shape.Text():
            return {"type": "string", **wanted.schema}
        case shape.Day():
            return {"type": "string", "format": "date"}
        case shape.Whole():
            return {"type": "integer", "minimum": wanted.minimum, "maximum": wanted.maximum}
        case shape.Number():
            return {"type": "number", "minimum": wanted.minimum, "maximum": wanted.maximum}
        case shape.Flag():
            return {"type": "boolean"}
        case shape.Choice():
            return {"enum": list(wanted.values)}


def _record(wanted: shape.Record) -> dict[str, Any]:
    found: dict[str, Any] = {
        "type": "object",
        "additionalProperties": False,
        "properties": {item.key: {"description": item.doc, **_schema(item.shape)} for item in wanted.fields},
    }
    if required := [item.key for item in wanted.fields if item.required]:
        found["required"] = required
    return found
