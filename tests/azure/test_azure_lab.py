"""An environment on Azure whose mesh, machines and database really work: the stand-in's machines boot in a lab.

The tests are steps of one story and run in their order: up, requests, a change, nothing to do, destroy.
"""

import gzip
import shlex
import time

import azure_lab
import pytest

from slipway.lab.machines import api

pytestmark = [pytest.mark.lab, pytest.mark.engine, pytest.mark.long]
DATABASE = "db-vm"
SEGMENT_BYTES = 16 * 1024 * 1024
ASK_FOR_SECRETS = """
import json, sys, urllib.error, urllib.request
metadata = "http://169.254.169.254/metadata/identity/oauth2/token"
query = "api-version=2018-02-01&resource=https://vault.azure.net"
request = urllib.request.Request(f"{metadata}?{query}", headers={"Metadata": "true"})
token = json.load(urllib.request.urlopen(request, timeout=5))["access_token"]
for method, name in (("GET", "billing-vm-istio"), ("PUT", "billing-vm-istio"), ("GET", "db-vm-istio")):
    url = f"https://{sys.argv[1]}.vault.azure.net/secrets/{name}?api-version=7.4"
    headers = {"Authorization": f"Bearer {token}"}
    body = b'{"value": "mine"}' if method == "PUT" else None
    request = urllib.request.Request(url, data=body, headers=headers, method=method)
    try:
        print(method, name, urllib.request.urlopen(request, timeout=5).status)
    except urllib.error.HTTPError as error:
        print(method, name, error.code)
"""
# As a backup's snapshot: everything on the disk at one instant, in the middle of whatever happens.
SNAPSHOT = """
set -eu
data=$(runuser -u postgres -- psql -Atc 'show data_directory')
fsfreeze --freeze /var/lib/postgresql
trap 'fsfreeze --unfreeze /var/lib/postgresql' EXIT
cp --archive "$data" /var/tmp/restored
"""
# Another server on what was restored; what came after the snapshot it asks of the archive.
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


@pytest.fixture(scope="module")
def shop(tmp_path_factory):
    """The environment `dev`, up, with the teams' workloads restarted into the mesh."""
    with azure_lab.shop(tmp_path_factory.mktemp("shop"), stack="dev") as found:
        found.run("up", "--yes", "--skip-preview")
        found.join()
        yield found


def sql(shop, text):
    return shop.shell(DATABASE, f"runuser -u postgres -- psql --no-psqlrc -Atqc {shlex.quote(text)}").strip()


def write(shop, what):
    """Write a line into the database, end the segment that it is in, and return the segment's name."""
    sql(shop, f"insert into kept values ('{what}')")  # noqa: S608 - the test's own words
    return sql(shop, "select pg_walfile_name(pg_switch_wal())")


def archived(shop, segment):
    """Return the file of a segment in the archive, which may not be there yet."""
    system = sql(shop, "select system_identifier from pg_control_system()")
    return shop.plane.blobs / shop.mesh.azure.archive / f"{DATABASE}-log" / system / f"{segment}.gz"


def wait(condition, *, seconds=90):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.5)


def test_declared_calls_work_and_no_others(shop):
    """Machines with their sidecars, the database over mutual TLS to its callers only, outside hosts, the ingress."""
    assert shop.verified() == ""


def test_a_machine_reads_its_own_secret_and_nothing_else(shop):
    command = ["setpriv", "--regid", "istio-proxy", "--clear-groups", "python3", "-c", ASK_FOR_SECRETS]
    said = api.execute(shop.instance, "billing-vm", [*command, shop.mesh.azure.vault], timeout_s=20).stdout
    assert said.splitlines() == ["GET billing-vm-istio 200", "PUT billing-vm-istio 403", "GET db-vm-istio 403"]


def test_the_database_lives_on_its_data_disk(shop):
    assert shop.shell(DATABASE, "findmnt --noheadings --output FSTYPE /var/lib/postgresql") == "ext4\n"
    assert "/var/lib/postgresql" in sql(shop, "show data_directory")


def test_the_databases_log_is_archived_by_the_machines_identity_and_not_by_the_database(shop):
    sql(shop, "create table kept (what text)")
    segment = write(shop, "1 before the snapshot")
    wait(archived(shop, segment).exists)
    assert len(gzip.decompress(archived(shop, segment).read_bytes())) == SEGMENT_BYTES
    ask = "curl --silent --max-time 3 -H Metadata:true http://169.254.169.254/metadata/identity/oauth2/token"
    assert shop.shell(DATABASE, f"runuser -u postgres -- {ask} || echo refused") == "refused\n"


def test_while_the_archive_is_away_nothing_of_the_log_is_lost_and_the_database_says_so(shop):
    shop.shell(DATABASE, SNAPSHOT)
    after = write(shop, "2 after the snapshot")
    wait(archived(shop, after).exists)
    shop.plane.tell(storage="away")
    segment = write(shop, "3 while the archive was away")
    wait(lambda: sql(shop, "select last_failed_wal from pg_stat_archiver") == segment)
    data = sql(shop, "show data_directory")
    assert shop.shell(DATABASE, f"ls {data}/pg_wal/{segment} {data}/pg_wal/archive_status/{segment}.ready")
    assert "503 ServerBusy" in shop.shell(DATABASE, "journalctl --priority=err --unit='slipway-archive@*' --no-pager")
    assert not archived(shop, segment).exists()
    shop.plane.tell(storage="back")
    wait(archived(shop, segment).exists)
    wait(lambda: sql(shop, "select last_archived_wal from pg_stat_archiver") >= segment)


def test_a_restored_backup_goes_on_to_the_last_archived_segment(shop):
    assert shop.shell(DATABASE, RESTORE, timeout_s=180).splitlines() == [
        "1 before the snapshot",
        "2 after the snapshot",
        "3 while the archive was away",
    ]


def test_other_user_data_is_applied_in_place(shop):
    team = shop.project.folder / "examples/shop/machines/billing-vm.yaml"
    team.write_text(team.read_text() + "  - [touch, /var/lib/changed]\n")
    booted = shop.shell("billing-vm", "cat /proc/1/stat")
    shop.run("up", "--yes", "--skip-preview")
    assert shop.shell("billing-vm", "ls /var/lib/changed") == "/var/lib/changed\n"
    assert shop.shell("billing-vm", "cat /proc/1/stat").split()[21] == booted.split()[21], "it did not boot anew"


def test_a_second_up_changes_nothing(shop):
    shop.run("up", "--yes", "--skip-preview", "--expect-no-changes")


def test_a_destroy_leaves_only_what_is_protected(shop):
    shop.run("destroy", "--yes", "--skip-preview", "--exclude-protected")
    assert api.names(shop.instance) == ()
    assert shop.kinds() == azure_lab.PROTECTED
    assert shop.is_free_of_istio()
