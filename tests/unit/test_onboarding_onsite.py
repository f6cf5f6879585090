"""The program for machines that others booted, piece by piece; tests/lab runs it on one."""

import base64
import errno
import io
import json
import os
import socket
import struct
import subprocess
import sys
import zipfile

import pytest
from onboarding_example import kit

from slipway.machines import onboarding
from slipway.machines.onsite import connections, hba, saved

LISTENING = (
    "   0: 00000000:1538 00000000:0000 0A 00000000:00000000 00:00000000 00000000   104        0 2223 1 0 100 0 0 10 0"
)
OPEN = "   1: 0C023C0A:1538 63023C0A:9C40 01 00000000:00000000 00:00000000 00000000   104        0 2224 1 0 20 4"
MAPPED = (
    "   0: 0000000000000000FFFF00000C023C0A:0016 0000000000000000FFFF000063023C0A:9C41 01 00000000:00000000"
    " 00:00000000 00000000     0        0 2225 1 0 20 4 30 10 -1"
)
HBA = """\
local   all  postgres                 peer
host    all  all  127.0.0.1/32        scram-sha-256
host    shop orders,billing 10.60.0.0/16 scram-sha-256  # the shop
hostssl all  all  10.61.0.0 255.255.0.0 cert clientcert=verify-full
host    "my db" all 10.62.0.0/16 md5
host    all  all  ::1/128 md5
host    all  all  all reject
"""


class TestConnections:
    def test_lines_of_the_kernel_are_read_as_addresses(self):
        found = [connections.read_line("tcp", line) for line in (LISTENING, OPEN, MAPPED)]
        assert [item.port for item in connections.listening(found)] == [5432]
        assert [
            (item.local, item.port, item.remote, item.remote_port) for item in connections.established(found)
        ] == [
            ("10.60.2.12", 5432, "10.60.2.99", 40000),
            ("10.60.2.12", 22, "10.60.2.99", 40001),
        ]

    def test_loopback_is_nobody_elses(self):
        line = OPEN.replace("63023C0A", "0100007F")
        assert connections.established([connections.read_line("tcp", line)]) == []

    def test_the_request_holds_both_directions_and_an_assured_established_state(self):
        text = connections.message(7, ("10.60.2.99", 40000), ("10.60.2.12", 5432))
        length, kind, flags, number, _ = struct.unpack_from("=IHHII", text)
        assert (length, kind, flags, number) == (len(text), 0x100, 0x405, 7)
        client, server = socket.inet_aton("10.60.2.99"), socket.inet_aton("10.60.2.12")
        assert text.index(client) < text.index(server)
        assert text.count(client) == text.count(server) == 2
        assert struct.pack("!I", 0b1110) in text
        assert text.count(struct.pack("!H", 40000)) == text.count(struct.pack("!H", 5432)) == 2

    def test_a_refusal_of_the_kernel_is_an_error(self):
        item = connections.read_line("tcp", OPEN)
        answer = struct.pack("=IHHIIi", 36, 2, 0, 1, 0, -errno.EINVAL) + bytes(16)
        with pytest.raises(OSError, match=r"refuses 10\.60\.2\.99:40000"):
            connections._acknowledged(answer, item)
        connections._acknowledged(struct.pack("=IHHIIi", 36, 2, 0, 1, 0, 0) + bytes(16), item)


