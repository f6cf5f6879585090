"""What differs per environment: machines and the address plan."""

import dataclasses
from collections.abc import Iterable, Mapping

from slipway.diagnostics import Collector, catalogue, wording
from slipway.mesh import azure, azure_keys, azure_plan, environment_keys, model, platforms
from slipway.mesh.reading import Found

_POD_NETWORK = "podNetwork"
_PLAN_KEYS = {"control_plane": "controlPlane"}  # fields of Network whose key is spelt otherwise
SSH_PORT = 22
_OPTIONAL = {"vault", "archive", "infrastructure", "egress"}
_DERIVED_ON_AZURE = {"vault", "archive", "controlPlane", "ingress", "egress"}  # from `infrastructure`
_OF_MACHINES = {"machines", "resolver", "metadata", "controlPlane"}


def read_machines(
    machines: Mapping[str, Found],
    *,
    services: Iterable[model.Service],
    settings: azure.Azure | None,
    collector: Collector,
) -> tuple[model.Machine, ...]:
    """Return every machine with the service that it runs, sorted by name; ``settings`` are those of Azure."""
    hosted: dict[str, list[model.Service]] = {name: [] for name in machines}
    for service in services:
        for name in service.machines:
            hosted.get(name, []).append(service)
    made = (_machine(name, found, hosted[name], collector) for name, found in sorted(machines.items()))
    return tuple(item if settings is None else _on_azure(item, machines[item.name], settings) for item in made)


def _on_azure(machine: model.Machine, found: Found, settings: azure.Azure) -> model.Machine:
    """Return ``machine`` with what Azure needs; its locality is that of its zone, as AKS labels nodes.

    Source: AKS documentation, availability-zones, "topology.kubernetes.io/zone".
    """
    zone = found.text_of("zone") or next(iter(settings.zones), "")
    place = f"{settings.region}/{settings.region}-{zone}" if zone else settings.region
    disk = azure_keys.DATABASE_DISK_GIB if machine.database is not None else 0
    return dataclasses.replace(
        machine,
        size=found.text_of("size", azure_keys.MACHINE_SIZE),
        zone=zone,
        disk_gib=found.whole_of("diskGib", disk),
        locality=machine.locality or place,
    )


def _machine(name: str, found: Found, hosted: list[model.Service], collector: Collector) -> model.Machine:
    _check_hosted(name, found, hosted, collector)
    database = found.get("database")
    return model.Machine(
        name=name,
        namespace=hosted[0].namespace if hosted else "",
        service_account=name,
        address=found.text_of("address"),
        services=tuple(sorted(service.name for service in hosted)),
        cloud_config=found.text_of("cloudConfig"),
        database=None if database is None else _database(database, hosted, collector),
        span=found.key,
        locality=found.text_of("locality"),
        ssh=_administration(found.get("ssh")),
    )


def _administration(found: Found | None) -> model.Administration | None:
    if found is None:
        return None
    return model.Administration(source=found.text or found.text_of("from"), port=found.whole_of("port", SSH_PORT))


def _check_hosted(name: str, found: Found, hosted: list[model.Service], collector: Collector) -> None:
    if not hosted:
        sentence = f"no service runs on the machine {wording.quoted(name)}, so it has no namespace and no identity"
        hint = f"add `runsOn: [{name}]` to its service, or remove the machine"
        collector.report(catalogue.IDLE_MACHINE, sentence, span=found.key, path=found.path, found=name, hint=hint)
    if len(hosted) > 1:
        names = wording.listed(service.name for service in hosted)
        spaces = {service.namespace for service in hosted}
        apart = f", in the namespaces {wording.listed(spaces)}" if len(spaces) > 1 else ""
        sentence = f"the services {names} run on one machine{apart}; a machine has one identity and one service"
        collector.report(
            catalogue.SHARED_MACHINE,
            sentence,
            span=found.key,
            path=found.path,
            found=name,
            hint="declare a machine for each, or declare the services together as one with several ports",
            related=[service.span for service in hosted],
        )


