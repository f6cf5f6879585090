"""Digests of a database's rows, so that a run can prove that it has changed none."""

from slipway.mesh import model
from slipway.rollout import findings, ground
from slipway.rollout.checks import check

# One line per table: its name, its rows and a digest of them in a fixed order. Sequences are no rows.
_STATEMENT = """
select table_schema || '.' || table_name,
  md5(query_to_xml(format('select t::text from %I.%I t order by t::text', table_schema, table_name), true, false, '')
    ::text)
from information_schema.tables
where table_type = 'BASE TABLE' and table_schema not in ('pg_catalog', 'information_schema') order by 1
"""


def digests(place: ground.Ground, machine: model.Machine, database: model.Database) -> str:
    """Return the digests of every table; raises GroundError when the database does not answer its own superuser."""
    argv = [
        "psql",
        "--no-psqlrc",
        "--set=ON_ERROR_STOP=1",
        "--tuples-only",
        "--no-align",
        f"--dbname={database.name}",
    ]
    return place.run_on_machine(machine.name, argv, user="postgres", stdin=_STATEMENT.encode())


def compare(machine: model.Machine, before: str, after: str) -> findings.Finding:
    """Tell which tables differ; a database without tables proves nothing."""
    earlier, later = set(before.split()), set(after.split())
    changed = sorted({line.split("|")[0] for line in earlier ^ later})
    difference = f"changed: {', '.join(changed)}" if changed else ""
    return findings.Finding(
        group=check.Group.ROWS,
        subject=f"{machine.name}, every table",
        expected=f"{len(earlier)} tables as before",
        measured=difference or f"{len(later)} tables as before",
        difference=difference or ("" if earlier else "there is no table to compare"),
    )
