"""PostgreSQL on a lab's machine whose log goes to an archive: what tests write there, look for and restore."""

import gzip
import shlex
import time
from collections.abc import Callable
from pathlib import Path

import azure_lab

SEGMENT_BYTES = 16 * 1024 * 1024
WRITTEN = ("1 before the snapshot", "2 after the snapshot", "3 while the archive was away")
# As a backup's snapshot: everything on the disk at one instant, in the middle of whatever happens.
SNAPSHOT = """
set -eu
data=$(runuser -u postgres -- psql -Atc 'show data_directory')
fsfreeze --freeze /var/lib/postgresql
trap 'fsfreeze --unfreeze /var/lib/postgresql' EXIT
cp --archive "$data" /var/tmp/restored
"""
# Another server on what was restored; what came after the backup it asks of the archive.
RESTORE = """
set -eu
cd /var/tmp
rm -f restored/postmaster.pid
install -o postgres -g postgres /dev/null restored/recovery.signal
version=$(cat restored/PG_VERSION)
options="-c config_file=/etc/postgresql/$version/main/postgresql.conf -c data_directory=/var/tmp/restored"
options="$options -c external_pid_file= -c listen_addresses= -c port=5499 -c unix_socket_directories=/var/tmp"
runuser -u postgres -- "/usr/lib/postgresql/$version/bin/pg_ctl" --pgdata=restored --log=/var/tmp/restored.log \\
    --options="$options -c archive_mode=off" --wait --timeout=100 start > /dev/null || { cat restored.log; exit 1; }
for step in $(seq 300); do
    [ "$(runuser -u postgres -- psql -h /var/tmp -p 5499 -Atc 'select pg_is_in_recovery()')" = f ] && break
    sleep 0.2
done
runuser -u postgres -- psql -h /var/tmp -p 5499 -Atc 'select what from kept order by 1'
runuser -u postgres -- "/usr/lib/postgresql/$version/bin/pg_ctl" --pgdata=restored --mode=immediate stop > /dev/null
"""
ASK_FOR_TOKEN = """
runuser -u postgres -- curl --silent --max-time 3 -H Metadata:true \
    http://169.254.169.254/metadata/identity/oauth2/token || echo refused
"""


class Database:
    """The database of the machine on which ``shell`` runs scripts as root; ``container`` is its folder of blobs."""

    def __init__(self, shell: Callable[..., str], container: Path) -> None:
        self.shell = shell
        self._container = container

    def sql(self, text: str) -> str:
        """Return what PostgreSQL answers to one command."""
        return self.shell(f"runuser -u postgres -- psql --no-psqlrc -Atqc {shlex.quote(text)}").strip()

    def write(self, what: str) -> str:
        """Write a line, end the segment that it is in, and return the segment's name."""
        self.sql(f"insert into kept values ('{what}')")  # noqa: S608 - the test's own words
        return self.sql("select pg_walfile_name(pg_switch_wal())")

    def archived(self, segment: str) -> Path:
        """Return the file of a segment in the archive, which may not be there yet."""
        system = self.sql("select system_identifier from pg_control_system()")
        return self._container / system / f"{segment}.gz"

    def is_kept(self, segment: str) -> bool:
        """Whether PostgreSQL has the segment still, to be archived."""
        data = self.sql("show data_directory")
        return bool(self.shell(f"ls {data}/pg_wal/{segment} {data}/pg_wal/archive_status/{segment}.ready"))

    def errors(self) -> str:
        """Return what the service has told the journal as errors."""
        return self.shell("journalctl --priority=err --unit='slipway-archive@*' --no-pager")

    def restored(self) -> list[str]:
        """Return the lines that a server finds on the copy of the data in /var/tmp/restored, with the archive."""
        return self.shell(RESTORE, timeout_s=180).splitlines()


def goes_to_the_archive(database: Database) -> None:
    """Write a line, whose segment comes whole; the database itself gets no token for that."""
    database.sql("create table kept (what text)")
    segment = database.write(WRITTEN[0])
    wait(database.archived(segment).exists)
    assert len(gzip.decompress(database.archived(segment).read_bytes())) == SEGMENT_BYTES
    assert database.shell(ASK_FOR_TOKEN) == "refused\n"


def outlives_an_outage(database: Database, plane: azure_lab.DataPlane) -> None:
    """Take a snapshot and write on while the archive is away: nothing is lost, and PostgreSQL says why it waits."""
    database.shell(SNAPSHOT)
    after = database.write(WRITTEN[1])
    wait(database.archived(after).exists)
    plane.tell(storage="away")
    segment = database.write(WRITTEN[2])
    wait(lambda: database.sql("select last_failed_wal from pg_stat_archiver") == segment)
    assert database.is_kept(segment)
    assert "503 ServerBusy" in database.errors()
    assert not database.archived(segment).exists()
    plane.tell(storage="back")
    wait(database.archived(segment).exists)


def wait(condition: Callable[[], object], *, seconds: float = 90) -> None:
    """Wait until ``condition()`` is true."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.5)
