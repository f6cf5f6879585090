"""A database on a machine: nobody but the sidecar may hand it a connection."""

from collections.abc import Iterator

from slipway.mesh import model
from slipway.rollout import expectations, probes, sources
from slipway.rollout.checks import spoken
from slipway.rollout.checks.check import Check, Group

# Source: PostgreSQL 15, appendix A, class 28: invalid_authorization_specification, also "no pg_hba.conf entry".
_NO_ENTRY = "28000"


def emit_database(mesh: model.Mesh) -> Iterator[Check]:
    """Each declared role, asked for by a local process over the loopback interface: no entry in pg_hba."""
    for service in mesh.services:
        database = spoken.database_of(mesh, service)
        ports = [port for port in service.ports if port.protocol is model.Protocol.POSTGRES]
        for identity in sources.identities(mesh, service):
            if database is None or not identity.machine:
                continue
            source = sources.Source(manner=sources.Manner.LOCAL, identity=identity)
            for port in ports:
                for user in database.users:
                    request = probes.Request(
                        kind=probes.Kind.POSTGRES,
                        target=probes.Address(host="127.0.0.1", port=port.number),
                        user=user,
                        database=database.name,
                        query="select '1'",
                        timeout_ms=spoken.REFUSED_TIMEOUT_MS,
                    )
                    expected = expectations.Expectation(
                        told=f"{_NO_ENTRY}: no entry in pg_hba", codes=(_NO_ENTRY,), patient=False
                    )
                    told = f"PostgreSQL on loopback as {user}"
                    yield Check(group=Group.DATABASE, source=source, told=told, request=request, expected=expected)
