"""Locks that killed Pulumi processes leave in a lab's backend."""

import json
import os
import socket
import subprocess
import tempfile

import pytest

from slipway.lab import backend, programs
from slipway.lab import instance as instances


@pytest.fixture
def instance(monkeypatch):
    monkeypatch.setattr(programs, "require", dict.fromkeys)
    monkeypatch.setattr(programs, "link_plugins", lambda *_, **__: None)
    with tempfile.TemporaryDirectory(prefix="s") as folder:
        monkeypatch.setenv("SLIPWAY_STATE", folder)
        yield instances.named("locks")


def written(instance, name, lock):
    path = instance.state / "pulumi/backend/.pulumi/locks/organization/slipway/lab" / f"{name}.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps({"username": "root", "timestamp": "2026-01-01T00:00:00Z", **lock}))
    return path


def ended():
    process = subprocess.Popen(["true"])
    process.wait()
    return process.pid


def test_the_lock_of_an_ended_process_is_removed_and_told(instance):
    pid = ended()
    path = written(instance, "old", {"pid": pid, "hostname": socket.gethostname()})
    assert backend.prepare(instance) == [
        f"removed the lock of a stack: the Pulumi process {pid} that held it has ended"
    ]
    assert not path.exists()
    assert backend.prepare(instance) == []


def test_locks_of_running_processes_and_of_other_computers_stay(instance):
    paths = [
        written(instance, "running", {"pid": os.getpid(), "hostname": socket.gethostname()}),
        written(instance, "elsewhere", {"pid": ended(), "hostname": "another-computer"}),
    ]
    broken = written(instance, "broken", {})
    broken.write_text("{")
    assert backend.prepare(instance) == []
    assert all(path.exists() for path in (*paths, broken))