class TestAccess:
    def test_each_line_of_a_network_is_repeated_behind_itself(self):
        added = [line for line in hba.extended(HBA).splitlines() if hba.MARK in line]
        assert added == [
            f"host shop orders,billing 127.0.0.6/32 scram-sha-256 {hba.MARK}",
            f"hostssl all all 127.0.0.6/32 cert clientcert=verify-full {hba.MARK}",
            f'host "my db" all 127.0.0.6/32 md5 {hba.MARK}',
        ]
        lines = hba.extended(HBA).splitlines()
        assert lines[lines.index(added[0]) - 1].startswith("host    shop")
        assert lines[-1] == "host    all  all  all reject"

    def test_it_can_be_repeated_and_taken_back(self):
        once = hba.extended(HBA)
        assert hba.extended(once) == once
        assert hba.without(once) == HBA

    def test_refusals_by_address_are_found(self):
        line = "host all all 10.9.0.0/16 reject"
        assert hba.refusals(HBA + line + "\n") == [line]
        assert hba.refusals(HBA) == []
        assert hba.MARK not in hba.extended(line + "\n")

    def test_everybody_is_the_sidecar_too(self):
        assert hba.MARK not in hba.extended("host all all 0.0.0.0/0 md5\nhost all all 0.0.0.0 0.0.0.0 md5\n")


class TestSaved:
    @pytest.fixture(autouse=True)
    def folder(self, tmp_path, monkeypatch):
        monkeypatch.setattr(saved, "FOLDER", tmp_path / "kept")
        monkeypatch.setattr(os, "fchown", lambda *_: None)

    def test_what_was_there_comes_back_and_what_is_new_goes(self, tmp_path):
        old, new, made = tmp_path / "old", tmp_path / "new", tmp_path / "made"
        old.write_text("theirs\n")
        old.chmod(0o640)
        saved.keep([str(old), str(new)], folders=[str(made)], facts={"user": False})
        saved.write(old, b"ours\n", mode=0o644)
        saved.write(new, b"ours\n")
        (made / "below").mkdir(parents=True)
        saved.put_back(saved.before())
        assert (old.read_text(), old.stat().st_mode & 0o777) == ("theirs\n", 0o640)
        assert not new.exists()
        assert not made.exists()

    def test_what_is_kept_first_is_the_truth(self, tmp_path):
        path = tmp_path / "file"
        saved.keep([str(path)], folders=[], facts={})
        path.write_text("ours\n")
        later = tmp_path / "later"
        later.write_text("theirs\n")
        saved.keep([str(path), str(later)], folders=[str(tmp_path)], facts={})
        known = saved.before()
        assert known["files"][str(path)] is None
        assert known["files"][str(later)]["mode"]
        assert known["folders"] == {}

    def test_stages_are_entered_and_forgotten(self):
        assert saved.stage() == ""
        saved.keep([], folders=[], facts={})
        saved.enter(saved.CAPTURING)
        assert saved.stage() == "capturing"
        saved.forget()
        assert saved.stage() == ""


class TestDelivery:
    def test_the_archive_is_the_same_each_time_and_holds_every_module(self):
        assert onboarding.program() == onboarding.program()
        names = zipfile.ZipFile(io.BytesIO(onboarding.program())).namelist()
        assert {"__main__.py", "onsite/main.py", "onsite/stages.py"} <= {*names}

    def test_the_archive_can_be_imported_where_nothing_else_is(self, tmp_path):
        path = tmp_path / "program.zip"
        path.write_bytes(onboarding.program())
        code = f"import sys; sys.path.insert(0, {str(path)!r}); from onsite import main; print(main.main.__name__)"
        done = subprocess.run(
            [sys.executable, "-I", "-c", code], capture_output=True, text=True, timeout=20, check=True
        )
        assert done.stdout == "main\n"

    def test_the_command_is_one_that_a_shell_understands_and_the_same_for_all(self):
        subprocess.run(["sh", "-n"], input=onboarding.command(), text=True, check=True, timeout=10)

    def test_a_token_is_in_the_document_only(self):
        credentials = onboarding.Credentials(token="eyJ.secret.x", root_certificate="PEM")
        document = json.loads(onboarding.document("capture", kit(), revert_s=60, credentials=credentials))
        assert document["token"] == "eyJ.secret.x"
        assert "eyJ" not in onboarding.command()
        assert base64.b64decode(document["program"]) == onboarding.program()
        assert json.loads(onboarding.document("confirm", kit()))["token"] == ""
