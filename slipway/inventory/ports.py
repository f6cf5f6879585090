"""The Kubernetes Service of one declared service: its pods, its ports, and what Istio takes them for."""

from slipway.diagnostics import Collector, catalogue, wording
from slipway.inventory import facts, pods
from slipway.mesh import model

_SPOKEN = {
    "http": facts.Spoken.HTTP,
    "http2": facts.Spoken.HTTP2,
    "grpc": facts.Spoken.HTTP2,
    "tls": facts.Spoken.TLS,
    "tcp": facts.Spoken.TCP,
}


def check(service: model.Service, workload: model.Workload, found: facts.Facts, *, collector: Collector) -> None:
    """Report a Service that is not there or leads elsewhere, and ports that differ from the declared ones."""
    if not service.ports:
        return
    there = found.services_by_name.get((service.namespace, workload.service))
    if there is None or there.external_name:
        _missing(service, workload, found, there, collector)
        return
    selected = found.selected(service.namespace, dict(workload.labels))
    _check_selector(service, there, found, selected, collector)
    for port in service.ports:
        _check_port(service, port, there, selected, collector)
    for other in found.services_in.get(service.namespace, ()):
        if other is not there and any(other.selector and facts.selects(other.selector, i.labels) for i in selected):
            _check_other(service, other, selected, collector)


def _missing(
    service: model.Service,
    workload: model.Workload,
    found: facts.Facts,
    there: facts.Service | None,
    collector: Collector,
) -> None:
    known = [item.name for item in found.services if item.namespace == service.namespace and item != there]
    near = collector.nearest(workload.service, known)
    name = wording.quoted(f"{service.namespace}/{workload.service}")
    sentence = f"there is no Service {name}"
    if there is not None:
        sentence = f"the Service {name} is another name for {wording.quoted(there.external_name)} and leads to no pod"
    hint = f"did you mean `workload: {{service: {near}}}`?" if near else f"Services there: {wording.listed(known)}"
    collector.report(
        catalogue.OTHER_SERVICE,
        sentence,
        span=service.span,
        path=f"services.{service.name}.workload.service",
        found=workload.service,
        hint=hint,
    )


def _check_selector(
    service: model.Service,
    there: facts.Service,
    found: facts.Facts,
    selected: list[facts.Workload],
    collector: Collector,
) -> None:
    """Report a Service that reaches none of the pods, or pods of others too: those have other callers."""
    behind = found.selected(service.namespace, there.selector)
    others = [item for item in behind if item not in selected]
    name = wording.quoted(f"{there.namespace}/{there.name}")
    if others:
        told = wording.listed(f"{item.kind} {item.name}" for item in others)
        sentence = f"the Service {name} also leads to {told}, which {wording.quoted(service.name)} does not select"
        hint = "let both have one selector: `workload: {labels: ...}` here, or `spec.selector` of the Service"
    elif selected and not behind:
        sentence = f"the Service {name} leads to no pod of {wording.quoted(service.name)}"
        hint = f"mend its `spec.selector`; the pods have {wording.quoted(pods.shown(dict(selected[0].labels)))}"
    else:
        return
    collector.report(
        catalogue.OTHER_SERVICE,
        sentence,
        span=service.span,
        path=f"services.{service.name}.workload",
        found=pods.shown(dict(there.selector)),
        hint=hint,
    )


def _check_port(
    service: model.Service,
    port: model.Port,
    there: facts.Service,
    selected: list[facts.Workload],
    collector: Collector,
) -> None:
    name = wording.quoted(f"{there.namespace}/{there.name}")
    tcp = [item for item in there.ports if item.spoken is not facts.Spoken.UDP]
    live = next((item for item in tcp if item.number == port.service_port), None)
    wanted = _SPOKEN[port.protocol.app_protocol]
    if live is None:
        sentence = f"the Service {name} has no TCP port {port.service_port}"
        same = next((item.number for item in tcp if _target(item, selected) == port.number), None)
        found = ", ".join(str(item.number) for item in tcp)
        hint = f"ports of the Service: {found or 'none'}"
        if same is not None:
            hint = f"write `{port.name}: {{{_stated(port)}port: {port.number}, service: {same}}}`"
    elif (target := _target(live, selected)) != port.number:
        sentence = f"port {port.service_port} of the Service {name} leads to {target}, and declared is {port.number}"
        found = f"targetPort: {live.target}"
        hint = "policies act on the port where the workload listens: state that one"
        if isinstance(target, int):
            hint = f"write `{port.name}: {{{_stated(port)}port: {target}, service: {port.service_port}}}`"
    elif live.spoken is not wanted:
        guessed = live.spoken is facts.Spoken.UNDECLARED
        taken = "has to guess the protocol of" if guessed else f"takes for {wording.quoted(live.spoken.value)}"
        sentence = (
            f"Istio {taken} port {port.service_port} of the Service {name}, "
            f"and declared is {wording.quoted(port.protocol.value)}"
        )
        found = f"name: {live.name}" if live.name else "no name"
        hint = f"set `appProtocol: {port.protocol.app_protocol}` on that port of the Service"
    else:
        return
    path = f"services.{service.name}.ports.{port.name}"
    collector.report(catalogue.OTHER_PORT, sentence, span=port.span, path=path, found=found, hint=hint)


def _check_other(
    service: model.Service, other: facts.Service, selected: list[facts.Workload], collector: Collector
) -> None:
    """Report a second Service of the same pods that speaks otherwise on a declared port: the pods have one listener.

    Source: istio.io, ops/deployment/application-requirements, "Service association".
    """
    name = wording.quoted(f"{other.namespace}/{other.name}")
    for port in service.ports:
        wanted = _SPOKEN[port.protocol.app_protocol]
        for live in other.ports:
            if live.spoken in {wanted, facts.Spoken.UDP} or _target(live, selected) != port.number:
                continue
            sentence = (
                f"the Service {name} leads to port {port.number} of {wording.quoted(service.name)} too, as "
                f"{wording.quoted(live.spoken.value)}, and declared is {wording.quoted(port.protocol.value)}: "
                "a pod's port has one protocol"
            )
            collector.report(
                catalogue.OTHER_PORT,
                sentence,
                span=port.span,
                path=f"services.{service.name}.ports.{port.name}",
                found=f"port {live.number} of {other.name}",
                hint=f"set `appProtocol: {port.protocol.app_protocol}` on that port, or remove that Service",
            )


def _stated(port: model.Port) -> str:
    return "" if port.name == port.protocol.value else f"protocol: {port.protocol.value}, "


def _target(port: facts.ServicePort, selected: list[facts.Workload]) -> int | str:
    """Return the workload's port, by its name in the pods where the Service names it; the name when none has it."""
    if isinstance(port.target, int):
        return port.target
    return next((item.ports[port.target] for item in selected if port.target in item.ports), port.target)
