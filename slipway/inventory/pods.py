"""Pods of one declared service: whether its selector finds them, as whom they run, and with which sidecar."""

from slipway.diagnostics import Collector, catalogue, wording
from slipway.inventory import facts
from slipway.mesh import model

_VERSION = "version"


def check(
    service: model.Service, workload: model.Workload, found: facts.Facts, *, revision: str, collector: Collector
) -> None:
    """Report a selector that matches nothing, another ServiceAccount, and pods without the declared sidecar."""
    selected = found.selected(service.namespace, dict(workload.labels))
    if not selected:
        _nothing_selected(service, workload, found, collector)
        return
    _check_versions(service, selected, collector)
    _check_accounts(service, workload, selected, collector)
    _check_sidecars(service, selected, revision=revision, collector=collector)
    _check_users(service, selected, collector)


def shown(labels: dict[str, str]) -> str:
    """Return labels as a selector, sorted."""
    return ",".join(f"{key}={value}" for key, value in sorted(labels.items()))


def _nothing_selected(
    service: model.Service, workload: model.Workload, found: facts.Facts, collector: Collector
) -> None:
    labels = dict(workload.labels)
    there = found.workloads_in.get(service.namespace, [])
    where = f"the namespace {wording.quoted(service.namespace)}"
    state = (
        f"{where} has {len(there)} workloads" if service.namespace in found.namespaces else f"{where} is not there"
    )
    sentence = (
        f"no pod of {wording.quoted(service.name)} is found by {wording.quoted(shown(labels))}: {state}; "
        "policies with this selector would protect nothing"
    )
    collector.report(
        catalogue.NOTHING_SELECTED,
        sentence,
        span=service.span,
        path=f"services.{service.name}.workload.labels",
        found=shown(labels),
        hint=_near(service, there, found, collector),
    )


def _near(service: model.Service, there: list[facts.Workload], found: facts.Facts, collector: Collector) -> str:
    """Return what to do: the labels of the workload with the nearest name, here or in another namespace."""
    named = {item.name: item for item in there}
    near = service.name if service.name in named else collector.nearest(service.name, named)
    if near is not None and named[near].labels:
        labels = named[near].labels
        key = next((key for key in ("app", "app.kubernetes.io/name") if key in labels), min(labels))
        return f"did you mean `workload: {{labels: {{{key}: {wording.shown(labels[key])}}}}}`, as {near} has?"
    elsewhere = sorted({item.namespace for item in found.workloads if item.name == service.name})
    if elsewhere:
        return f"a workload of that name runs in {wording.listed(elsewhere)}; state its `namespace`"
    return "state its `namespace` and `workload: {labels: ...}`, deploy it, or remove the service"


def _check_versions(service: model.Service, selected: list[facts.Workload], collector: Collector) -> None:
    there = {item.labels[_VERSION] for item in selected if _VERSION in item.labels}
    for version in service.versions:
        if version not in there:
            sentence = f"no pod of {wording.quoted(service.name)} has the label `version` {wording.quoted(version)}"
            hint = f"versions that run: {wording.listed(there)}"
            collector.report(
                catalogue.NOTHING_SELECTED,
                sentence,
                span=service.span,
                path=f"services.{service.name}.versions",
                found=version,
                hint=hint,
            )


def _check_accounts(
    service: model.Service, workload: model.Workload, selected: list[facts.Workload], collector: Collector
) -> None:
    others = {item.service_account for item in selected} - {workload.service_account}
    for account in sorted(others):
        users = wording.listed(f"{item.kind} {item.name}" for item in selected if item.service_account == account)
        sentence = (
            f"{wording.quoted(account)} is the ServiceAccount of {users}, and {wording.quoted(service.name)} is "
            f"declared to run as {wording.quoted(workload.service_account)}: its calls would be refused"
        )
        hint = f"state `workload: {{serviceAccount: {wording.shown(account)}}}`"
        if account == "default":
            hint = f"set `serviceAccountName: {workload.service_account}` in the pod template"
        collector.report(
            catalogue.OTHER_IDENTITY,
            sentence,
            span=service.span,
            path=f"services.{service.name}.workload.serviceAccount",
            found=account,
            hint=hint,
        )


def _check_sidecars(
    service: model.Service, selected: list[facts.Workload], *, revision: str, collector: Collector
) -> None:
    """Source: istio/istio 1.29.1 pkg/kube/inject/inject.go `injectRequired`: hostNetwork is never injected."""
    never = [item for item in selected if item.host_network or item.injection == "false"]
    if never:
        sentence = (
            f"pods of {wording.quoted(service.name)} never get a sidecar, so nothing would be enforced there: "
            f"{wording.listed(f'{item.kind} {item.name}' for item in never)}"
        )
        collector.report(
            catalogue.NEVER_INJECTED,
            sentence,
            span=service.span,
            path=f"services.{service.name}",
            found="hostNetwork: true" if never[0].host_network else "sidecar.istio.io/inject: false",
            hint="take it out of the pod template, or declare the caller with `sidecar: none`",
        )
    without = [item for item in selected if item.kind == "Pod" and item not in never and item.sidecar != revision]
    if without:
        pods = sum(item.kind == "Pod" for item in selected)
        revisions = {"none" if item.sidecar is None else item.sidecar or "default" for item in without}
        sentence = (
            f"{len(without)} of {pods} pods of {wording.quoted(service.name)} run without the sidecar of `{revision}`"
        )
        collector.report(
            catalogue.NOT_INJECTED,
            sentence,
            span=service.span,
            path=f"services.{service.name}",
            found=f"sidecar: {', '.join(sorted(revisions))}",
            hint="`slipway up` restarts them once the namespace has its label",
        )


def _check_users(service: model.Service, selected: list[facts.Workload], collector: Collector) -> None:
    past = sorted({f"{name} of {item.kind} {item.name}" for item in selected for name in item.past_sidecar})
    if past:
        sentence = (
            f"containers of {wording.quoted(service.name)} run as the sidecar's user or group {facts.PROXY_USER}, "
            f"whose packets are not captured: {wording.listed(past)}"
        )
        collector.report(
            catalogue.PROXY_USER,
            sentence,
            span=service.span,
            path=f"services.{service.name}",
            found=str(facts.PROXY_USER),
            hint="give the container another `runAsUser` and `runAsGroup`",
        )
