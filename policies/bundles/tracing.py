"""Telemetry: spans to Zipkin, an access log that names caller and callee."""

from typing import Any

from policies.bundles import gateways, objects, overlay, providers, workloads
from slipway.manifests.manifest import Manifest
from slipway.mesh import model


def _spec(mesh: model.Mesh, *, namespace: str, zipkin: str = providers.ZIPKIN) -> dict[str, Any]:
    spec: dict[str, Any] = {"accessLogging": [{"providers": [{"name": providers.ACCESS_LOG}]}]}
    if mesh.tracing is not None and namespace != gateways.EGRESS.namespace:
        percent = mesh.tracing.sample_percent
        spec["tracing"] = [{"providers": [{"name": zipkin}], "randomSamplingPercentage": percent}]
    return spec


def emit_telemetry(mesh: model.Mesh) -> tuple[Manifest, ...]:
    """Return one Telemetry per declared namespace and per gateway namespace of ours; none for the whole mesh.

    The egress gateway does not trace: it would write the trace into plain HTTP that leaves, which Istio 1.29.1 cannot
    turn off otherwise, and of a caller's own TLS it sees no request. A machine that does not reach the tracing
    service's pods has one more, for its own way there.
    """
    places = {name: objects.namespace_clause(mesh, name) for name in mesh.namespaces}
    places.update(gateways.own_namespaces(mesh))
    found = [
        objects.manifest(
            "Telemetry", name="default", namespace=name, declared_at=declared_at, spec=_spec(mesh, namespace=name)
        )
        for name, declared_at in places.items()
    ]
    return (*found, *(_of_machine(mesh, item) for item in mesh.machines if overlay.traced(mesh)))


def _of_machine(mesh: model.Mesh, machine: model.Machine) -> Manifest:
    spec = _spec(mesh, namespace=machine.namespace, zipkin=providers.ZIPKIN_OF_MACHINES)
    return objects.manifest(
        "Telemetry",
        name=f"{machine.name}.machine",
        namespace=machine.namespace,
        declared_at=objects.clause(machine.span, f"machines.{machine.name}"),
        spec={"selector": {"matchLabels": {workloads.MACHINE_LABEL: machine.name}}, **spec},
    )
