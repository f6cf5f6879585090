"""How a request to a declared service is routed: places, their weights, how long and how often."""

from typing import Any

from policies.bundles import workloads
from slipway.mesh import model, names, traffic

# Label of every pod with a sidecar, and of no machine: what tells pods from machines that carry the same labels.
# Source: istio/istio 1.29.1 manifests/charts/istio-control/istio-discovery/files/injection-template.yaml.
SIDECAR_LABEL = "security.istio.io/tlsMode"
VERSION_LABEL = "version"


def subset_name(place: str) -> str:
    """Return the name of the subset of a place: a label, as Istio wants it."""
    return names.label(place)


def place_labels(service: model.Service, place: str) -> dict[str, str]:
    """Return the labels that only the endpoints of one place carry: a machine, a version, or all pods."""
    if place in service.machines:
        return {workloads.MACHINE_LABEL: place}
    if place == names.CLUSTER:
        return {SIDECAR_LABEL: "istio"}
    return {VERSION_LABEL: place, SIDECAR_LABEL: "istio"}


def destinations(service: model.Service, *, host: str, port: int) -> list[dict[str, Any]]:
    """Return where requests to ``host`` on ``port`` go: to every endpoint, or to each place by its weight."""
    destination: dict[str, Any] = {"host": host, "port": {"number": port}}
    weights = service.traffic.weights
    if not weights:
        return [{"destination": destination}]
    return [
        {"destination": {**destination, "subset": subset_name(place)}, "weight": weight}
        for place, weight in weights
        if weight
    ]


def _retries(retries: traffic.Retries) -> dict[str, Any]:
    return {
        "attempts": retries.attempts,
        **({"perTryTimeout": retries.per_try_timeout} if retries.per_try_timeout else {}),
        **({"retryOn": ",".join(retries.on)} if retries.on else {}),
    }


def settings(service: model.Service) -> dict[str, Any]:
    """Return timeout and retries of an HTTP route to ``service``.

    Source: istio/api networking/v1/virtual_service.proto, `HTTPRoute`.
    """
    stated = service.traffic
    return {
        **({"timeout": stated.timeout} if stated.timeout else {}),
        **({} if stated.retries is None else {"retries": _retries(stated.retries)}),
    }
