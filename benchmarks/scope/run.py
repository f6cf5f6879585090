"""The whole run: a bare lab, istiod, servers by shape of their policies, the mesh of 1000 services; two tables."""

import argparse
import statistics
import sys
from collections.abc import Mapping, Sequence

from rich import console, table

from benchmarks import labs
from benchmarks.judge import install
from benchmarks.scope import callers, crowd, proxy, size

INSTANCE = "bench"
GOAL_CONFIG, GOAL_HEAP, GOAL_RATIO, GOAL_US = 20, 9, 1.2, 45
_WITH, _WITHOUT = "with scope", "without"
_ANSWERED = {"200": 1}


def main(arguments: Sequence[str]) -> int:
    """Run both halves; 1 when a goal is missed."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks scope", description=__doc__)
    labs.options(parser, instance=INSTANCE)
    parser.add_argument("--half", choices=("callers", "size"), help="only one of the two")
    parser.add_argument("--rounds", type=int, default=5, help="of each shape and size of policy")
    parser.add_argument("--requests", type=int, default=10_000, help="per round")
    chosen = parser.parse_args(arguments)
    missed: list[str] = []
    mesh = size.Mesh()
    with labs.bare(chosen.instance, keep=chosen.keep) as instance:
        install.install(instance, mesh.mesh_config)
        people = crowd.Crowd(instance)
        if chosen.half != "size":
            missed += _callers(people, rounds=chosen.rounds, requests=chosen.requests)
        if chosen.half != "callers":
            missed += _size(people, mesh)
    sys.stdout.write("".join(f"missed: {item}\n" for item in missed) or "all goals are met\n")
    return 1 if missed else 0


def _callers(people: crowd.Crowd, *, rounds: int, requests: int) -> list[str]:
    title = f"Envoy's processor time per request, microseconds: median of {rounds} rounds of {requests} requests"
    shown = table.Table("allowed callers", *(shape.name for shape in callers.SHAPES), title=title)
    ours, ideal, none = callers.OURS.name, callers.IDEAL.name, callers.NONE.name
    missed: list[str] = []
    for count in callers.SIZES:
        found = callers.measure(people, count=count, rounds=rounds, requests=requests)
        middle = callers.medians(found)
        shown.add_row(str(count), *(_cost(found, middle, shape.name) for shape in callers.SHAPES))
        for name, values in found.items():
            sys.stdout.write(f"{count} callers, {name}: {' '.join(f'{item:.1f}' for item in values)}\n")
        sys.stdout.flush()
        factor, more_us = callers.ratio(found, ours, ideal), middle[ours] - middle[none]
        if factor > GOAL_RATIO:
            missed.append(f"{count} callers: {factor:.2f} times the exact list by hand, goal {GOAL_RATIO:g}")
        if more_us > GOAL_US:
            missed.append(f"{count} callers: {more_us:.1f} us more than no policy, goal {GOAL_US}")
    console.Console(width=120).print(shown)
    return missed


def _cost(found: Mapping[str, Sequence[float]], middle: Mapping[str, float], name: str) -> str:
    if name == callers.NONE.name:
        return f"{middle[name]:.1f}"
    more_us = middle[name] - middle[callers.NONE.name]
    return f"{middle[name]:.1f} ({more_us:+.1f}; {callers.ratio(found, name, callers.IDEAL.name):.2f}x)"


def _size(people: crowd.Crowd, mesh: size.Mesh) -> list[str]:
    people.apply(mesh.namespaces())
    people.apply(mesh.objects())
    found: dict[str, list[proxy.Holdings]] = {_WITH: [], _WITHOUT: []}
    missed: list[str] = []
    for name in (_WITHOUT, _WITH, _WITHOUT, _WITH):
        (people.apply if name == _WITH else people.delete)(mesh.scopes)
        holdings, calls = size.measure(people, mesh)
        found[name] += holdings
        if calls["declared"] != _ANSWERED or calls["undeclared"] == _ANSWERED:
            missed.append(f"{name}: calls came to {calls}")
    shown = table.Table("", "config", "heap", "process", "clusters", "endpoints", "listeners")
    for name, items in found.items():
        shown.add_row(name, *_figures(items))
    config, heap = (_ratio(found, field) for field in ("config_kib", "heap_mib"))
    shown.add_row("times", f"{config:.1f}", f"{heap:.1f}", f"{_ratio(found, 'pss_mib'):.1f}")
    shown.title = f"One fresh sidecar in a mesh of {size.SERVICES} services: median of {len(found[_WITH])}"
    console.Console(width=120).print(shown)
    if config < GOAL_CONFIG:
        missed.append(f"{config:.1f} times less configuration, goal {GOAL_CONFIG}")
    if heap < GOAL_HEAP:
        missed.append(f"{heap:.1f} times less heap, goal {GOAL_HEAP}")
    return missed


def _median(items: Sequence[proxy.Holdings], field: str) -> float:
    return statistics.median(getattr(item, field) for item in items)


def _figures(items: Sequence[proxy.Holdings]) -> list[str]:
    sizes = [
        f"{_median(items, 'config_kib'):.0f} KiB",
        f"{_median(items, 'heap_mib'):.1f} MiB",
        f"{_median(items, 'pss_mib'):.1f} MiB",
    ]
    return sizes + [f"{_median(items, field):.0f}" for field in ("clusters", "endpoints", "listeners")]


def _ratio(found: Mapping[str, Sequence[proxy.Holdings]], field: str) -> float:
    return _median(found[_WITHOUT], field) / _median(found[_WITH], field)
