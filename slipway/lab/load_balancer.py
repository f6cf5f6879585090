"""What Azure's load balancer does for Services: each of type LoadBalancer gets an address of the node's."""

import sys
import time
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import kubernetes.client
import kubernetes.config
import kubernetes.watch

from slipway.lab import instance as instances
from slipway.lab import network, supervision

_WATCH_TIMEOUT_S = 20  # after which everything is looked at again
_REQUEST_TIMEOUT_S = 10.0
_RESYNC_PAUSE_S = 1.0
RESERVED = (
    instances.INGRESS_ADDRESS,
    instances.CONTROL_PLANE_ADDRESS,
    *instances.AZURE_LOAD_BALANCER_ADDRESSES,
)
# Source: AKS documentation, configure-load-balancer-standard, "Additional customizations via Kubernetes annotations".
AZURE_ADDRESS = "service.beta.kubernetes.io/azure-load-balancer-ipv4"


def service(instance: instances.Instance) -> supervision.Service:
    """Return the controller as a program; it enters the node's namespace only to add addresses."""
    return supervision.Service(
        name="load-balancer",
        host=instances.NODE,
        needs=supervision.Needs.NODE,
        reads=(instance.state / "kubeconfigs" / "load-balancer",),
        argv=supervision.python_module("slipway.lab.load_balancer", str(instance.state)),
    )


def assign(services: Iterable[Mapping[str, Any]]) -> dict[tuple[str, str], str]:
    """Return the address of each Service of type LoadBalancer, by namespace and name.

    ``services`` are objects as the API writes them. `spec.loadBalancerIP`, or the annotation that AKS reads, wins
    when it is one of the lab's and the first to ask for it; a Service keeps the address that its status says; the
    others get the next free one of 10.60.1.102 to .119, oldest first. A Service for which there is none is absent.
    """
    wanting = sorted((item for item in services if _is_load_balanced(item)), key=_age)
    assigned: dict[tuple[str, str], str] = {}
    for item in wanting:
        asked = _asked(item)
        if asked in {*RESERVED, *instances.LOAD_BALANCER_ADDRESSES} and asked not in assigned.values():
            assigned[_key(item)] = asked
    for item in wanting:
        current = _current(item)
        if not _asked(item) and current and current not in assigned.values():
            assigned[_key(item)] = current
    for item in wanting:
        if _key(item) not in assigned and not _asked(item):
            free = [address for address in instances.LOAD_BALANCER_ADDRESSES if address not in assigned.values()]
            if free:
                assigned[_key(item)] = free[0]
    return assigned


def _is_load_balanced(item: Mapping[str, Any]) -> bool:
    # Source: Kubernetes API, Service `spec.loadBalancerClass`: a class of somebody else is theirs.
    return item["spec"].get("type") == "LoadBalancer" and not item["spec"].get("loadBalancerClass")


def _asked(item: Mapping[str, Any]) -> str:
    return item["spec"].get("loadBalancerIP") or item["metadata"].get("annotations", {}).get(AZURE_ADDRESS, "")


def _key(item: Mapping[str, Any]) -> tuple[str, str]:
    return (item["metadata"]["namespace"], item["metadata"]["name"])


def _age(item: Mapping[str, Any]) -> tuple[str, tuple[str, str]]:
    return (str(item["metadata"].get("creationTimestamp", "")), _key(item))


def _current(item: Mapping[str, Any]) -> str:
    ingress = item.get("status", {}).get("loadBalancer", {}).get("ingress") or [{}]
    return ingress[0].get("ip", "")


def _reconcile(core: Any, listed: Sequence[Mapping[str, Any]]) -> None:
    assigned = assign(listed)
    # Inside the node's namespace already: kube-proxy forwards these, the interface only has to answer for them.
    addresses = (*RESERVED, *instances.LOAD_BALANCER_ADDRESSES)
    network.keep_local_addresses(sorted(assigned.values()), among=addresses)
    for item in listed:
        wanted = assigned.get(_key(item), "")
        if wanted and _current(item) != wanted:
            namespace, name = _key(item)
            status = {"status": {"loadBalancer": {"ingress": [{"ip": wanted, "ipMode": "VIP"}]}}}
            core.patch_namespaced_service_status(name, namespace, status, _request_timeout=_REQUEST_TIMEOUT_S)
            sys.stdout.write(f"{namespace}/{name}: {wanted}\n")
        elif not wanted and _is_load_balanced(item):
            sys.stdout.write(f"{'/'.join(_key(item))}: no free address, or one that is not the lab's\n")


def main(arguments: Sequence[str]) -> None:
    """Watch Services for ever: STATE_FOLDER. Any failure ends the process, which is then started anew."""
    (state,) = arguments
    kubernetes.config.load_kube_config(f"{state}/kubeconfigs/load-balancer")
    client = kubernetes.client.ApiClient()
    core = kubernetes.client.CoreV1Api(client)
    while True:
        found: Any = core.list_service_for_all_namespaces(_request_timeout=_REQUEST_TIMEOUT_S)
        items: Any = client.sanitize_for_serialization(found.items)
        known: dict[tuple[str, str], Any] = {_key(item): item for item in items}
        _reconcile(core, list(known.values()))
        version = found.metadata.resource_version
        stream: Any = kubernetes.watch.Watch().stream(
            core.list_service_for_all_namespaces, resource_version=version, timeout_seconds=_WATCH_TIMEOUT_S
        )
        for event in stream:
            item = event["raw_object"]
            known[_key(item)] = item
            if event["type"] == "DELETED":
                del known[_key(item)]
            _reconcile(core, list(known.values()))
        time.sleep(_RESYNC_PAUSE_S)


if __name__ == "__main__":
    main(sys.argv[1:])
