"""Telemetry: spans to Zipkin, an access log that names caller and callee."""

from typing import Any

from policies.bundles import gateways, objects, providers
from slipway.manifests.manifest import Manifest
from slipway.mesh import model


def _spec(mesh: model.Mesh, *, namespace: str) -> dict[str, Any]:
    spec: dict[str, Any] = {"accessLogging": [{"providers": [{"name": providers.ACCESS_LOG}]}]}
    if mesh.tracing is not None and namespace != gateways.EGRESS.namespace:
        percent = mesh.tracing.sample_percent
        spec["tracing"] = [{"providers": [{"name": providers.ZIPKIN}], "randomSamplingPercentage": percent}]
    return spec


def emit_telemetry(mesh: model.Mesh) -> tuple[Manifest, ...]:
    """Return one Telemetry per declared namespace and per gateway namespace of ours; none for the whole mesh.

    The egress gateway does not trace: it would write the trace into plain HTTP that leaves, which Istio 1.29.1 cannot
    turn off otherwise, and of a caller's own TLS it sees no request.
    """
    places = {name: objects.namespace_clause(mesh, name) for name in mesh.namespaces}
    places.update(gateways.own_namespaces(mesh))
    return tuple(
        objects.manifest(
            "Telemetry", name="default", namespace=name, declared_at=declared_at, spec=_spec(mesh, namespace=name)
        )
        for name, declared_at in places.items()
    )
