"""Which scopes may hold what takes a connection, so that the proxies of all others need not be asked."""

import functools

from slipway.reachability.clusters import Clusters
from slipway.reachability.dialled import Dialled
from slipway.reachability.objects import Service, Sidecar, VirtualService
from slipway.reachability.read_routes import MESH
from slipway.reachability.request import Request
from slipway.reachability.scopes import Scope, Scopes
from slipway.reachability.strings import host_covers, without_port
from slipway.reachability.world import World


class Concerned:
    """Finds scopes by what is dialled and by the names in a request; the last answer is remembered."""

    def __init__(self, world: World, scopes: Scopes, clusters: Clusters) -> None:
        self._world = world
        self._scopes = scopes
        self._clusters = clusters
        self._last: tuple[Dialled, str | None, str] | None = None
        self._found: list[tuple[Scope, tuple[object, ...]]] = []

    def scopes(self, dialled: Dialled, request: Request) -> list[tuple[Scope, tuple[object, ...]]]:
        """Return the scopes that may hold what takes the connection, each with its signature.

        The last answer is remembered: every kind of request to one destination asks for it.
        """
        asked = (dialled, None if request.http is None else request.http.host, request.sni)
        if asked != self._last:
            scopes = [self._scopes.all[index] for index in self._scopes.naming(self._entries(dialled, request))]
            self._found = [(scope, self._signature(scope, dialled, request)) for scope in scopes]
            self._last = asked
        return self._found

    def _signature(self, scope: Scope, dialled: Dialled, request: Request) -> tuple[object, ...]:
        """Return what tells scopes apart for a connection; those that are alike are asked once."""
        hosts = {service.hostname for service in dialled.services}
        elsewhere = request.http is not None and self.called(request.http.host) not in hosts
        if elsewhere or scope.virtual_services or (scope.sidecar is not None and _unusual(scope.sidecar)):
            return (id(scope),)
        services = scope.pick(dialled.services)
        if not services or dialled.port in scope.nameless_ports:
            return (id(scope),)
        return (
            tuple(map(id, services)),
            tuple(id(item) for service in services for item in self._clusters.rules(scope.namespace, service)),
            tuple(service.namespace == scope.namespace for service in services),
            dialled.port in scope.http_ports,
        )

    def _entries(self, dialled: Dialled, request: Request) -> set[tuple[str, str]]:
        """Return namespaces and hosts of everything that may take the connection in a scope that holds it."""
        entries = {(item.namespace, item.hostname) for item in dialled.services}
        if request.http is not None:
            name = self.called(request.http.host)
            services = [*self._world.services_by_host.get(name, ()), *self.short.get(name, ())]
            services += [self._world.service_at[name]] if name in self._world.service_at else []
            services += [
                item
                for above in (names_above(name) if self._headless else ())
                for item in (*self._world.services_by_host.get(above, ()), *self.short.get(above, ()))
            ]
            entries.update((item.namespace, item.hostname) for item in services)
            routes = ((item.namespace, host) for item in self._meshed for host in item.hosts)
            entries.update((owner, host) for owner, host in routes if host_covers(host, name))
        for item in self._nameless_services:
            if item.port(dialled.port) is not None:
                entries.add((item.namespace, item.hostname))
        return entries

    def called(self, host: str) -> str:
        """Return the name that virtual hosts compare: without case and port; a full name may end in a dot.

        Source: istio 1.29.1 pilot/pkg/networking/core/httproute.go, GenerateAltVirtualHosts; Envoy compares domains
        without case.
        """
        name = without_port(host).lower()
        return name[:-1] if name.endswith(".") and name[:-1] in self._world.services_by_host else name

    @functools.cached_property
    def _headless(self) -> bool:
        return any(item.headless for item in self._world.services)

    @functools.cached_property
    def short(self) -> dict[str, list[Service]]:
        """Kubernetes Services by the short forms of their names."""
        found: dict[str, list[Service]] = {}
        for item in self._world.services:
            if item.kubernetes:
                own = f"{item.key.name}.{item.namespace}"
                for name in (item.key.name, own, f"{own}.svc"):
                    found.setdefault(name, []).append(item)
        return found

    @functools.cached_property
    def _meshed(self) -> list[VirtualService]:
        return [item for item in self._world.virtual_services if MESH in item.gateways]

    @functools.cached_property
    def _nameless_services(self) -> list[Service]:
        return [item for item in self._world.services if not self._world.addressed(item)]


def names_above(name: str) -> list[str]:
    """Return the names that a name is below, the longest one first."""
    parts = name.split(".")
    return [".".join(parts[index:]) for index in range(1, len(parts))]


def _unusual(sidecar: Sidecar) -> bool:
    return bool(sidecar.unmodelled) or any(item.port is not None for item in sidecar.egress)
