"""All callers against all destinations, one destination at a time."""

import dataclasses
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

from slipway.reachability import classes, entrances, inbound
from slipway.reachability.answers import Answer, Outcome
from slipway.reachability.callers import Caller, Callers, members
from slipway.reachability.deciding import caller_at, decide, default_host, each, named, unmodelled
from slipway.reachability.dialled import Dialled
from slipway.reachability.direct import TO_ITSELF
from slipway.reachability.objects import Protocol, Proxy, Service, ServicePort, VirtualService
from slipway.reachability.outbound import Outbound
from slipway.reachability.questions import Application, Host, Outside, Question, Workload
from slipway.reachability.request import Http, Request
from slipway.reachability.visibility import most_specific
from slipway.reachability.world import World

OUTSIDE = "(outside)"  # a client outside, through a gateway
PLAINTEXT = "(no proxy)"  # a pod that the world does not know, without certificate

_POLICED = frozenset({Proxy.SIDECAR, Proxy.GATEWAY})


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class Destination:
    """A port of a service: ``host`` its full name, ``namespace`` its owner's, ``port`` the one dialled.

    ``entrance`` tells a host that a Gateway opens for clients outside; the namespace is then the Gateway's.
    """

    namespace: str
    host: str
    port: int
    entrance: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """What one kind of request to a destination meets: parts of the callers, each with an answer.

    ``kind`` is how people write the request, empty for a connection that nobody reads as HTTP.
    """

    destination: Destination
    kind: str
    parts: tuple[tuple[int, Answer], ...]

    def allowed(self) -> int:
        """Return the callers that are surely allowed."""
        return sum(mask for mask, item in self.parts if item.outcome is Outcome.ALLOWED)

    def named(self, sources: Sequence[str]) -> Iterable[tuple[tuple[str, ...], Answer]]:
        """Return the parts with the names of their callers."""
        for mask, item in self.parts:
            yield tuple(sources[index] for index in members(mask)), item


@dataclass(frozen=True, slots=True, kw_only=True)
class Matrix:
    """Answers to every question of the world; ``sources`` are ``namespace/name``, bit ``n`` of a mask is source n."""

    sources: tuple[str, ...]
    rows: tuple[Row, ...]

    def calls(self) -> Iterable[tuple[str, Destination, str, Answer]]:
        """Return who is surely allowed what: source, destination, kind of request, answer."""
        for row in self.rows:
            for mask, item in row.parts:
                if item.outcome is Outcome.ALLOWED:
                    for index in members(mask):
                        yield self.sources[index], row.destination, row.kind, item


def matrix(world: World) -> Matrix:
    """Return every caller's answers at every port of every service that is in the world.

    What a machine asks of itself, and no proxy hears of, is no call.
    """
    sources = source_names(world)
    return computed(world, sources, patterns(world))


def source_names(world: World) -> tuple[str, ...]:
    """Return the callers: workloads that are no gateways, sorted, a client outside and one pod without a proxy."""
    named = sorted(f"{item.namespace}/{item.name}" for item in world.workloads if item.proxy is not Proxy.GATEWAY)
    return (*named, OUTSIDE, PLAINTEXT)


def destinations(world: World) -> dict[Destination, tuple[Service, ServicePort]]:
    """Return the TCP ports of services: those of Kubernetes first where several have one host."""
    found: dict[Destination, tuple[Service, ServicePort]] = {}
    for service in sorted(world.services, key=lambda item: (not item.kubernetes, item.namespace, item.hostname)):
        for port in service.ports:
            if port.protocol is not Protocol.UDP and not service.external_name and "*" not in service.hostname:
                key = Destination(namespace=service.namespace, host=service.hostname, port=port.number)
                found.setdefault(key, (service, port))
    return found


def patterns(world: World, *, only: Collection[str] | None = None) -> dict[Destination, classes.Patterns]:
    """Return what is compared of requests, by destination; only ports that may carry HTTP have any.

    ``only`` are the hosts asked for, None for all.
    """
    outbound = Outbound(world, Callers([]))
    routed: dict[str, list[VirtualService]] = {}
    for item in world.virtual_services:
        for host in item.hosts:
            routed.setdefault(host, []).append(item)
    found: dict[Destination, classes.Patterns] = {}
    for key, (service, port) in destinations(world).items():
        if port.protocol not in {Protocol.HTTP, Protocol.UNDECLARED} or (only is not None and key.host not in only):
            continue
        compared = classes.NONE
        for target in outbound.registry.targets(service, port):
            if target.workload is not None:
                compared |= _attached(world, target.workload)
        best = most_specific(service.hostname, routed)
        if best is not None:
            compared |= classes.of_routes(routed[best])
        found[key] = compared
    return found | _compared_at_entrances(world, found, only=only)


def _compared_at_entrances(
    world: World, found: Mapping[Destination, classes.Patterns], *, only: Collection[str] | None
) -> dict[Destination, classes.Patterns]:
    behind = {key.host: item for key, item in found.items()}
    return {
        Destination(namespace=namespace, host=host, port=port, entrance=True): item
        for (namespace, host, port), (gateway, server) in entrances.opened(world).items()
        if (only is None or host in only)
        and (item := entrances.compared(world, gateway, server, host, behind)) is not None
    }


