"""What the proxies of callers know of the world: Sidecar scopes, grouped so that each is looked at once.

Source: istio 1.29.1 pilot/pkg/model/sidecar.go (selectServices, SelectVirtualServices).
"""

import functools
import itertools
from collections.abc import Iterable
from dataclasses import dataclass

from slipway.reachability import registry, strings
from slipway.reachability.answers import Key
from slipway.reachability.callers import Callers
from slipway.reachability.objects import Protocol, Proxy, Service, Sidecar, VirtualService
from slipway.reachability.read_routes import MESH
from slipway.reachability.visibility import exported, most_specific, preferred
from slipway.reachability.world import Reach, World

_EVERYTHING = ("*/*",)


@dataclass(frozen=True, kw_only=True)
class Scope:
    """One scope and the callers in it.

    ``exact`` are imported hosts by namespace (``*`` for any), ``wild`` those with a wildcard. Without slots for what
    is worked out once.
    """

    world: World
    namespace: str
    sidecar: Sidecar | None
    callers: int
    exact: frozenset[tuple[str, str]]
    wild: tuple[tuple[str, str], ...]
    registry_only: bool

    @property
    def key(self) -> Key | None:
        """The Sidecar that makes the scope, None for the default one."""
        return None if self.sidecar is None else self.sidecar.key

    def imports(self, owner: str, host: str) -> bool:
        """Return whether the egress hosts cover a service's ``host`` of namespace ``owner``.

        Source: istio 1.29.1 pilot/pkg/model/sidecar.go, hostClassification.Matches.
        """
        if (owner, host) in self.exact or ("*", host) in self.exact:
            return True
        return any(place in (owner, "*") and strings.host_covers(name, host) for place, name in self.wild)

    def imports_routes(self, owner: str, host: str) -> bool:
        """Return whether the egress hosts cover a VirtualService's ``host``, or that covers one of them.

        Source: istio 1.29.1 pilot/pkg/model/sidecar.go, hostClassification.VSMatches.
        """
        if self.imports(owner, host):
            return True
        return host.startswith("*") and any(
            place in (owner, "*") and strings.host_covers(host, name) for place, name in (*self.exact, *self.wild)
        )

    def sees(self, service: Service) -> bool:
        """Return whether the scope holds a service, leaving aside others of the same host."""
        export_to = service.export_to or self.world.mesh.service_export
        return exported(export_to, owner=service.namespace, namespace=self.namespace) and self.imports(
            service.namespace, service.hostname
        )

    def pick(self, services: Iterable[Service]) -> list[Service]:
        """Return the service that counts among those of one host; several when that is a matter of age."""
        return preferred([item for item in services if self.sees(item)], self.namespace)

    @functools.cached_property
    def http_ports(self) -> frozenset[int]:
        """Ports on which the proxy routes by the Host header whatever address was dialled.

        A port of undeclared protocol has a listener of its service's own address, where there is one.
        """
        return frozenset(
            port.number
            for service in self._visible()
            for port in service.ports
            if not service.external_name
            and (
                port.protocol is Protocol.HTTP
                or (port.protocol is Protocol.UNDECLARED and not self.world.addressed(service))
            )
        )

    @functools.cached_property
    def nameless_ports(self) -> dict[int, list[Service]]:
        """Services without an address by port, unless HTTP is declared: their listeners take any address."""
        found: dict[int, list[Service]] = {}
        for service in itertools.filterfalse(self.world.addressed, self._visible()):
            for port in service.ports:
                if port.protocol in {Protocol.TCP, Protocol.TLS, Protocol.UNDECLARED}:
                    found.setdefault(port.number, []).append(service)
        return found

    def _visible(self) -> Iterable[Service]:
        if self.wild:
            return [item for item in self.world.services if self.sees(item)]
        hosts = {host for _, host in self.exact}
        return [item for host in hosts for item in self.world.services_by_host.get(host, ()) if self.sees(item)]

    @functools.cached_property
    def virtual_services(self) -> tuple[VirtualService, ...]:
        """VirtualServices for sidecars that the scope holds."""
        default = self.world.mesh.virtual_service_export
        return tuple(
            item
            for item in self.world.virtual_services
            if MESH in item.gateways
            and exported(item.export_to or default, owner=item.namespace, namespace=self.namespace)
            and any(self.imports_routes(item.namespace, host) for host in item.hosts)
        )

    def connecting(self, host: str) -> list[VirtualService]:
        """Return the VirtualServices by which connections to ``host`` may go, those of wider hosts too, in no order.

        Source: istio 1.29.1 pilot/pkg/networking/core/tls.go, getConfigsForHost.
        """
        return [item for item in self.virtual_services if any(strings.hosts_meet(name, host) for name in item.hosts)]

    def routing(self, host: str) -> list[list[VirtualService]]:
        """Return the VirtualServices by which HTTP to ``host`` may go, in turn; several are a matter of age.

        Those that are only seen in the own namespace come first, then those exported to it, then everybody's. Who
        names the host itself makes way for the next one where it has no routes; of those that only cover it the best
        one is chosen before.
        Source: istio 1.29.1 pilot/pkg/model/virtualservice.go, SelectVirtualServices, push_context.go,
        initVirtualServices, sidecar.go, computeWildcardHostVirtualServiceIndex, and
        pilot/pkg/networking/core/route/route.go, BuildSidecarVirtualHostWrapper: of two with one host the first that
        has routes makes the virtual host.
        """
        best = most_specific(host, (name for item in self.virtual_services for name in item.hosts))
        turns: dict[Reach, list[VirtualService]] = {}
        for item in self.virtual_services:
            if best is not None and best in item.hosts:
                turns.setdefault(self.world.reach(item, self.namespace), []).append(item)
        found = [turns[reach] for reach in sorted(turns)]
        return found if best == host else found[:1]


