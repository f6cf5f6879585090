"""The reference page of the declaration's keys, derived from the same tables as reading and the schemas."""

from slipway.mesh import environment_keys, mesh_keys, shape

_HEAD = """# Keys of the declaration

Generated from `slipway/mesh/mesh_keys.py` and `environment_keys.py`. Editors that speak the YAML language server show
the same from `stacks/schema/`. A key that is not listed here is refused.
"""


def markdown() -> str:
    """Return the page: a table per map with fixed keys, in the order of the files."""
    files = (("`mesh.yaml` or `mesh/*.yaml`", mesh_keys.MESH), ("`<environment>.yaml`", environment_keys.ENVIRONMENT))
    return _HEAD + "".join(f"\n## {title}\n{_tables(record, '')}" for title, record in files)


def _tables(record: shape.Record, path: str) -> str:
    title = f"\n### `{path}`: {record.noun}\n" if path else ""
    rows = "".join(_row(item) for item in record.fields)
    below = "".join(_below(item.shape, f"{path}.{item.key}" if path else item.key) for item in record.fields)
    return f"{title}\n| key | value | |\n|---|---|---|\n{rows}{below}"


def _row(item: shape.Field) -> str:
    needed = "**required**; " if item.required else ""
    return f"| `{item.key}` | {_value(item.shape)} | {needed}{item.doc.replace('|', chr(92) + '|')} |\n"


def _value(wanted: shape.Shape) -> str:
    match wanted:
        case shape.Choice():
            return ", ".join(f"`{value}`" for value in wanted.values)
        case shape.Whole() | shape.Number():
            return f"{wanted.noun}, {wanted.minimum:g} to {wanted.maximum:g}"
        case shape.Flag():
            return "`true` or `false`"
        case shape.MapOf():
            return f"{wanted.noun}: {_value(wanted.value)} by {wanted.key.noun}"
        case shape.Either():
            return f"{_value(wanted.short)}, or {wanted.long.noun}"
        case _:
            return wanted.noun


def _below(wanted: shape.Shape, path: str) -> str:
    match wanted:
        case shape.Record():
            return _tables(wanted, path)
        case shape.Either():
            return _tables(wanted.long, path)
        case shape.MapOf():
            return _below(wanted.value, f"{path}.<name>")
        case shape.ListOf():
            return _below(wanted.item, f"{path}[]")
        case _:
            return ""
