"""Manifests as this compiler writes them: who made them, and where they were declared."""

from collections.abc import Iterable, Mapping
from typing import Any, Protocol

from slipway.diagnostics import Span
from slipway.manifests.manifest import Manifest
from slipway.mesh import model

MANAGED_BY = {"app.kubernetes.io/managed-by": "slipway"}
DECLARED_AT = "slipway.dev/declared-at"
POSITION = "slipway.dev/position"
UNTIL = "slipway.dev/until"

# Source: istio/istio 1.29.1 manifests/charts/base/files/crd-all.gen.yaml, served versions.
API_VERSIONS = {
    "Namespace": "v1",
    "Service": "v1",
    "ServiceAccount": "v1",
    "NetworkPolicy": "networking.k8s.io/v1",
    "AuthorizationPolicy": "security.istio.io/v1",
    "PeerAuthentication": "security.istio.io/v1",
    "RequestAuthentication": "security.istio.io/v1",
    "Telemetry": "telemetry.istio.io/v1",
    "DestinationRule": "networking.istio.io/v1",
    "Gateway": "networking.istio.io/v1",
    "ServiceEntry": "networking.istio.io/v1",
    "Sidecar": "networking.istio.io/v1",
    "VirtualService": "networking.istio.io/v1",
    "WorkloadEntry": "networking.istio.io/v1",
    "WorkloadGroup": "networking.istio.io/v1",
}


class _Declared(Protocol):
    @property
    def name(self) -> str: ...

    @property
    def span(self) -> Span: ...


def clause(span: Span, path: str) -> str:
    """Return where an object was declared: file and path, without a line, so that other edits change nothing."""
    return f"{span.file} {path}"


def namespace_clause(mesh: model.Mesh, namespace: str) -> str:
    """Return where ``namespace`` is declared: at the first of its services by name."""
    name, span = min((item.name, item.span) for item in mesh.services_in(namespace))
    return clause(span, f"services.{name}.namespace")


def section_clause(items: Iterable[_Declared], section: str) -> str:
    """Return what stands for a whole section of the declaration: the file of its first entry by name."""
    _, span = min((item.name, item.span) for item in items)
    return clause(span, section)


def manifest(
    kind: str,
    *,
    name: str,
    declared_at: str,
    spec: Mapping[str, Any] | None,
    namespace: str = "",
    labels: Mapping[str, str] | None = None,
    annotations: Mapping[str, str] | None = None,
) -> Manifest:
    """Return one object with Slipway's labels and annotations; ``spec`` is ``None`` for kinds that have none."""
    return Manifest(
        api_version=API_VERSIONS[kind],
        kind=kind,
        name=name,
        namespace=namespace,
        labels={**(labels or {}), **MANAGED_BY},
        annotations={**(annotations or {}), DECLARED_AT: declared_at},
        body={} if spec is None else {"spec": dict(spec)},
    )
