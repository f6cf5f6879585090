"""How policies select what runs a service."""

from dataclasses import dataclass

from slipway.mesh import model

MACHINE_LABEL = "slipway.dev/machine"


@dataclass(frozen=True, slots=True, kw_only=True)
class Selection:
    """One selector for what runs ``service``: pods (and machines that carry the same labels), or one machine.

    ``name`` is the name of objects for this selection, unique in ``service``'s namespace: services and machines have
    names without dots, so what stands before the dot cannot be mistaken, nor taken for ``default`` or ``deny-all``.
    """

    name: str
    service: model.Service
    labels: dict[str, str]


def machine_labels(mesh: model.Mesh, machine: model.Machine) -> dict[str, str]:
    """Return the labels of a machine's WorkloadEntry: those of its service's pods, if any, and its own."""
    labels: dict[str, str] = {}
    for name in machine.services:
        labels.update(mesh.service(name).selector)
    return {**labels, MACHINE_LABEL: machine.name}


def selections(service: model.Service) -> tuple[Selection, ...]:
    """Return the selectors of ``service``, which never overlap.

    A machine of a service that also runs in the cluster carries its pods' labels, so one selector finds both: two
    Sidecars or PeerAuthentications for one workload would be undefined.
    Source: istio/api networking/v1/sidecar.proto, "multiple Sidecar configurations".
    """
    if service.workload is not None:
        return (Selection(name=f"{service.name}.pods", service=service, labels=service.selector),)
    return tuple(
        Selection(name=f"{service.name}.{machine}", service=service, labels={MACHINE_LABEL: machine})
        for machine in service.machines
    )


def all_selections(mesh: model.Mesh) -> tuple[Selection, ...]:
    """Return the selectors of every service."""
    return tuple(selection for service in mesh.services for selection in selections(service))


def team_namespaces(mesh: model.Mesh) -> tuple[str, ...]:
    """Return the declared namespaces that hold cluster workloads, which belong to teams, sorted."""
    return tuple(sorted({item.namespace for item in mesh.services if item.workload is not None}))
