import contextlib
import json
import signal
import subprocess
import sys
import time

import filelock
import pytest

from slipway.lab.programs import cache

KILLED_IN_THE_MIDDLE = """
import sys, time
from pathlib import Path
from slipway.lab.programs import cache
slot = cache.Slot(root=Path(sys.argv[1]), program="tool", key="1-a")
with cache.lock(slot), cache.filling(slot) as result:
    (result / "tool").write_text("half")
    print("filling", flush=True)
    time.sleep(60)
"""


@pytest.fixture
def slot(tmp_path):
    return cache.Slot(root=tmp_path, program="tool", key="1-a")


def fill(slot, content="whole"):
    with cache.lock(slot), cache.filling(slot) as result:
        (result / "bin").mkdir()
        (result / "bin" / "tool").write_text(content)
        (result / "bin" / "alias").symlink_to("tool")


def unfinished(slot):
    return list(slot.folder.parent.glob(f"{cache.UNFINISHED}*"))


def test_a_filled_slot_is_complete_and_leaves_nothing_beside_it(slot):
    assert not slot.complete()
    fill(slot)
    assert slot.complete()
    assert (slot.folder / "bin" / "alias").read_text() == "whole"
    assert unfinished(slot) == []


def test_a_failed_build_is_not_complete_and_is_cleared(slot):
    with contextlib.suppress(RuntimeError), cache.lock(slot), cache.filling(slot) as result:
        (result / "tool").write_text("half")
        raise RuntimeError
    assert not slot.complete()
    assert unfinished(slot) == []


def test_a_killed_build_frees_its_lock_is_not_complete_and_is_cleared_by_the_next(slot, tmp_path):
    builder = subprocess.Popen([sys.executable, "-c", KILLED_IN_THE_MIDDLE, tmp_path], stdout=subprocess.PIPE)
    with builder:
        assert builder.stdout.readline() == b"filling\n"
        with pytest.raises(filelock.Timeout):
            cache.lock(slot).acquire(timeout=0)
        builder.send_signal(signal.SIGKILL)
    assert not slot.complete()
    assert len(unfinished(slot)) == 1
    fill(slot)
    assert slot.complete()
    assert unfinished(slot) == []


@pytest.mark.parametrize(
    "damage",
    [
        lambda folder: (folder / cache.RECEIPT).unlink(),
        lambda folder: (folder / cache.RECEIPT).write_text("{"),
        lambda folder: (folder / cache.RECEIPT).write_text(json.dumps({"files": None})),
        lambda folder: (folder / "bin" / "tool").write_text("ha"),
        lambda folder: (folder / "bin" / "tool").unlink(),
    ],
)
def test_a_damaged_folder_is_not_complete_and_is_replaced(slot, damage):
    fill(slot)
    damage(slot.folder)
    assert not slot.complete()
    fill(slot, "new")
    assert slot.complete()
    assert (slot.folder / "bin" / "tool").read_text() == "new"


def test_the_environment_moves_the_cache(monkeypatch, tmp_path):
    monkeypatch.setenv("SLIPWAY_CACHE", str(tmp_path))
    assert cache.root() == tmp_path / "programs"
    monkeypatch.delenv("SLIPWAY_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "user"))
    assert cache.root() == tmp_path / "user" / "slipway" / "programs"


def test_asking_a_full_cache_is_quick(slot):
    with cache.lock(slot), cache.filling(slot) as result:
        for number in range(300):
            (result / str(number)).write_text("x")
    started = time.process_time()
    assert slot.complete()
    assert time.process_time() - started < 0.5