def _attached(world: World, index: int) -> classes.Patterns:
    workload = world.workloads[index]
    if workload.proxy not in _POLICED:
        return classes.NONE
    spaces = dict.fromkeys((world.mesh.root_namespace, workload.namespace))
    return classes.of_policies(
        policy for space in spaces for policy in world.authorization_for.of(space, workload.labels)
    )


def computed(
    world: World,
    sources: Sequence[str],
    compared: Mapping[Destination, classes.Patterns],
    *,
    only: Collection[str] | None = None,
) -> Matrix:
    """Return the matrix for these sources, which may be missing in the world; requests of every kind compared.

    ``only`` are the hosts of destinations that are asked about, None for all; ways in are always asked. The stranger
    without a proxy is only asked about services that stand on workloads of the world.
    """
    positions = {f"{item.namespace}/{item.name}": index for index, item in enumerate(world.workloads)}
    callers = Callers(
        [
            caller_at(world, positions[name]) if name in positions else Caller(identity="", addresses=())
            for name in sources
        ],
        pod_network=world.pod_network,
    )
    present = sum(1 << index for index, name in enumerate(sources) if name in positions)
    stranger = sum(1 << index for index, name in enumerate(sources) if name == PLAINTEXT)
    outbound = Outbound(world, callers)
    odd = unmodelled(world)
    rows: list[Row] = []
    for key, (service, port) in sorted(destinations(world).items(), key=lambda item: item[0]):
        if only is not None and key.host not in only:
            continue
        meshed = any(item.workload is not None for item in outbound.registry.targets(service, port))
        mask = present | stranger if meshed else present
        services = tuple(world.services_by_host[key.host])
        dialled = Dialled(name=key.host, port=key.port, services=services, resolves=world.resolves(services))
        if port.protocol in {Protocol.HTTP, Protocol.UNDECLARED}:
            kinds = classes.kinds(compared.get(key, classes.NONE))
            labels, requests = [kind.label for kind in kinds], [_http(kind, key) for kind in kinds]
        else:
            application = inbound.application_of(port.protocol)
            sni = key.host if application is Application.TLS else ""
            labels, requests = [""], [Request(application=application, http=None, sni=sni)]
        splits = outbound.send_each(dialled, requests, mask) if odd is None else [[(mask, odd)]] * len(requests)
        rows += [
            Row(destination=key, kind=label, parts=tuple(part for part in split if part[1] is not TO_ITSELF))
            for label, split in zip(labels, splits, strict=True)
        ]
    if OUTSIDE in sources:
        rows += _ways_in(world, 1 << sources.index(OUTSIDE), compared)
    return Matrix(sources=tuple(sources), rows=tuple(rows))


def _ways_in(world: World, mask: int, compared: Mapping[Destination, classes.Patterns]) -> Iterable[Row]:
    asked: list[tuple[Destination, classes.Kind | None, Question]] = []
    for (namespace, host, port), (_, server) in sorted(entrances.opened(world).items(), key=lambda item: item[0]):
        key = Destination(namespace=namespace, host=host, port=port, entrance=True)
        kinds = classes.kinds(compared[key]) if key in compared else (None,)
        asked += [(key, kind, entrances.question(host, server, kind)) for kind in kinds]
    answers = each(world, Outside(), [question for *_, question in asked])
    for (key, kind, _), found in zip(asked, answers, strict=True):
        yield Row(destination=key, kind=kind.label if kind else "", parts=((mask, found),))


def _http(kind: classes.Kind, key: Destination) -> Request:
    http = Http(method=kind.method, path=kind.path, host=default_host(key.host, key.port), headers=dict(kind.headers))
    return Request(application=Application.HTTP, http=http)


def decide_kinds(world: World, question: Question) -> list[tuple[str, Answer]]:
    """Return an answer per kind of request when the question states neither method nor path, else the one answer.

    Raises UnknownNameError as :func:`deciding.decide`.
    """
    destination = question.destination
    if question.method is not None or question.path is not None or not isinstance(destination, Host):
        label = f"{question.method or 'GET'} {question.path or '/'}" if question.method or question.path else ""
        return [(label, decide(world, question))]
    namespace = question.source.namespace if isinstance(question.source, Workload) else ""
    compared = classes.NONE
    outside = isinstance(question.source, Outside)
    hosts = {item.hostname for item in named(world, destination.name, namespace)}
    known = patterns(world, only=None if outside else hosts)
    known = {
        key: item
        for key, item in known.items()
        if key.entrance is outside and (not outside or key.host == destination.name)
    }
    for key, item in known.items():
        compared |= item if key.port == question.port else classes.NONE
    if not known or compared == classes.NONE:
        return [("", decide(world, question))]
    kinds = classes.kinds(compared)
    asked = [
        dataclasses.replace(question, method=kind.method, path=kind.path, headers=(*question.headers, *kind.headers))
        for kind in kinds
    ]
    answers = each(world, question.source, asked)
    return [(kind.label, found) for kind, found in zip(kinds, answers, strict=True)]
