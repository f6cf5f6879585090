"""The sidecar's own files on a machine: what it captures, who it is, where its control plane is."""

import json

import yaml

from slipway.machines import arguments

# Never captured: SSH and the proxy's own ports. Source: istio 1.29.1, istioctl/pkg/workload/workload.go.
UNCAPTURED_INBOUND_PORTS = (22, 15090, 15021, 15020)


def cluster_environment(machine: arguments.MachineArguments) -> str:
    """Return ``/var/lib/istio/envoy/cluster.env``, sourced by istio-start.sh for capture rules and proxy alike.

    Source: istio 1.29.1, istioctl/pkg/workload/workload.go `createClusterEnv`, tools/packaging/common/istio-start.sh.
    """
    name, namespace = machine.machine.name, machine.machine.namespace
    service = machine.services[0].name
    values = {
        "CANONICAL_REVISION": "latest",
        "CANONICAL_SERVICE": service,
        "CA_ADDR": _discovery_address(machine),
        # Not what happens to be in the kernel: clean-up must find the rules that an earlier start made.
        # Source: istio 1.29.1, tools/istio-iptables/pkg/dependencies/implementation.go `DetectIptablesVersion`.
        "FORCE_IPTABLES_BINARY": "nft",
        "ISTIO_INBOUND_PORTS": "*",
        "ISTIO_LOCAL_EXCLUDE_PORTS": ",".join(str(port) for port in _uncaptured_ports(machine)),
        "ISTIO_METAJSON_LABELS": json.dumps(labels(machine), sort_keys=True),
        "ISTIO_NAMESPACE": namespace,
        "ISTIO_SERVICE": f"{service}.{namespace}",
        "ISTIO_SERVICE_CIDR": "*",
        "ISTIO_SERVICE_EXCLUDE_CIDR": ",".join(_uncaptured_destinations(machine)),
        "ISTIO_SVC_IP": machine.machine.address,
        "POD_NAME": name,
        "POD_NAMESPACE": namespace,
        "SERVICE_ACCOUNT": machine.machine.service_account,
        "TRUST_DOMAIN": machine.trust_domain,
        **_proxy_metadata(machine),
    }
    return "".join(f"{key}='{value}'\n" for key, value in sorted(values.items()))


def mesh_config(machine: arguments.MachineArguments) -> str:
    """Return ``/etc/istio/config/mesh``: the proxy's configuration as pilot-agent reads it.

    Source: istio 1.29.1, pilot/cmd/pilot-agent/config/config.go.
    """
    document = {
        "defaultConfig": {
            "discoveryAddress": _discovery_address(machine),
            "meshId": machine.mesh_name,
            "proxyMetadata": _proxy_metadata(machine),
        },
    }
    return yaml.safe_dump(document, sort_keys=True)


def labels(machine: arguments.MachineArguments) -> dict[str, str]:
    """Return the labels by which policies find the machine's proxy: those of its declared WorkloadEntry."""
    return {**machine.services[0].selector, "slipway.dev/machine": machine.machine.name}


def hosts_line(machine: arguments.MachineArguments) -> str:
    """Return the line of ``/etc/hosts`` by which the proxy finds istiod before it can ask anybody."""
    return f"{machine.control_plane} {machine.control_plane_host}"


def _discovery_address(machine: arguments.MachineArguments) -> str:
    return f"{machine.control_plane_host}:{arguments.CONTROL_PLANE_PORT}"


def _uncaptured_ports(machine: arguments.MachineArguments) -> tuple[int, ...]:
    ssh = machine.machine.ssh
    other = () if ssh is None or ssh.port in UNCAPTURED_INBOUND_PORTS else (ssh.port,)
    return (*UNCAPTURED_INBOUND_PORTS, *other)


def _uncaptured_destinations(machine: arguments.MachineArguments) -> tuple[str, ...]:
    known = machine.guard
    found = (known.metadata, known.resolver, known.vault, known.archive)
    return tuple(f"{address}/32" for address in found if address)


def _proxy_metadata(machine: arguments.MachineArguments) -> dict[str, str]:
    # PROXY_CONFIG_XDS_AGENT: without it the proxy ignores a new root certificate after the first one.
    # Source: istio 1.29.1, pilot/cmd/pilot-agent/options/options.go `enableProxyConfigXdsEnv`.
    return {
        "ISTIO_META_CLUSTER_ID": machine.cluster,
        "ISTIO_META_DNS_CAPTURE": "true",
        "ISTIO_META_MESH_ID": machine.mesh_name,
        **({"ISTIO_META_NETWORK": machine.network} if machine.network else {}),
        "ISTIO_META_WORKLOAD_ENTRY": machine.machine.name,
        "ISTIO_META_WORKLOAD_NAME": machine.machine.name,
        "PROXY_CONFIG_XDS_AGENT": "true",
    }
