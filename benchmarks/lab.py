"""How long a whole lab takes, stage by stage, from built programs; and how much memory it holds."""

import resource
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

from rich import console, table

INSTANCE = "bench"
ROOT = Path(__file__).parents[1]
_SLIPWAY = str(Path(sys.executable).with_name("slipway"))
_KIB_PER_GIB = 1 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """One command: wall-clock and processor seconds of it and its children, not of the lab that it starts."""

    name: str
    wall_s: float
    cpu_s: float
    goal_s: float | None = None


def main() -> None:
    """Bring the lab `bench` up from nothing, once more, verify it, and take it down again; print the stages."""
    _run("lab", "down", INSTANCE)
    try:
        stages = [
            _timed("cluster and example", "lab", "up", INSTANCE, "--example"),
            _timed("Istio, gateways, policies, machines, sidecars", "up", "lab", "--instance", INSTANCE),
        ]
        stages.append(_total("cluster, Istio, gateways, proxies", stages, goal_s=30))
        stages.append(_timed("verify", "verify", "lab", "--instance", INSTANCE))
        stages.append(_total("all of make up", [stages[2], stages[3]], goal_s=90))
        stages.append(_timed("lab up again", "lab", "up", INSTANCE, "--example"))
        stages.append(_timed("up again", "up", "lab", "--instance", INSTANCE))
        memory_gib = _memory_gib()
    finally:
        _run("lab", "down", INSTANCE)
    shown = table.Table("stage", "wall s", "CPU s", "goal s")
    for stage in stages:
        goal = "" if stage.goal_s is None else f"{stage.goal_s:g}"
        shown.add_row(stage.name, f"{stage.wall_s:.1f}", f"{stage.cpu_s:.1f}", goal)
    shown.add_row("memory of the lab (proportional set size)", f"{memory_gib:.2f} GiB", "", "3 GiB")
    console.Console(width=100).print(shown)


def _timed(name: str, *arguments: str) -> Stage:
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    started = time.monotonic()
    done = _run(*arguments)
    wall_s = time.monotonic() - started
    if done.returncode != 0:
        message = (
            f"{' '.join(arguments)}: exit status {done.returncode}\n{done.stdout[-4000:]}\n{done.stderr[-4000:]}"
        )
        raise SystemExit(message)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu_s = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return Stage(name=name, wall_s=wall_s, cpu_s=cpu_s)


def _total(name: str, stages: list[Stage], *, goal_s: float) -> Stage:
    return Stage(
        name=f"= {name}",
        wall_s=sum(stage.wall_s for stage in stages),
        cpu_s=sum(stage.cpu_s for stage in stages),
        goal_s=goal_s,
    )


def _run(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [_SLIPWAY, *arguments],
        cwd=ROOT,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=1800,
        check=False,
    )


def _memory_gib() -> float:
    """Return the memory of every process of the lab, shared pages divided among those who share them."""
    total_kib = 0
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            marked = f"SLIPWAY_LAB={INSTANCE}".encode() in (folder / "environ").read_bytes().split(b"\0")
            grouped = f"/slipway/{INSTANCE}" in (folder / "cgroup").read_text()
            if marked or grouped:
                rollup = (folder / "smaps_rollup").read_text()
                total_kib += next(int(line.split()[1]) for line in rollup.splitlines() if line.startswith("Pss:"))
        except (OSError, StopIteration):
            continue
    return total_kib / _KIB_PER_GIB


if __name__ == "__main__":
    main()
