"""The user-data as cloud-init reads it."""

import email
import json
import re
import subprocess
from typing import Any

import pytest
import yaml
from machine_example import ARCHIVE, GUARD, PACKAGE, TEAM, made

from slipway.machines import guard, sidecar, user_data
from slipway.manifests import guard as guards

DATABASE_TEAM = "#cloud-config\nruncmd: [[true]]\n"


def parts(text):
    message = email.message_from_string(text)
    return [part for part in message.walk() if not part.is_multipart()]


def ours(name="billing-vm", **changes: Any):
    text = parts(user_data.user_data(made(name, **changes)))[0].get_payload(decode=True).decode()
    assert text.startswith("#cloud-config\n")
    return yaml.safe_load(text)


def written(name="billing-vm"):
    return {entry["path"]: entry for entry in ours(name)["write_files"]}


def test_both_parts_are_cloud_configs_and_the_teams_is_appended():
    first, second = parts(user_data.user_data(made()))
    assert {first.get_content_type(), second.get_content_type()} == {"text/cloud-config"}
    assert second["Merge-Type"] == "list(append)+dict(no_replace,recurse_list)+str()"
    assert first["Merge-Type"] is None
    assert second.get_payload(decode=True).decode() == TEAM


def test_the_same_arguments_give_the_same_bytes():
    assert user_data.user_data(made()) == user_data.user_data(made())


def test_without_a_team_there_is_one_part():
    assert len(parts(user_data.user_data(made(team="")))) == 1


def test_a_team_that_hands_over_a_script_is_told():
    with pytest.raises(ValueError, match=r"billing-vm begins with '#!/bin/sh', not with '#cloud-config'"):
        user_data.user_data(made(team="#!/bin/sh\ntrue\n"))


def test_more_than_azure_takes_is_refused():
    with pytest.raises(ValueError, match=r"billing-vm has \d+ bytes in base64; allowed are 65535"):
        user_data.user_data(made(team="#cloud-config\n#" + "x" * 60_000))


def test_the_guard_is_loaded_before_anything_is_written():
    known = ours()
    assert list(known) == ["bootcmd", "write_files", "runcmd"]
    script = known["bootcmd"][0]
    found = dict(re.findall(r"cat > (\S+) <<'SLIPWAY_END'\n(.*?\n)SLIPWAY_END\n", script, re.DOTALL))
    assert found["/etc/slipway/guard.nft"] == guard.render(GUARD)
    assert found["/etc/slipway/closed.nft"] == guard.render_closed()
    unit = found["/etc/systemd/system/slipway-guard.service"]
    assert "Before=network-pre.target" in unit
    assert "DefaultDependencies=no" in unit
    assert script.rstrip().endswith("systemctl reload-or-restart slipway-guard.service")


def test_our_commands_come_first_and_a_failing_one_ends_them_all():
    assert ours()["runcmd"] == ["set -e", "/usr/local/lib/slipway/apply"]


@pytest.mark.parametrize("name", ["billing-vm", "db-vm"])
def test_every_shell_script_parses(name):
    scripts = [entry["content"] for entry in written(name).values() if entry["content"].startswith("#!/bin/sh")]
    assert scripts
    for script in [*scripts, ours(name)["bootcmd"][0]]:
        subprocess.run(["sh", "-n"], input=script, text=True, check=True, timeout=10)


def test_units_name_files_that_are_written():
    files = written()
    for path, entry in files.items():
        for program in re.findall(r"(/usr/local/lib/slipway/\S+)", entry["content"]):
            if path.endswith(".service"):
                assert program in files, path


def test_the_sidecar_starts_after_the_token_and_never_without_the_guard():
    drop_in = written()["/etc/systemd/system/istio.service.d/10-slipway.conf"]["content"].splitlines()
    assert {"Wants=slipway-token.service", "After=slipway-token.service", "Requires=slipway-guard.service"} <= {
        *drop_in
    }


def test_postgresql_never_starts_without_the_guard():
    files = written("db-vm")
    drop_in = files["/etc/systemd/system/postgresql@.service.d/10-slipway.conf"]["content"]
    assert "Requires=slipway-guard.service" in drop_in
    assert "/usr/local/lib/slipway/database" in files
    assert "/usr/local/lib/slipway/database" not in written("billing-vm")


def test_it_says_where_the_token_is_and_never_what_it_is():
    settings = json.loads(written()["/etc/slipway/token.json"]["content"])
    assert settings["vault_url"] == "https://vault.lab.internal"
    assert settings["secret"] == "billing-vm-istio"
    assert not re.search(r"eyJ[\w-]{10,}|PRIVATE KEY|[Pp]assword\s*[=:]", user_data.user_data(made()))


