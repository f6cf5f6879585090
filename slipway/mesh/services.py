"""Services: where they run, how their pods are found, how requests reach them."""

from collections.abc import Mapping

from slipway.diagnostics import Collector, catalogue, wording
from slipway.mesh import model, names, plain_callers, read_traffic
from slipway.mesh.calls import CallReader
from slipway.mesh.placement import Placement
from slipway.mesh.reading import Found


def read_services(
    services: Mapping[str, Found], *, calls: CallReader, placement: Placement, collector: Collector
) -> tuple[model.Service, ...]:
    """Return every service, sorted by name; names that are mentioned and not declared are reported."""
    return tuple(
        _service(name, found, calls=calls, placement=placement, collector=collector)
        for name, found in sorted(services.items())
    )


def _service(
    name: str, found: Found, *, calls: CallReader, placement: Placement, collector: Collector
) -> model.Service:
    plain_callers.check_with_sidecar(name, found, collector)
    places = placement.places(name)
    versions = tuple(sorted(item.text for item in found.list("versions") if item.text))
    weights = placement.weights(name, places=places, versions=versions)
    ports = calls.ports[name]
    return model.Service(
        name=name,
        namespace=_namespace(name, found, collector),
        ports=ports,
        service_calls=calls.service_calls(name, found),
        external_calls=calls.external_calls(found),
        workload=_workload(name, found, places, placement, collector),
        machines=tuple(sorted(places - {names.CLUSTER})),
        names=tuple(sorted(item.text for item in found.list("names"))),
        span=found.key,
        traffic=read_traffic.read_traffic(found, ports=ports, weights=weights, collector=collector),
        versions=versions if names.CLUSTER in places else (),
        owner=found.text_of("owner"),
    )


def _namespace(name: str, found: Found, collector: Collector) -> str:
    stated = found.get("namespace")
    if stated is None and not found.refused:
        sentence = f"nothing says in which namespace {wording.quoted(name)} stands"
        hint = "add `namespace: ...` to the service, or to the file for all its services"
        collector.report(catalogue.MISSING_KEY, sentence, span=found.key, path=found.path, hint=hint)
    return found.text_of("namespace")


def _workload(
    name: str, service: Found, places: frozenset[str], placement: Placement, collector: Collector
) -> model.Workload | None:
    if names.CLUSTER not in places:
        for key in ("workload", "versions"):
            stated = service.get(key)
            if stated is not None and not placement.is_moved(name):
                sentence = f"{wording.quoted(name)} has `{key}`, which is about pods, and runs on machines only"
                hint = f"remove `{key}`, or add `cluster` to `runsOn`"
                collector.report(catalogue.NOT_ON_CLUSTER, sentence, span=stated.key, path=stated.path, hint=hint)
        return None
    found = service.get("workload") or Found(span=service.span, key=service.key, path=service.path)
    labels = {key: value.text for key, value in found.entries("labels").items()} or {"app": name}
    return model.Workload(
        labels=tuple(sorted(labels.items())),
        service_account=found.text_of("serviceAccount", name),
        service=found.text_of("service", name),
    )
