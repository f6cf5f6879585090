"""Sidecar: what a workload's proxy knows about, and what it does with everything else."""

from policies.bundles import dependencies, gateways, objects, overlay, positions, workloads
from slipway.manifests.manifest import Manifest
from slipway.mesh import model

NOTHING = "~/*"  # Source: istio/api networking/v1/sidecar.proto, `hosts`.
EVERYTHING = "*/*"


def _sidecar(
    *, name: str, namespace: str, declared_at: str, hosts: list[str], labels: dict[str, str] | None = None
) -> Manifest:
    return objects.manifest(
        "Sidecar",
        name=name,
        namespace=namespace,
        declared_at=declared_at,
        spec={
            **({} if labels is None else {"workloadSelector": {"labels": labels}}),
            "egress": [{"hosts": hosts}],
            "outboundTrafficPolicy": {"mode": positions.KNOWN_ONLY},
        },
    )


def dependencies_of(mesh: model.Mesh, service: model.Service) -> list[str]:
    """Return the hosts that ``service`` needs, each with the namespace that declares it, sorted."""
    found: set[str] = set()
    for call in service.service_calls:
        callee = mesh.service(call.service)
        found.update(f"{callee.namespace}/{host}" for host in (callee.host, *callee.names))
    for call in service.external_calls:
        outside = (gateways.EGRESS.host, mesh.external(call.external).host)
        found.update(f"{gateways.EGRESS.namespace}/{host}" for host in outside)
    if mesh.tracing is not None:
        found.add(f"{mesh.tracing.namespace}/{dependencies.tracing_host(mesh.tracing)}")
    return sorted(found | _doors(mesh, service)) or [NOTHING]


def _doors(mesh: model.Mesh, service: model.Service) -> set[str]:
    """Return what machines know in place of pods that they do not reach: load balancers made for them."""
    found: set[str] = set()
    if service.machines and service.external_calls and overlay.is_apart(mesh):
        found.add(f"{gateways.EGRESS.namespace}/{overlay.EGRESS_HOST}")
    if service.machines and overlay.traced(mesh):
        found.add(f"{gateways.ISTIO_NAMESPACE}/{overlay.TRACES_HOST}")
    return found


def emit_sidecar_scope(mesh: model.Mesh) -> tuple[Manifest, ...]:
    """Return the scope of every declared workload, and nothing at all for undeclared ones in declared namespaces.

    While a server would still take undeclared calls nothing is narrowed, or a sidecar would refuse what is only to
    be observed; a locked way out is then stated with everything in scope. With an open way out there is none.
    Each of them refuses unknown destinations by itself: the mesh configuration does not, since it would reach
    namespaces that nobody declared. Before a Sidecar is there, and once it is gone, NetworkPolicies and the machines'
    guards keep the way out closed alone, as they do against whatever gets past a proxy. Gateways know no other
    destinations than those of their routes.
    Source: istio/istio 1.29.1 pilot/pkg/networking/core/httproute.go: what is out of scope is not routed;
    pilot/pkg/model/push_context.go `getSidecarScope`: a gateway takes no Sidecar.
    """
    if not positions.egress_is_locked(mesh):
        return ()
    narrowed = positions.scope_is_narrowed(mesh)
    defaults = [
        _sidecar(
            name="default",
            namespace=name,
            declared_at=objects.namespace_clause(mesh, name),
            hosts=[NOTHING if narrowed else EVERYTHING],
        )
        for name in mesh.namespaces
    ]
    scopes = [
        _sidecar(
            name=item.name,
            namespace=item.service.namespace,
            declared_at=objects.clause(item.service.span, f"services.{item.service.name}.calls"),
            hosts=dependencies_of(mesh, item.service),
            labels=item.labels,
        )
        for item in workloads.all_selections(mesh)
        if narrowed
    ]
    return (*defaults, *scopes)
