"""What is declared against what runs: every difference, at the clause that it contradicts."""

from collections.abc import Iterable, Sequence

from slipway.diagnostics import Collector, Diagnostic, catalogue, wording
from slipway.inventory import facts, machines, mesh_config, pods, ports
from slipway.mesh import model


def compare(mesh: model.Mesh, found: facts.Facts, *, unread: str = "") -> tuple[Diagnostic, ...]:
    """Return every difference between ``mesh`` and what runs (MESH0601 to MESH0612), sorted by place.

    What Slipway itself is about to make, as labels of namespaces and entries of machines, is only warned about.
    ``unread`` is why the mesh configuration could not be read, where it could not.
    """
    collector = Collector()
    for service in mesh.services:
        if service.workload is not None:
            pods.check(service, service.workload, found, revision=mesh.revision, collector=collector)
            ports.check(service, service.workload, found, collector=collector)
    _check_namespaces(mesh, found, collector)
    machines.check(mesh, found, collector)
    _check_undeclared(mesh, found, collector)
    if unread:
        mesh_config.unread(mesh, unread, collector)
    else:
        mesh_config.check(mesh, found, collector)
    return collector.diagnostics


def _declared_in(mesh: model.Mesh) -> dict[str, list[model.Service]]:
    """Return services in the cluster by namespace; those of teams are never empty."""
    spaces: dict[str, list[model.Service]] = {}
    for service in mesh.services:
        if service.workload is not None:
            spaces.setdefault(service.namespace, []).append(service)
    return spaces


def _check_namespaces(mesh: model.Mesh, found: facts.Facts, collector: Collector) -> None:
    """Report namespaces whose pods get no sidecar, or another revision's.

    Source: istio/istio 1.29.1 manifests/charts/istio-control/istio-discovery/templates/mutatingwebhook.yaml: a
    namespace with `istio-injection` is never the business of a revision's webhook.
    """
    for name, services in _declared_in(mesh).items():
        labels = found.namespaces.get(name)
        if labels is None:
            continue  # then nothing runs there either, which is told of each of its services
        place = services[0]
        revision = labels.get("istio.io/rev", "")
        if "istio-injection" in labels:
            sentence = (
                f"the namespace {wording.quoted(name)} has the label `istio-injection`, "
                "so the label with the revision counts for nothing there"
            )
            hint = f"kubectl label namespace {name} istio-injection-"
            shown = f"istio-injection: {labels['istio-injection']}"
            collector.report(
                catalogue.NEVER_INJECTED,
                sentence,
                span=place.span,
                path=f"services.{place.name}.namespace",
                found=shown,
                hint=hint,
            )
        elif revision != mesh.revision:
            other = f"the label of revision {wording.quoted(revision)}" if revision else "no label with a revision"
            sentence = f"the namespace {wording.quoted(name)} has {other}; declared is `{mesh.revision}`"
            hint = f"`slipway up {mesh.environment}` writes the label"
            collector.report(
                catalogue.NOT_INJECTED,
                sentence,
                span=place.span,
                path=f"services.{place.name}.namespace",
                found=revision,
                hint=hint,
            )


def _check_undeclared(mesh: model.Mesh, found: facts.Facts, collector: Collector) -> None:
    """Report what runs in a declared namespace and belongs to no service: deny-all is for it too."""
    for name, services in _declared_in(mesh).items():
        selectors = [dict(item.workload.labels) for item in services if item.workload is not None]
        others = [
            item
            for item in found.workloads_in.get(name, [])
            if not any(facts.selects(selector, item.labels) for selector in selectors)
        ]
        if others:
            accounts = {item.workload.service_account: item.name for item in services if item.workload is not None}
            _undeclared(name, services[0], others, accounts=accounts, collector=collector)


def _undeclared(
    namespace: str,
    place: model.Service,
    others: Sequence[facts.Workload],
    *,
    accounts: dict[str, str],
    collector: Collector,
) -> None:
    borrowed = [item for item in others if item.service_account in accounts]
    rest = [item for item in others if item.service_account not in accounts]
    if rest:
        sentence = (
            f"in the namespace {wording.quoted(namespace)} runs what no service is declared for: {_names(rest)}; "
            "once calls are enforced it is called by nobody and calls nobody"
        )
        hint = "declare it, or move it to a namespace that is not declared"
        collector.report(
            catalogue.UNDECLARED_WORKLOAD,
            sentence,
            span=place.span,
            path=f"services.{place.name}.namespace",
            found=namespace,
            hint=hint,
        )
    for account in sorted({item.service_account for item in borrowed}):
        users = [item for item in borrowed if item.service_account == account]
        owner = accounts[account]
        sentence = (
            f"{_names(users)} of the namespace {wording.quoted(namespace)} has the identity of "
            f"{wording.quoted(owner)} and is none of its pods: it may call whatever {wording.quoted(owner)} may"
        )
        hint = "give it a ServiceAccount of its own"
        collector.report(
            catalogue.UNDECLARED_WORKLOAD,
            sentence,
            span=place.span,
            path=f"services.{owner}.workload",
            found=account,
            hint=hint,
        )


def _names(items: Iterable[facts.Workload]) -> str:
    return wording.listed(f"{item.kind} {item.name}" for item in items)
