"""Names, folders and what this computer must offer."""

import os
import shutil
import tempfile
from pathlib import Path
from types import SimpleNamespace

import pytest

from slipway.lab import instance as instances
from slipway.lab import lab, network, preflight, texts


@pytest.fixture
def tmp_path():
    """Return a folder with a short path: sockets lie in it."""
    with tempfile.TemporaryDirectory(prefix="lab-") as folder:
        yield Path(folder)


@pytest.fixture
def here(monkeypatch, tmp_path):
    monkeypatch.setenv("SLIPWAY_STATE", str(tmp_path / "state"))
    monkeypatch.setenv("SLIPWAY_CACHE", str(tmp_path / "cache"))
    return instances.named("lab")


def test_folders_come_from_the_environment(here, tmp_path):
    assert here.state == tmp_path / "state" / "labs" / "lab"
    assert here.cache == tmp_path / "cache"
    assert here.namespace("node") == "slipway-lab-node"


@pytest.mark.parametrize("name", ["", "Lab", "1lab", "lab-", "a" * 21, "lab/../x", "lab name", "-lab"])
def test_a_name_that_is_no_name_says_what_is_allowed(name):
    with pytest.raises(instances.LabError, match="allowed are 1 to 20 lowercase letters"):
        instances.named(name)


def test_a_folder_too_long_for_sockets_is_refused(monkeypatch, tmp_path):
    monkeypatch.setenv("SLIPWAY_STATE", str(tmp_path / ("x" * 100)))
    with pytest.raises(instances.LabError, match="bytes too long for the sockets in it; set SLIPWAY_STATE"):
        instances.named("lab")


def test_addresses_of_the_plan_are_on_the_fabric():
    for address in (instances.NODE_ADDRESS, instances.INGRESS_ADDRESS, *instances.LOAD_BALANCER_ADDRESSES):
        assert instances.on_fabric(address) == f"{address}/16"
    with pytest.raises(instances.LabError, match=r"allowed are addresses in 10\.60\.0\.0/16"):
        instances.on_fabric("10.99.0.1")


def test_ports_are_short_and_differ_by_host():
    hosts = ["node", "internet", "platform", "billing-vm", "db-vm", "a-machine-with-a-very-long-name-indeed"]
    names = {network.port_name(host) for host in hosts}
    assert len(names) == len(hosts)
    assert max(map(len, names)) <= 15


def test_another_system_is_told_so(monkeypatch, here):
    monkeypatch.setattr(preflight.computer, "system", lambda: "Darwin")
    with pytest.raises(instances.LabError, match="this computer runs Darwin; the lab needs Linux"):
        preflight.check(here)


def test_without_root_nothing_is_touched(monkeypatch, here, tmp_path):
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    with pytest.raises(instances.LabError, match="runs as root; this is user 1000: use sudo"):
        lab.Lab(instance=here).up(print)
    with pytest.raises(instances.LabError, match="use sudo"):
        lab.Lab(instance=here).down(print)
    assert list(tmp_path.iterdir()) == []


def test_a_full_disk_is_told_before_anything_is_done(monkeypatch, here, tmp_path):
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    monkeypatch.setattr(network, "refuse_foreign", lambda _: None)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=1024**3))
    with pytest.raises(
        instances.LabError, match=r"has 1\.0 GiB left; the lab needs 3 GiB: make room, or set SLIPWAY_ST"
    ):
        lab.Lab(instance=here).up(print)
    assert list(tmp_path.iterdir()) == []


def test_a_second_run_is_kept_apart_and_names_the_first(here):
    with lab.holding(here), pytest.raises(instances.LabLocked, match=f"process {os.getpid()} works on the lab lab"):
        lab.holding(here).__enter__()
    with lab.holding(here):  # free again
        pass


def test_the_lock_of_a_dead_process_is_no_lock(here):
    here.state.parent.mkdir(parents=True)
    (here.state.parent / "lab.lock").touch()
    texts.write(here.state.parent / "lab.holder", "999999\n")
    with lab.holding(here):
        assert (here.state.parent / "lab.holder").read_text() == f"{os.getpid()}\n"


def test_a_file_is_written_whole_with_its_mode_and_only_when_it_changes(tmp_path):
    path = tmp_path / "deep" / "secret"
    assert texts.write(path, "one", mode=texts.PRIVATE_MODE)
    assert path.stat().st_mode & 0o777 == 0o600
    before = path.stat().st_ino
    assert not texts.write(path, "one", mode=texts.PRIVATE_MODE)
    assert path.stat().st_ino == before
    assert texts.write(path, "one")
    assert path.stat().st_mode & 0o777 == 0o644
    assert [entry.name for entry in path.parent.iterdir()] == ["secret"]
