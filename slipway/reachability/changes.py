"""Which destinations a change can concern, so that the others need not be asked again."""

from collections.abc import Iterable, Mapping
from typing import Any

from slipway.reachability.objects import Proxy, Service
from slipway.reachability.world import World, selects

_BY_WORKLOAD = ("authorization_policies", "peer_authentications", "request_authentications")
_EVERYWHERE = (
    *("mesh", "namespaces", "workloads", "services", "sidecars", "destination_rules", "virtual_services"),
    *("gateways", "gateways_scoped", "network_policies", "opaque", "nsg", "engine", "pod_network", "virtual_network"),
)


def concerned(before: World, after: World) -> frozenset[str] | None:
    """Return the hosts of services whose answers can differ, None when all can.

    A policy of authorization or authentication concerns the workloads that it selects, and so the services that lead
    to them; one that selects a gateway, or a mesh whose routes lead from service to service, concerns all.
    """
    if any(getattr(before, name) != getattr(after, name) for name in _EVERYWHERE):
        return None
    touched: set[int] = set()
    for name in _BY_WORKLOAD:
        for policy in _different(getattr(before, name), getattr(after, name)):
            touched.update(_selected(after, policy.namespace, policy.selector))
            if not policy.selector and hasattr(policy, "mode"):
                touched.update(_in_services_of(after, policy.namespace))
    if any(after.workloads[index].proxy is Proxy.GATEWAY for index in touched):
        return None
    hosts = {item.hostname for item in after.services if _leads(after, item, touched)}
    for item in after.virtual_services:
        routes = (*item.http, *item.tls, *item.tcp)
        if any(target.host in hosts for route in routes for target in route.destinations):
            hosts.update(item.hosts)
    return frozenset(hosts) if not any(host.startswith("*") for host in hosts) else None


def _different(first: Iterable[Any], second: Iterable[Any]) -> list[Any]:
    old, new = {item.key: item for item in first}, {item.key: item for item in second}
    keys = sorted({*old, *new})
    return [item for key in keys if old.get(key) != new.get(key) for item in (old.get(key), new.get(key)) if item]


def _selected(world: World, namespace: str, selector: Mapping[str, str]) -> Iterable[int]:
    if namespace != world.mesh.root_namespace:
        return world.selected(namespace, selector)
    return [index for index, item in enumerate(world.workloads) if selects(selector, item.labels)]


def _in_services_of(world: World, namespace: str) -> Iterable[int]:
    """Return the endpoints of a namespace's services: clients go by the namespace's mode of the service."""
    everywhere = namespace == world.mesh.root_namespace
    return [index for index, item in enumerate(world.workloads) if everywhere or item.namespace == namespace]


def _leads(world: World, service: Service, touched: set[int]) -> bool:
    if service.selector:
        return any(index in touched for index in world.selected(service.namespace, service.selector))
    return any(_at(world, item.address) in touched for item in service.endpoints)


def _at(world: World, address: str) -> int | None:
    return world.workload_at.get(address)