def test_it_can_be_read_as_it_is_and_non_ascii_text_survives():
    text = user_data.user_data(made(team="#cloud-config\n# Größe\nbootcmd: ['echo From here']\n"))
    assert "chain outbound {" in text
    assert parts(text)[1].get_payload(decode=True).decode().splitlines()[1] == "# Größe"
    assert "\n>From" not in user_data.user_data(made(team="#cloud-config\nfinal_message: |\nFrom me\n"))


def test_the_package_is_named_with_its_digest():
    assert PACKAGE.sha256 in written()["/etc/slipway/machine.env"]["content"]


def test_a_changed_guard_changes_the_user_data():
    open_guard = user_data.user_data(
        made(
            guard_policy=guards.GuardPolicy(
                **{**{field: getattr(GUARD, field) for field in GUARD.__slots__}, "outbound": guards.Outbound.OPEN}
            )
        )
    )
    assert open_guard != user_data.user_data(made())


class TestSidecar:
    def environment(self, name="billing-vm"):
        lines = sidecar.cluster_environment(made(name)).splitlines()
        return {key: value.strip("'") for key, _, value in (line.partition("=") for line in lines)}

    def test_the_platform_and_ssh_are_not_captured_and_all_else_is(self):
        known = self.environment()
        assert known["ISTIO_SERVICE_EXCLUDE_CIDR"] == "169.254.169.254/32,168.63.129.16/32,10.60.0.4/32"
        assert known["ISTIO_LOCAL_EXCLUDE_PORTS"].split(",")[0] == "22"
        assert known["ISTIO_INBOUND_PORTS"] == known["ISTIO_SERVICE_CIDR"] == "*"
        assert known["ISTIO_META_DNS_CAPTURE"] == "true"

    def test_it_is_the_declared_entry_with_the_declared_labels(self):
        known = self.environment()
        assert known["ISTIO_META_WORKLOAD_ENTRY"] == known["SERVICE_ACCOUNT"] == "billing-vm"
        assert json.loads(known["ISTIO_METAJSON_LABELS"]) == {"app": "billing", "slipway.dev/machine": "billing-vm"}
        assert known["ISTIO_META_CLUSTER_ID"] == "Kubernetes"

    def test_istiod_is_found_by_the_name_of_its_revision(self):
        known = yaml.safe_load(sidecar.mesh_config(made()))["defaultConfig"]
        assert known["discoveryAddress"] == "istiod-1-29-1.istio-system.svc:15012" == self.environment()["CA_ADDR"]
        assert known["proxyMetadata"]["PROXY_CONFIG_XDS_AGENT"] == "true"
        assert sidecar.hosts_line(made()) == "10.60.1.101 istiod-1-29-1.istio-system.svc"


class TestDatabase:
    def test_only_declared_roles_come_in_and_only_from_the_sidecar(self):
        access = written("db-vm")["/etc/slipway/pg_hba.source"]["content"].splitlines()
        assert access == ["local all all peer", 'host "shop" "billing","orders" 127.0.0.6/32 trust']

    def test_it_listens_on_the_machines_own_address(self):
        settings = written("db-vm")["/etc/slipway/postgresql.conf"]["content"]
        assert "listen_addresses = '127.0.0.1,10.60.2.12'" in settings

    def test_its_log_is_archived_where_there_is_an_archive(self):
        without = written("db-vm")
        assert "archive" not in without["/etc/slipway/postgresql.conf"]["content"]
        assert not [path for path in without if path.endswith(("archive", "archive.json", "archive.socket"))]
        found = {entry["path"]: entry["content"] for entry in ours("db-vm", archive=ARCHIVE)["write_files"]}
        assert (
            "archive_command = '/usr/bin/python3 -I /usr/local/lib/slipway/archive put \"%p\" %f'"
            in found["/etc/slipway/postgresql.conf"]
        )
        assert json.loads(found["/etc/slipway/archive.json"])["url"].endswith("/db-vm-log")
        assert "SocketUser=postgres" in found["/etc/systemd/system/slipway-archive.socket"]

    def test_roles_can_be_made_again(self):
        text = written("db-vm")["/etc/slipway/roles.sql"]["content"]
        for line in text.splitlines():
            assert line.startswith(("REVOKE", "GRANT")) or ("NOT EXISTS" in line and line.endswith("\\gexec"))
