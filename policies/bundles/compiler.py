"""From the declaration to everything that enforces it."""

from collections import Counter
from collections.abc import Callable, Mapping

from policies.bundles import (
    authorization,
    bundle,
    control_plane_exposure,
    east_west,
    egress,
    extra,
    gateway_authorization,
    gateways,
    ingress,
    machine_guard,
    mesh_config,
    mtls,
    namespaces,
    network_policy,
    nsg,
    registration,
    sidecar_scope,
    tracing,
    traffic,
)
from slipway.manifests.manifest import Manifest
from slipway.mesh import model

Emitter = Callable[[model.Mesh], tuple[Manifest, ...]]

# What can be taken by itself; every emitter stands in one of them.
BUNDLES: Mapping[str, tuple[Emitter, ...]] = {
    "namespaces": (namespaces.emit_namespaces,),
    "mtls": (mtls.emit_mtls,),
    "authorization": (
        authorization.emit_authorization,
        gateway_authorization.emit_ingress_authorization,
        gateway_authorization.emit_end_user_authentication,
        gateway_authorization.emit_control_plane_authorization,
    ),
    "egress": (egress.emit_egress, network_policy.emit_network_policies),
    "ingress": (ingress.emit_ingress,),
    "traffic": (traffic.emit_traffic,),
    "scope": (sidecar_scope.emit_sidecar_scope,),
    "registration": (
        registration.emit_registration,
        control_plane_exposure.emit_control_plane_exposure,
        east_west.emit_east_west,
    ),
    "telemetry": (tracing.emit_telemetry,),
}
EXTRA = "extra"  # what somebody wrote by hand, which is held against everything else
NAMES = (*BUNDLES, EXTRA)


def compile_part(mesh: model.Mesh, name: str) -> tuple[Manifest, ...]:
    """Return the manifests of one bundle by its name, in canonical order; raises ``KeyError`` for another name.

    Raises DiagnosticsError (MESH0703) for objects written by hand that collide with ours.
    """
    if name == EXTRA:
        return extra.admit(mesh, [item for other in BUNDLES for item in compile_part(mesh, other)])
    return bundle.in_order(item for emit in BUNDLES[name] for item in emit(mesh))


def compile_bundle(mesh: model.Mesh) -> bundle.Bundle:
    """Return everything that ``mesh`` compiles to; the same declaration gives the same values.

    The loader has refused what cannot be expressed, so nothing is left out here. Raises ``ValueError`` when two
    objects get one name, which would be a mistake of an emitter, and DiagnosticsError (MESH0703) for objects written
    by hand that collide with ours.
    """
    ours = tuple(item for name in BUNDLES for item in compile_part(mesh, name))
    twice = [key for key, count in Counter(item.key for item in ours).items() if count > 1]
    if twice:
        raise ValueError(f"objects with one name: {sorted(twice)}")
    manifests = (*ours, *extra.admit(mesh, ours))
    return bundle.Bundle(
        manifests=bundle.in_order(manifests),
        namespace_labels=namespaces.emit_namespace_labels(mesh),
        mesh_config=mesh_config.emit_mesh_config(mesh),
        control_plane=mesh_config.emit_control_plane(mesh),
        gateways=gateways.emit_gateways(mesh),
        nsg={item.name: nsg.emit_nsg(mesh, item) for item in mesh.machines},
        guards={item.name: machine_guard.emit_guard(mesh, item) for item in mesh.machines},
        apart=gateways.emit_apart(mesh),
    )
