"""`slipway matrix ENV`: who may call what."""

import csv
import dataclasses
import io
import json
from collections.abc import Iterable
from typing import TYPE_CHECKING

import click

from slipway.cli import reaching, stacks

if TYPE_CHECKING:
    from slipway import reachability


@click.command()
@click.argument("environment")
@reaching.options
@click.option("--format", "shape", type=click.Choice(["text", "json", "csv"]), default="text", show_default=True)
@click.option("--json", "as_json", is_flag=True, help="The same as --format json.")
def matrix(environment: str, *, where: reaching.Where, shape: str, as_json: bool) -> None:
    """Print every call that ENVIRONMENT allows, and every one whose answer is unknown, grouped by who is called.

    \b
    What is not listed is denied. ENVIRONMENT as for can-i. Example: slipway matrix lab --format csv
    """
    from slipway import reachability
    from slipway.cli import worlds

    with stacks.told(as_json=as_json or shape == "json"):
        world = worlds.load(environment, where=where)
    found = reachability.matrix(world)
    rows = list(_rows(found))
    if as_json or shape == "json":
        click.echo(json.dumps(rows, indent=2))
    elif shape == "csv":
        click.echo(_csv(rows), nl=False)
    else:
        click.echo(_text(rows), nl=False)


def _rows(found: "reachability.Matrix") -> Iterable[dict[str, object]]:
    from slipway import reachability

    for row in found.rows:
        shown = tuple(part for part in row.parts if part[1].outcome is not reachability.Outcome.DENIED)
        for sources, item in dataclasses.replace(row, parts=shown).named(found.sources):
            yield {
                "host": row.destination.host,
                "port": row.destination.port,
                "namespace": row.destination.namespace,
                "request": row.kind,
                "sources": list(sources),
                **item.to_plain(),
            }


def _csv(rows: list[dict[str, object]]) -> str:
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(["source", "host", "port", "request", "outcome", "transport", "hop", "object", "rule"])
    for row in rows:
        decided = row["decidedBy"]
        sources = row["sources"]
        if not isinstance(decided, dict) or not isinstance(sources, list):
            continue
        key = decided["object"] or {}
        named = "/".join(str(key[part]) for part in ("kind", "namespace", "name")) if key else ""
        for source in sources:
            values = [row["host"], row["port"], row["request"], row["outcome"], row["transport"]]
            writer.writerow([source, *values, decided["hop"], named, decided["rule"]])
    return stream.getvalue()


def _text(rows: list[dict[str, object]]) -> str:
    lines: list[str] = []
    last: object = None
    for row in rows:
        place = f"{row['host']}:{row['port']}"
        if place != last:
            lines.append(place)
            last = place
        sources = row["sources"]
        names = ", ".join(map(str, sources)) if isinstance(sources, list) else ""
        mark = "?" if row["outcome"] == "unknown" else " "
        request = f"{row['request']}  " if row["request"] else ""
        lines.append(f" {mark} {request}<- {names}  [{row['transport']}]")
        if mark == "?" and isinstance(row["reasons"], list):
            lines.append(f"     {row['reasons'][0]}")
    return "".join(f"{line}\n" for line in lines)
