import os

import pytest

from slipway.lab.programs import debian
from slipway.lab.programs.model import ProgramsUnavailable
from slipway.world import process


def test_without_root_the_command_to_paste_is_named():
    refusal = debian.refuse(["runc", "ipset"], is_root=False, has_apt=True)
    assert refusal == "not root; run: sudo apt-get install --no-install-recommends runc ipset"


def test_elsewhere_than_on_debian_the_list_is_named():
    refusal = debian.refuse(["runc", "ipset"], is_root=True, has_apt=False)
    assert "no apt-get here" in refusal
    assert "runc ipset" in refusal


def test_root_on_debian_may_go_on():
    assert debian.refuse(["runc"], is_root=True, has_apt=True) is None


def test_only_complete_installations_count():
    listing = "runc\tii \nipset\trc \nconntrack\tiU \nbuildah\tun \nsocat\thi \nnoise\n"
    assert debian.parse_installed(listing) == {"runc", "socat"}


def test_nothing_is_touched_before_the_refusal(monkeypatch, tmp_path):
    lines = []
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ProgramsUnavailable, match=r"Debian packages: no apt-get here.*containerd"):
        debian.install_debian_packages(lines.append)
    assert lines == []


@pytest.fixture
def machine(tmp_path, monkeypatch):
    """A PATH of stand-ins for apt and dpkg that write down how they were called."""
    calls = tmp_path / "calls"
    folder = tmp_path / "bin"
    folder.mkdir()
    scripts = {
        "dpkg-query": "exit 1",
        "apt-get": f'echo "$@" >> {calls}; test ! -e {tmp_path}/lists/broken || [ $1 = update ]',
    }
    for name, body in scripts.items():
        (folder / name).write_text(f"#!/bin/sh\n{body}\n")
        (folder / name).chmod(0o755)
    (tmp_path / "lists").mkdir()
    monkeypatch.setenv("PATH", f"{folder}:/usr/bin:/bin")
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    monkeypatch.setattr(debian, "LISTS", tmp_path / "lists")
    monkeypatch.setattr(debian, "POLICY", tmp_path / "policy-rc.d")
    return tmp_path


def called(machine):
    return [line.split()[0] for line in (machine / "calls").read_text().splitlines()]


def test_packages_are_named_before_they_are_installed_and_daemons_may_start_again_afterwards(machine):
    lines = []
    installed = debian.install_debian_packages(lines.append)
    assert "containerd" in installed
    assert lines == [
        "apt-get update: this machine has no package lists",
        f"apt-get install: {' '.join(installed)}",
    ]
    assert called(machine) == ["update", "install"]
    assert not (machine / "policy-rc.d").exists()


def test_with_lists_there_is_no_update_and_a_policy_of_the_machine_stays(machine):
    (machine / "lists" / "main_Packages").touch()
    (machine / "policy-rc.d").write_text("own")
    debian.install_debian_packages(lambda _: None)
    assert called(machine) == ["install"]
    assert (machine / "policy-rc.d").read_text() == "own"


def test_old_lists_are_renewed_once_and_then_apt_speaks_for_itself(machine):
    (machine / "lists" / "main_Packages").touch()
    (machine / "lists" / "broken").touch()
    with pytest.raises(process.CommandFailed, match="apt-get install"):
        debian.install_debian_packages(lambda _: None)
    assert called(machine) == ["install", "update", "install"]
    assert not (machine / "policy-rc.d").exists()
