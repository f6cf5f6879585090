"""What the phases' positions mean for more than one target."""

from slipway.manifests import guard
from slipway.mesh import model

DRY_RUN = "istio.io/dry-run"
# What a sidecar does with destinations that it does not know.
# Source: istio/api networking/v1/sidecar.proto, OutboundTrafficPolicy.Mode.
KNOWN_ONLY, ANYWHERE = "REGISTRY_ONLY", "ALLOW_ANY"


def dry_run(mode: model.AuthorizationMode) -> dict[str, str]:
    """Return the annotation of a policy that is only rehearsed.

    Source: istio/istio 1.29.1 pilot/pkg/security/authz/builder/builder.go, `shadowRules`.
    """
    return {DRY_RUN: "true"} if mode is model.AuthorizationMode.OBSERVED else {}


def is_behind(mode: model.AuthorizationMode, other: model.AuthorizationMode) -> bool:
    """Whether ``mode`` comes before ``other`` on the way from off over observed to enforced."""
    order = tuple(model.AuthorizationMode)
    return order.index(mode) < order.index(other)


def egress_authorization(mesh: model.Mesh) -> model.AuthorizationMode:
    """Return how the egress gateway decides: the limit per caller belongs to the phase ``egress``."""
    return {
        model.EgressMode.OPEN: model.AuthorizationMode.OFF,
        model.EgressMode.OBSERVED: model.AuthorizationMode.OBSERVED,
        model.EgressMode.LOCKED: model.AuthorizationMode.ENFORCED,
    }[mesh.phases.egress]


def calls_are_enforced(mesh: model.Mesh) -> bool:
    """Whether every service refuses undeclared calls: only then may anything before the server refuse them too."""
    return mesh.authorization_modes == frozenset({model.AuthorizationMode.ENFORCED})


def egress_is_locked(mesh: model.Mesh) -> bool:
    """Whether outgoing traffic is limited to what is declared."""
    return mesh.phases.egress is model.EgressMode.LOCKED


def outbound_mode(mesh: model.Mesh) -> str:
    """Return what sidecars of declared workloads do with destinations that they do not know."""
    return KNOWN_ONLY if egress_is_locked(mesh) else ANYWHERE


def scope_is_narrowed(mesh: model.Mesh) -> bool:
    """Whether a sidecar knows nothing but its declared dependencies."""
    return egress_is_locked(mesh) and calls_are_enforced(mesh)


def is_open(mesh: model.Mesh, service: model.Service) -> bool:
    """Whether the sidecar would take plaintext from anybody, so that a guard must not refuse it either."""
    where = {"namespace": service.namespace, "service": service.name}
    enforced = mesh.phases.authorization_of(**where) is model.AuthorizationMode.ENFORCED
    return not enforced and mesh.phases.mtls_of(**where) is model.MtlsMode.PERMISSIVE


def _is_enforced(mesh: model.Mesh, service: model.Service) -> bool:
    mode = mesh.phases.authorization_of(namespace=service.namespace, service=service.name)
    return mode is model.AuthorizationMode.ENFORCED


def other_inbound(mesh: model.Mesh, machine: model.Machine) -> guard.Inbound:
    """Return what ``machine`` takes on undeclared ports: as much as its least protected service.

    A machine without services takes nothing.
    """
    services = [mesh.service(name) for name in machine.services]
    if any(is_open(mesh, item) for item in services):
        return guard.Inbound.OPEN
    if all(_is_enforced(mesh, item) for item in services):
        return guard.Inbound.REFUSED
    return guard.Inbound.CAPTURED
