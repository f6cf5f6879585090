"""Machines in the mesh: identity, registration, one name in the cluster, and the names of today."""

from typing import Any

from policies.bundles import gateways, objects, overlay, workloads
from slipway.manifests.manifest import Manifest
from slipway.mesh import model, names

_PROTOCOLS = {"http": "HTTP", "http2": "HTTP2", "grpc": "GRPC", "tls": "TLS", "tcp": "TCP"}


def port_name(port: model.Port) -> str:
    """Return the port's name in a Service: its protocol as Istio knows it, then its own name."""
    protocol = port.protocol.app_protocol
    return protocol if port.name == protocol else f"{protocol}-{port.name}"


def _ports(service: model.Service) -> tuple[model.Port, ...]:
    return tuple(sorted(service.ports, key=lambda item: (item.number, item.name)))


def _machine_ports(mesh: model.Mesh, machine: model.Machine) -> dict[str, int]:
    ports = [port for name in machine.services for port in _ports(mesh.service(name))]
    return {port_name(port): port.number for port in ports}


def _machine_objects(mesh: model.Mesh, machine: model.Machine) -> tuple[Manifest, ...]:
    """Return identity, WorkloadGroup and declared WorkloadEntry of one machine.

    The entry names its ServiceAccount, so callers use mutual TLS towards it and the machine's certificate must match.
    It does not ask istiod for health checks: istiod takes a declared entry that is not healthy yet for deleted, so a
    machine that reconnects gets no inbound listener, and when the entry turns healthy that is an update, for which
    istiod pushes nothing to the machine. Callers notice a dead machine by its refused connections.
    Source: istio/istio 1.29.1 pilot/pkg/serviceregistry/serviceentry/controller.go `workloadEntryHandler`, seen on
    the lab; istio/api networking/v1/workload_entry.proto.
    """
    labels = workloads.machine_labels(mesh, machine)
    ports = _machine_ports(mesh, machine)
    network = {"network": names.NETWORK_OF_MACHINES} if overlay.is_apart(mesh) else {}
    common: dict[str, Any] = {
        "namespace": machine.namespace,
        "declared_at": objects.clause(machine.span, f"machines.{machine.name}"),
    }
    group: dict[str, Any] = {
        "metadata": {"labels": labels},
        "template": {"serviceAccount": machine.service_account, "ports": ports, **network},
    }
    entry = {
        "address": machine.address,
        "labels": labels,
        "serviceAccount": machine.service_account,
        "ports": ports,
        **network,
        **({"locality": machine.locality} if machine.locality else {}),
    }
    return (
        objects.manifest("ServiceAccount", name=machine.service_account, spec=None, **common),
        objects.manifest("WorkloadGroup", name=machine.name, spec=group, **common),
        objects.manifest(
            "WorkloadEntry",
            name=machine.name,
            spec=entry,
            labels=labels,
            **common,
        ),
    )


def _service(service: model.Service) -> Manifest:
    """Return the Kubernetes Service of a service that runs on machines only.

    Every port says its protocol: one that Istio has to guess loses HTTP rules or delays server-first protocols.
    """
    ports = [
        {
            "name": port_name(port),
            "port": port.service_port,
            "targetPort": port.number,
            "protocol": "TCP",
            "appProtocol": port.protocol.app_protocol,
        }
        for port in _ports(service)
    ]
    return objects.manifest(
        "Service",
        name=service.name,
        namespace=service.namespace,
        declared_at=objects.clause(service.span, f"services.{service.name}"),
        spec={"selector": service.selector, "ports": ports},
    )


def _names(mesh: model.Mesh, service: model.Service) -> tuple[Manifest, ...]:
    """Return the names of today as a ServiceEntry over the same endpoints, visible to callers only.

    Its addresses are the machines', so that callers who know the address arrive too and two TCP services on one port
    stay apart; in the cluster alone, istiod allocates one. Its ports are the workload's, translated by nothing today.
    Authorization is at the server, so the names need no policy. istiod refuses several hosts in one entry with a port
    that carries neither HTTP nor TLS, since nothing in a connection tells them apart: each name has an entry then.
    Source: istio/api networking/v1/service_entry.proto; istio.io ops/configuration/traffic-management/dns-proxy;
    istio/istio 1.29.1 pkg/config/validation/validation.go, `validateServiceEntry`.
    """
    callers = {caller.namespace for caller, _ in mesh.callers(service.name)}
    if not service.names or not callers:
        return ()
    if service in overlay.passed_through(mesh):
        callers.add(gateways.ISTIO_NAMESPACE)  # a gateway passes on what it knows
    addresses = sorted(mesh.machine(name).address for name in service.machines)
    spec = {
        "location": "MESH_INTERNAL",
        "resolution": "STATIC",
        "exportTo": sorted(callers),
        **({"addresses": addresses} if addresses else {}),
        "ports": [
            {
                "number": port.number,
                "name": port_name(port),
                "protocol": _PROTOCOLS[port.protocol.app_protocol],
                "targetPort": port.number,
            }
            for port in _ports(service)
        ],
        "workloadSelector": {"labels": service.selector},
    }
    return tuple(
        objects.manifest(
            "ServiceEntry",
            name=name,
            namespace=service.namespace,
            declared_at=objects.clause(service.span, f"services.{service.name}.names"),
            spec={"hosts": hosts, **spec},
        )
        for name, hosts in _entries(service)
    )


def _entries(service: model.Service) -> list[tuple[str, list[str]]]:
    """Return the entries of a service's names: one for all, or one for each where connections do not name a host."""
    hosts = sorted(service.names)
    if len(hosts) == 1 or all(port.protocol.app_protocol != "tcp" for port in service.ports):
        return [(service.name, hosts)]
    return [(names.subdomain(service.name, host), [host]) for host in hosts]


def emit_registration(mesh: model.Mesh) -> tuple[Manifest, ...]:
    """Return the objects that make machines members of the mesh, and the names of today.

    A service that also runs in the cluster keeps its team's Service, which finds the machines by the pods' labels.
    One that listens on nothing has no Service, which needs a port.
    """
    machines = [item for machine in mesh.machines for item in _machine_objects(mesh, machine)]
    services = [_service(item) for item in mesh.services if item.workload is None and item.ports]
    aliases = [item for service in mesh.services for item in _names(mesh, service)]
    return (*machines, *services, *aliases)