class Scopes:
    """The scopes of a list of callers, found by the services that they hold."""

    def __init__(self, world: World, callers: Callers) -> None:
        self._world = world
        self.all = _scopes(world, callers)
        self._exact: dict[tuple[str, str], list[int]] = {}
        self._wild: list[int] = []
        for index, scope in enumerate(self.all):
            for entry in scope.exact:
                self._exact.setdefault(entry, []).append(index)
            if scope.wild:
                self._wild.append(index)

    def naming(self, entries: Iterable[tuple[str, str]]) -> list[int]:
        """Return the positions of scopes that may import one of these hosts of a namespace."""
        found = set(self._wild)
        for owner, host in entries:
            if host.startswith("*"):
                return list(range(len(self.all)))
            found.update(self._exact.get((owner, host), ()))
            found.update(self._exact.get(("*", host), ()))
        return sorted(found)

    @property
    def sole(self) -> Key | None:
        """The Sidecar that makes the only scope; None where callers have several, as many do at once."""
        first, *others = self.all
        return None if others else first.key

    @functools.cached_property
    def rest(self) -> dict[tuple[bool, frozenset[int]], int]:
        """Callers by outbound policy and ports with HTTP listeners: enough for what a scope does not hold."""
        found: dict[tuple[bool, frozenset[int]], int] = {}
        for scope in self.all:
            key = (scope.registry_only, scope.http_ports)
            found[key] = found.get(key, 0) | scope.callers
        return found


def _scopes(world: World, callers: Callers) -> tuple[Scope, ...]:
    significant = _significant(world)
    groups: dict[tuple[str, Key | None], tuple[int, str, Sidecar | None]] = {}
    for index, own in callers.by_workload.items():
        workload = world.workloads[index]
        if workload.proxy not in {Proxy.SIDECAR, Proxy.GATEWAY}:
            continue
        sidecar = None if workload.proxy is Proxy.GATEWAY else registry.sidecar_of(world, workload)
        local = sidecar is not None and any(host.startswith("./") for item in sidecar.egress for host in item.hosts)
        named = workload.namespace if significant is None or workload.namespace in significant or local else ""
        key = (f"{named}{'/gateway' * (workload.proxy is Proxy.GATEWAY)}", sidecar.key if sidecar else None)
        mask = groups[key][0] if key in groups else 0
        groups[key] = (mask | own, workload.namespace, sidecar)
    return tuple(_scope(world, mask, namespace, sidecar) for mask, namespace, sidecar in groups.values())


def _scope(world: World, mask: int, namespace: str, sidecar: Sidecar | None) -> Scope:
    # Source: istio 1.29.1 pilot/pkg/model/sidecar.go, initSidecarScopeInternalIndexes.
    egress = sidecar.egress if sidecar is not None else ()
    pairs: list[tuple[str, str]] = []
    for host in [name for item in egress for name in item.hosts] if egress else _EVERYTHING:
        place, _, name = host.partition("/")
        pairs.append((namespace if place == "." else place, name))
    stated = sidecar.registry_only if sidecar is not None else None
    return Scope(
        world=world,
        namespace=namespace,
        sidecar=sidecar,
        callers=mask,
        exact=frozenset(pair for pair in pairs if not pair[1].startswith("*")),
        wild=tuple(pair for pair in dict.fromkeys(pairs) if pair[1].startswith("*")),
        registry_only=world.mesh.registry_only if stated is None else stated,
    )


def _significant(world: World) -> set[str] | None:
    """Return the namespaces that see the world differently from others; None when any may."""
    mesh = world.mesh
    defaults = (*mesh.service_export, *mesh.virtual_service_export, *mesh.destination_rule_export)
    if any(item != "*" for item in defaults):
        return None
    found = {mesh.root_namespace}
    for item in (*world.services, *world.virtual_services, *world.destination_rules):
        found.update(name for name in item.export_to if name not in {"*", "."})
        if "." in item.export_to or not isinstance(item, Service) or not item.kubernetes:
            found.add(item.namespace)
    return found
