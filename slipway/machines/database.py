"""PostgreSQL on a machine: reachable through the sidecar only, with the roles and the database of the declaration.

The sidecar hands inbound connections on from its own loopback address, and the guard lets nobody else send from it.
So a role in the declaration is a name, and who may use it is decided by the caller's mesh identity.
Source: istio 1.29.1, pilot/pkg/networking/util/util.go `InboundPassthroughBindIpv4`.
"""

from slipway.machines import guard
from slipway.mesh import model

# A segment is handed over after this time also when it is not full: what a disaster takes at most.
ARCHIVE_MINUTES = 5
_ARCHIVE = "/usr/bin/python3 -I /usr/local/lib/slipway/archive"


def settings(machine: model.Machine, *, archived: bool) -> str:
    """Return the additions to postgresql.conf; ``archived`` says whether its log goes to an archive.

    The network's address, since inbound connections keep their destination; 127.0.0.1 for tools on the machine
    that ask whether the server is up: pg_hba lets nobody log in there.
    """
    return "\n".join(
        (
            f"listen_addresses = '127.0.0.1,{machine.address}'",
            "hba_file = '/etc/slipway/pg_hba.conf'",
            "ssl = off  # the sidecars encrypt; the image's own certificate is nobody's",
            *(_archiving() if archived else ()),
            "",
        )
    )


def _archiving() -> tuple[str, ...]:
    """Return the settings by which every segment is archived, and found again in a recovery.

    PostgreSQL keeps a segment until its command succeeds. Source: PostgreSQL documentation, "Write Ahead Log".
    """
    return (
        "archive_mode = on",
        f"archive_command = '{_ARCHIVE} put \"%p\" %f'",
        f"archive_timeout = {ARCHIVE_MINUTES}min",
        f"restore_command = '{_ARCHIVE} get %f \"%p\"'  # read in a recovery only",
    )


def access(database: model.Database) -> str:
    """Return pg_hba.conf: local users as themselves, declared roles from the sidecar, nobody else."""
    users = ",".join(_identifier(user) for user in database.users)
    lines = ["local all all peer"]
    if users:
        lines.append(f"host {_identifier(database.name)} {users} {guard.PASSTHROUGH_SOURCE}/32 trust")
    return "\n".join((*lines, ""))


def roles(database: model.Database) -> str:
    """Return SQL for psql that creates what is missing of the roles and the database; it can be run again."""
    name = _identifier(database.name)
    lines = [
        _unless("pg_roles", "rolname", user, f"CREATE ROLE {_identifier(user)} LOGIN") for user in database.users
    ]
    lines += [
        _unless("pg_database", "datname", database.name, f"CREATE DATABASE {name}"),
        f"REVOKE ALL ON DATABASE {name} FROM PUBLIC;",
        *(f"GRANT CONNECT ON DATABASE {name} TO {_identifier(user)};" for user in database.users),
    ]
    return "\n".join((*lines, ""))


def _unless(table: str, column: str, name: str, command: str) -> str:
    """Return a line that makes psql run ``command`` unless ``table`` has a row of that name."""
    condition = f"NOT EXISTS (SELECT FROM {table} WHERE {column} = {_literal(name)})"
    return f"SELECT {_literal(command)} WHERE {condition} \\gexec"


def _identifier(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _literal(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"