def _database(found: Found, hosted: list[model.Service], collector: Collector) -> model.Database:
    ports = [port for service in hosted for port in service.ports]
    if hosted and not any(port.protocol is model.Protocol.POSTGRES for port in ports):
        names = wording.listed(service.name for service in hosted)
        sentence = f"the machine has a PostgreSQL database, and its service {names} has no port with that protocol"
        hint = "add `ports: {postgres: 5432}` to the service, or remove `database`"
        collector.report(catalogue.NO_DATABASE_PORT, sentence, span=found.key, path=found.path, hint=hint)
    return model.Database(name=found.text_of("name"), users=tuple(sorted(item.text for item in found.list("users"))))


def read_sidecar(
    found: Found | None, *, platform: model.PlatformKind, collector: Collector
) -> model.SidecarPackage | None:
    """Return the package for machines that others booted. Reports MESH0809 where every machine is booted by us."""
    if found is None:
        return None
    if platform is not model.PlatformKind.EXISTING:
        sentence = f"`sidecar` means nothing on the platform `{platform.value}`, which makes its machines with theirs"
        hint = (
            "remove it" if platform is model.PlatformKind.LAB else "state it as `azure: {machines: {sidecar: ...}}`"
        )
        collector.report(catalogue.OTHER_PLATFORM, sentence, span=found.key, path=found.path, hint=hint)
        return None
    return model.SidecarPackage(url=found.text_of("url"), sha256=found.text_of("sha256"))


def read_network(
    found: Found | None,
    *,
    platform: model.PlatformKind,
    settings: azure.Azure | None,
    environment: Found,
    has_ingress: bool,
    collector: Collector,
) -> model.Network:
    """Return the address plan: the platform's own, with what the environment states instead.

    ``settings`` are those of Azure, which says by itself where pods get their addresses from. Where all is there
    already, what is about machines or the ingress is needed only with them, and empty without.
    """
    values = platforms.plan(platform)
    if found is not None:
        values |= {key: item.text for key, item in found.fields.items() if key != _POD_NETWORK}
    if platform is model.PlatformKind.AZURE:
        values = azure_plan.derived(values) | values
    named = [item.name for item in dataclasses.fields(model.Network) if item.name != "overlay"]
    keys = {name: _PLAN_KEYS.get(name, name) for name in named}
    optional = _DERIVED_ON_AZURE if platform is model.PlatformKind.AZURE else _OPTIONAL
    if platform is model.PlatformKind.EXISTING:
        optional = optional | (set() if environment.entries("machines") else _OF_MACHINES)
        optional |= set() if has_ingress else {"ingress"}
    missing = sorted(key for key in keys.values() if key not in values and key not in optional)
    if missing:
        place = found or environment
        sentence = f"the address plan of the platform `{platform.value}` needs {wording.listed(missing)}"
        hint = f"add `network: {{{', '.join(f'{key}: ...' for key in missing)}}}`"
        collector.report(catalogue.MISSING_KEY, sentence, span=place.key, path=place.path or "network", hint=hint)
    overlay = _is_overlay(found, settings=settings, collector=collector)
    if not overlay:
        _check_idle(found, collector)
    known = {name: values.get(key, "") for name, key in keys.items() if overlay or name != "egress"}
    return model.Network(**known, overlay=overlay)


def _is_overlay(found: Found | None, *, settings: azure.Azure | None, collector: Collector) -> bool:
    stated = None if found is None else found.get(_POD_NETWORK)
    if settings is None:
        return stated is not None and stated.text == environment_keys.OVERLAY
    if stated is not None:
        sentence = f"`{_POD_NETWORK}` means nothing on Azure, where `azure.pods` says it"
        hint = "remove it, and state `azure: {pods: overlay}` for an overlay"
        collector.report(catalogue.OTHER_PLATFORM, sentence, span=stated.key, path=stated.path, hint=hint)
    return settings.pod_network is azure.PodNetwork.OVERLAY


def _check_idle(found: Found | None, collector: Collector) -> None:
    stated = None if found is None else found.get("egress")
    if stated is not None:
        sentence = "`egress` means nothing where machines reach the egress gateway's pods"
        hint = f"remove it, or state `{_POD_NETWORK}: {environment_keys.OVERLAY}`"
        collector.report(catalogue.OTHER_PLATFORM, sentence, span=stated.key, path=stated.path, hint=hint)
