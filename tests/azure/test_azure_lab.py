"""An environment on Azure whose mesh, machines and database really work: the stand-in's machines boot in a lab.

The tests are steps of one story and run in their order: up, requests, a change, nothing to do, destroy.
"""

import functools

import archived
import azure_lab
import pytest

from slipway.lab.machines import api
from slipway.mesh import azure_plan

pytestmark = [pytest.mark.lab, pytest.mark.engine, pytest.mark.long]
DATABASE = "db-vm"
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


@pytest.fixture(scope="module")
def shop(tmp_path_factory):
    """The environment `dev`, up, with the teams' workloads restarted into the mesh."""
    with azure_lab.shop(tmp_path_factory.mktemp("shop"), stack="dev") as found:
        found.run("up", "--yes", "--skip-preview")
        found.join()
        yield found


@pytest.fixture(scope="module")
def database(shop):
    """The database machine's, with the folder that is its container."""
    container = shop.plane.blobs / shop.mesh.azure.archive / azure_plan.container_name(DATABASE)
    return archived.Database(functools.partial(shop.shell, DATABASE), container)


def test_declared_calls_work_and_no_others(shop):
    """Machines with their sidecars, the database over mutual TLS to its callers only, outside hosts, the ingress."""
    assert shop.verified() == ""


def test_a_machine_reads_its_own_secret_and_nothing_else(shop):
    command = ["setpriv", "--regid", "istio-proxy", "--clear-groups", "python3", "-c", ASK_FOR_SECRETS]
    said = api.execute(shop.instance, "billing-vm", [*command, shop.mesh.azure.vault], timeout_s=20).stdout
    assert said.splitlines() == ["GET billing-vm-istio 200", "PUT billing-vm-istio 403", "GET db-vm-istio 403"]


def test_the_database_lives_on_its_data_disk(shop, database):
    assert shop.shell(DATABASE, "findmnt --noheadings --output FSTYPE /var/lib/postgresql") == "ext4\n"
    assert "/var/lib/postgresql" in database.sql("show data_directory")


def test_the_databases_log_is_archived_by_the_machines_identity_and_not_by_the_database(database):
    archived.goes_to_the_archive(database)


def test_while_the_archive_is_away_nothing_of_the_log_is_lost_and_the_database_says_so(shop, database):
    archived.outlives_an_outage(database, shop.plane)


def test_a_restored_backup_goes_on_to_the_last_archived_segment(database):
    assert database.restored() == ["1 before the snapshot", "2 after the snapshot", "3 while the archive was away"]


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
