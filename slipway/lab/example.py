"""The example's part in the cluster, installed as its teams would: plain manifests, before the mesh comes."""

from pathlib import Path

from slipway.lab import cluster
from slipway.lab import instance as instances

FIELD_MANAGER = "example-teams"


def folder() -> Path:
    """Return where the manifests lie in the checkout."""
    return Path(__file__).parents[2] / "examples" / "shop" / "cluster"


def install(instance: instances.Instance, programs: Path) -> tuple[str, ...]:
    """Apply the manifests and return the objects that this changed, as kubectl names them.

    Fields that others own by now (labels that the mesh put on a namespace) are left alone.
    """
    words = ["apply", "--server-side", f"--field-manager={FIELD_MANAGER}", f"--filename={folder()}"]
    before = _versions(instance, programs)
    cluster.kubectl(instance, programs, words, timeout_s=60)
    after = _versions(instance, programs)
    return tuple(sorted(name for name, generation in after.items() if before.get(name) != generation))


def _versions(instance: instances.Instance, programs: Path) -> dict[str, str]:
    """Return the generation of each object that is there (a creation time where its kind has none)."""
    template = '{range .items[*]}{.kind}/{.metadata.name} {.metadata.uid} {.metadata.generation}{"\\n"}{end}'
    words = ["get", f"--filename={folder()}", "--ignore-not-found", f"--output=jsonpath={template}"]
    lines = cluster.kubectl(instance, programs, words).stdout.splitlines()
    return {line.split()[0]: " ".join(line.split()[1:]) for line in lines if line.strip()}
