"""Which istiod's mesh configuration holds for the objects of a cluster or a folder."""

import dataclasses
from collections.abc import Iterable, Mapping
from typing import Any

import click

from slipway.diagnostics import Collector
from slipway.inventory import istiod
from slipway.manifests.manifest import Manifest
from slipway.reachability import mesh_config


def of(manifests: Iterable[Manifest], *, revision: str) -> Mapping[str, Any]:
    """Return istiod's mesh configuration, empty where there is none.

    It is that of ``revision`` or, where that is empty, of the revisions whose sidecars are asked for. Raises
    click.UsageError when there is no such revision, or when those in use say different things about who reaches whom.
    """
    items = tuple(manifests)
    known = istiod.mesh_configs(items)
    if revision:
        if revision not in known:
            raise click.UsageError(f"there is no mesh configuration of revision {revision!r}; {_there_are(known)}")
        return known[revision]
    used = sorted(istiod.revisions_in_use(items) & known.keys()) or sorted(known)
    if not used:
        return {}
    for other in used[1:]:
        if different := _different(known[used[0]], known[other]):
            raise click.UsageError(
                f"the revisions {used[0]} and {other} say different things about who reaches whom: "
                f"{', '.join(different)}; name the one that is meant with --istio-revision"
            )
    return known[used[0]]


def _different(one: Mapping[str, Any], other: Mapping[str, Any]) -> list[str]:
    """Return the settings that decide who reaches whom and are not the same."""
    first, second = (mesh_config.read(item, Collector()) for item in (one, other))
    return [
        f"{field.name.replace('_', ' ')} {getattr(first, field.name)} and {getattr(second, field.name)}"
        for field in dataclasses.fields(first)
        if getattr(first, field.name) != getattr(second, field.name)
    ]


def _there_are(known: Iterable[str]) -> str:
    return f"there are: {', '.join(sorted(known))}" if known else "there is none at all"
