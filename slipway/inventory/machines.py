"""Machines of the declaration against the WorkloadEntries that are there."""

from slipway.diagnostics import Collector, catalogue, wording
from slipway.inventory import facts
from slipway.mesh import model


def check(mesh: model.Mesh, found: facts.Facts, collector: Collector) -> None:
    """Report machines that are not registered or otherwise, and entries that would get a service's traffic."""
    entries = {(item.namespace, item.name): item for item in found.entries}
    for machine in mesh.machines:
        entry = entries.get((machine.namespace, machine.name))
        if entry is None:
            _not_registered(mesh, machine, collector)
        else:
            _check_entry(machine, entry, collector)
    declared = {(item.namespace, item.name) for item in mesh.machines}
    for key, entry in entries.items():
        if key not in declared:
            _check_foreign(mesh, entry, collector)


def _not_registered(mesh: model.Mesh, machine: model.Machine, collector: Collector) -> None:
    name = wording.quoted(f"{machine.namespace}/{machine.name}")
    collector.report(
        catalogue.NOT_REGISTERED,
        f"there is no WorkloadEntry {name}: nobody reaches the machine by its service's name",
        span=machine.span,
        path=f"machines.{machine.name}",
        hint=f"`slipway up {mesh.environment}` registers it",
    )


def _check_entry(machine: model.Machine, entry: facts.Entry, collector: Collector) -> None:
    pairs = (
        ("address", machine.address, entry.address),
        ("serviceAccount", machine.service_account, entry.service_account),
    )
    for key, wanted, there in pairs:
        if wanted != there:
            sentence = (
                f"the WorkloadEntry {wording.quoted(f'{entry.namespace}/{entry.name}')} has "
                f"{wording.quoted(there)} as `{key}`, and declared is {wording.quoted(wanted)}"
            )
            hint = f"state `{key}: {wording.shown(there)}`, or let `slipway up` write the declared one"
            if key == "serviceAccount":
                hint = "let `slipway up` write the entry: a machine's ServiceAccount has its name"
            path = f"machines.{machine.name}" + (".address" if key == "address" else "")
            collector.report(
                catalogue.OTHER_REGISTRATION, sentence, span=machine.span, path=path, found=there, hint=hint
            )


def _check_foreign(mesh: model.Mesh, entry: facts.Entry, collector: Collector) -> None:
    name = wording.quoted(f"{entry.namespace}/{entry.name}")
    for service in mesh.services:
        if service.namespace == entry.namespace and facts.selects(service.selector, entry.labels):
            sentence = (
                f"the WorkloadEntry {name} at {wording.quoted(entry.address)} is not declared and carries the labels "
                f"of {wording.quoted(service.name)}: it gets a share of its requests"
            )
            hint = f"declare it under `machines` and in `runsOn` of {service.name}, or delete it"
            collector.report(
                catalogue.OTHER_REGISTRATION,
                sentence,
                span=service.span,
                path=f"services.{service.name}.runsOn",
                found=entry.name,
                hint=hint,
            )
