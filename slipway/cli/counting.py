"""How much shorter the declaration is than the objects that it becomes."""

import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path

from slipway.cli import stacks
from slipway.manifests import canonical
from slipway.manifests.manifest import Manifest
from slipway.world import files

_OWN = ("app.kubernetes.io/managed-by", "slipway.dev/")


def lines(text: str) -> int:
    """Return the lines that somebody has to write: without blank ones, comments and document marks."""
    stripped = [line.strip() for line in text.splitlines()]
    return sum(1 for line in stripped if line and not line.startswith("#") and line != "---")


def by_hand(manifest: Manifest) -> Manifest:
    """Return a manifest without the labels and annotations that only say who made it and where it was declared."""
    labels = {key: value for key, value in manifest.labels.items() if not key.startswith(_OWN)}
    annotations = {key: value for key, value in manifest.annotations.items() if not key.startswith(_OWN)}
    return dataclasses.replace(manifest, labels=labels, annotations=annotations)


def table(environment: str, parts: Mapping[str, Sequence[Manifest]]) -> str:
    """Return the lines of each file of a declaration and of each bundle, and how many times longer the bundles are.

    istiod's configuration, gateways' releases and what machines are given are not counted.
    """
    sources = files.read_sources(Path(stacks.FOLDER), environment)
    written = [(item.file, lines(_text(item.text))) for item in (*sources.mesh, sources.environment)]
    made = [
        (f"{name} ({len(part)} objects)", lines(canonical.manifests_to_yaml(map(by_hand, part))))
        for name, part in parts.items()
    ]
    rows = [*written, ("declared", _sum(written)), *made, ("Kubernetes objects", _sum(made))]
    ratio = _sum(made) / _sum(written)
    return "".join(f"{count:7d}  {what}\n" for what, count in rows) + f"{ratio:6.1f}x  longer than the declaration\n"


def _sum(rows: Sequence[tuple[str, int]]) -> int:
    return sum(count for _, count in rows)


def _text(data: bytes | str) -> str:
    return data if isinstance(data, str) else data.decode("utf-8")
