"""Namespaces: those that Slipway owns, and the labels that it puts on those of teams."""

from policies.bundles import gateways, objects, workloads
from slipway.manifests.manifest import Manifest
from slipway.mesh import model

REVISION_LABEL = "istio.io/rev"


def _labels(mesh: model.Mesh) -> dict[str, str]:
    return {REVISION_LABEL: mesh.revision}


def emit_namespace_labels(mesh: model.Mesh) -> dict[str, dict[str, str]]:
    """Return the labels of each team's namespace; the Namespace itself is never created, replaced or deleted."""
    return {name: _labels(mesh) for name in workloads.team_namespaces(mesh)}


def emit_namespaces(mesh: model.Mesh) -> tuple[Manifest, ...]:
    """Return the Namespaces that exist for Slipway's sake: of gateways, and of services that run on machines only.

    Gateways' namespaces carry no revision: only the gateway's own pods, which name theirs, are injected there.
    """
    teams = workloads.team_namespaces(mesh)
    declared = [
        objects.manifest(
            "Namespace",
            name=name,
            declared_at=objects.namespace_clause(mesh, name),
            spec=None,
            labels=_labels(mesh),
        )
        for name in mesh.namespaces
        if name not in teams
    ]
    own = [
        objects.manifest("Namespace", name=name, declared_at=declared_at, spec=None)
        for name, declared_at in gateways.own_namespaces(mesh).items()
    ]
    return (*declared, *own)
