"""The analyser's side: worlds of manifests, questions, and what the answers promise about a measurement."""

import dataclasses
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from benchmarks.judge import fleet, logged, sets
from slipway import reachability
from slipway.lab import instance
from slipway.manifests.manifest import Manifest
from slipway.reachability import deciding
from slipway.reachability.callers import Callers
from slipway.reachability.outbound import Outbound

_STATUSES = {
    reachability.Seen.REDIRECT_301: 301,
    reachability.Seen.UNAUTHORIZED_401: 401,
    reachability.Seen.FORBIDDEN_403: 403,
    reachability.Seen.NOT_FOUND_404: 404,
    reachability.Seen.MISDIRECTED_421: 421,
    reachability.Seen.BAD_GATEWAY_502: 502,
    reachability.Seen.UNAVAILABLE_503: 503,
}
POD_NETWORK = "10.61.0.0/16"
SECOND = "2b4cd"  # how the names of second pods end
_SUCCESS = range(200, 300)
_GATE_PORTS = {target: port for port, _, target in fleet.GATE_PORTS}
_BARE = frozenset(item.place for item in fleet.BARE)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """What came of a request: ``end`` is app, status, reset, refused, timeout; ``identified`` over mutual TLS.

    ``mark`` is in the request's user agent, ``local`` the client's own address and port: proxies log both.
    ``told`` is what they logged, as far as that was read.
    """

    end: str
    status: int = 0
    place: str = ""
    port: int = 0
    identified: bool | None = None
    mark: str = dataclasses.field(default="", compare=False)
    local: str = dataclasses.field(default="", compare=False)
    told: logged.Logged | None = dataclasses.field(default=None, compare=False)

    def __str__(self) -> str:
        told = {"status": str(self.status), "app": f"answered by {self.place}:{self.port}"}.get(self.end, self.end)
        return told + {True: " (mTLS)", False: " (plaintext)", None: ""}[self.identified]


def world(
    objects: Iterable[Mapping[str, Any]],
    mesh_config: Mapping[str, Any],
    *,
    engine: reachability.Engine = reachability.Engine.KUBE_ROUTER,
    pod_network: str = POD_NETWORK,
) -> reachability.World:
    """Return the world of live objects and of the sets'; ``engine`` is what enforces NetworkPolicy."""
    return reachability.read(
        [Manifest.from_dict(item) for item in objects],
        mesh_config=mesh_config,
        pod_network=pod_network,
        engine=engine,
    )


def question(request: sets.Request) -> reachability.Question:
    """Return the question that a request asks, without what clients add by themselves."""
    namespace, _, name = request.source.partition("/")
    source: reachability.Source = reachability.Workload(namespace=namespace, name=name)
    if request.source == fleet.OUTSIDE:
        source = reachability.Plain(address=instance.INTERNET_ADDRESS)
    destination: reachability.Destination = reachability.Host(name=request.host)
    if request.address:
        destination = reachability.External(address=request.address)
    if request.pod:
        place, _, pod = request.pod.partition("/")
        destination = reachability.WorkloadAddress(namespace=place, name=pod)
    http = request.http
    if http is None:
        spoken = reachability.Application.TCP if request.sni is None else None
        return reachability.Question(
            source=source, destination=destination, port=request.port, application=spoken, sni=request.sni
        )
    usual = http.host == _usual_host(request)
    return reachability.Question(
        source=source,
        destination=destination,
        port=request.port,
        method=http.method,
        path=http.path,
        host=None if usual else http.host,
        headers=http.headers,
        sni=request.sni,
    )


def _usual_host(request: sets.Request) -> str:
    """Return the Host header that clients send by themselves: without the port that the protocol has anyway.

    Source: RFC 9110, 7.2 and 4.2.
    """
    name = request.sni or request.host
    return name if request.port == _usual_port(request.sni) else f"{name}:{request.port}"


def _usual_port(sni: str | None) -> int:
    return fleet.WEB_PORT if sni is None else fleet.TLS_PORT


def together(world_: reachability.World, questions: Sequence[reachability.Question]) -> list[reachability.Answer]:
    """Return the answers to questions of workloads as a matrix finds them: all that ask, and others, at once.

    Requests to one destination with one Host header go together, so that those that nobody on the way tells apart
    share a walk. A name of one word, which means another service in each namespace, is no matter of a matrix, nor is
    a caller that the world does not know: they are asked alone.
    """
    odd = deciding.unmodelled(world_)
    if odd is not None:
        return [odd for _ in questions]
    known = range(len(world_.workloads))
    callers = Callers([deciding.caller_at(world_, index) for index in known], pod_network=world_.pod_network)
    outbound = Outbound(world_, callers)
    found: dict[int, reachability.Answer] = {}
    groups: dict[tuple[object, ...], list[int]] = {}
    for index, item in enumerate(questions):
        names = (item.host, item.destination.name if isinstance(item.destination, reachability.Host) else None)
        short = any(name is not None and "." not in name for name in names)
        if short or not isinstance(item.source, reachability.Workload):
            found[index] = reachability.decide(world_, item)
        else:
            groups.setdefault((item.destination, item.port, item.host), []).append(index)
    for number, indices in enumerate(groups.values()):
        dialled = deciding.dial(world_, questions[indices[0]], namespace="")
        requests = [deciding.request_of(questions[index], dialled) for index in indices]
        asking = _mask(world_, [questions[index] for index in indices])
        mask = callers.everybody & ~(_every_second(len(known), number) & ~asking)
        splits = outbound.send_each(dialled, requests, mask)
        for index, split in zip(indices, splits, strict=True):
            _whole(split, mask)
            bit = _mask(world_, [questions[index]])
            (found[index],) = [item for part, item in split if part & bit]
    return [found[index] for index in range(len(questions))]


def _mask(world_: reachability.World, questions: Iterable[reachability.Question]) -> int:
    """Return the callers of questions of workloads."""
    found = 0
    for item in questions:
        assert isinstance(item.source, reachability.Workload)  # noqa: S101 - all others are asked alone
        found |= 1 << deciding.caller_index(world_, item.source.namespace, item.source.name)
    return found


def _every_second(count: int, first: int) -> int:
    """Return every second one of some callers, from the first or the second one on."""
    return sum(1 << index for index in range(first % 2, count, 2))


def _whole(split: Iterable[tuple[int, reachability.Answer]], mask: int) -> None:
    """Raise ValueError unless every caller of ``mask`` has exactly one answer, and nobody else any."""
    seen = 0
    for part, answer in split:
        if part <= 0 or part & seen or part & ~mask:
            raise ValueError(f"{part:b} of {mask:b}, after {seen:b}: {answer}")
        seen |= part
    if seen != mask:
        raise ValueError(f"{seen:b} of {mask:b} have an answer")


def alone(world_: reachability.World, questions: Sequence[reachability.Question]) -> list[reachability.Answer]:
    """Return the answers to questions of workloads, every workload asking as if there were no other caller."""
    found: dict[int, reachability.Answer] = {}
    for source in dict.fromkeys(item.source for item in questions):
        indices = [index for index, item in enumerate(questions) if item.source == source]
        answers = deciding.each(world_, source, [questions[index] for index in indices])
        found.update(zip(indices, answers, strict=True))
    return [found[index] for index in range(len(questions))]


def unstated(world_: reachability.World, questions: Sequence[reachability.Question]) -> list[reachability.Answer]:
    """Return the answers where nobody says what is spoken: what the port declares, with a usual request."""
    short = [dataclasses.replace(item, application=None, method=None, path=None, sni=None) for item in questions]
    return alone(world_, short)


def is_usual(request: sets.Request) -> bool:
    """Return whether a request is what a client sends by itself to a port of the fleet's own Services."""
    declared = {port: name.partition("-")[0] for port, name, _ in fleet.PORTS}.get(request.port)
    if declared == "http" and request.http is not None and request.sni is None:
        http = request.http
        return (http.method, http.path, http.host, http.headers) == ("GET", "/", _usual_host(request), ())
    sni = {"tcp": None, "tls": request.host}.get(declared or "", "none")
    return request.http is None and request.sni == sni


def enters(request: sets.Request) -> bool:
    """Return whether a client outside calls a name by way of a gateway, at a port of the gateway's Service."""
    at_gate = request.source == fleet.OUTSIDE and request.pod.endswith(f"/{fleet.GATE}")
    named = request.sni is not None or request.http is not None
    return at_gate and named and request.port in _GATE_PORTS


def from_outside(world_: reachability.World, questions: Sequence[reachability.Question]) -> list[reachability.Answer]:
    """Return the answers to questions of clients that call a name, and connect to the gateway for it."""
    return _entering(world_, questions, named=True)


def by_any_gateway(
    world_: reachability.World, questions: Sequence[reachability.Question]
) -> list[reachability.Answer]:
    """Return the answers to questions of clients that call a name, and do not say by which gateway."""
    return _entering(world_, questions, named=False)


def _entering(
    world_: reachability.World, questions: Sequence[reachability.Question], *, named: bool
) -> list[reachability.Answer]:

    def meant(item: reachability.Question) -> reachability.Question:
        gate, source = item.destination, item.source
        assert isinstance(gate, reachability.WorkloadAddress)  # noqa: S101 - that is what enters a gateway
        assert isinstance(source, reachability.Plain)  # noqa: S101 - the same
        name = item.sni if item.sni is not None else (item.host or "")
        port = _GATE_PORTS[item.port]
        return dataclasses.replace(
            item,
            host=None if item.host == name and port == _usual_port(item.sni) else item.host,
            source=reachability.Outside(
                gateway=f"{gate.namespace}/{gate.name}" if named else "", address=source.address
            ),
            destination=reachability.Host(name=name),
            port=port,
        )

    return [reachability.decide(world_, meant(item)) for item in questions]


def by_second_pods(
    world_: reachability.World, questions: Sequence[reachability.Question]
) -> list[reachability.Answer]:
    """Return the answers where callers and pods called are named as the second ones of Deployments."""
    second = {
        (item.namespace, item.name): name for item in world_.workloads for name in item.names if name.endswith(SECOND)
    }
    if not second:
        raise ValueError("no workload has a second pod")

    def named(item: Any) -> Any:
        key = (getattr(item, "namespace", ""), getattr(item, "name", ""))
        return dataclasses.replace(item, name=second[key]) if key in second else item

    return alone(
        world_,
        [
            dataclasses.replace(item, source=named(item.source), destination=named(item.destination))
            for item in questions
        ],
    )


def difference(answer: reachability.Answer, measured: Measured, *, as_declared: bool = True) -> str:
    """Return how a measurement contradicts an answer, empty when it does not; "unknown" contradicts nothing.

    ``as_declared`` tells that workloads' ports are what their Services declare, since no Sidecar says otherwise.
    """
    if answer.outcome is reachability.Outcome.UNKNOWN:
        return ""
    reached = measured.end == "app"
    if reached != (answer.outcome is reachability.Outcome.ALLOWED):
        return f"{answer.outcome.value}, but {measured}"
    if reached and (measured.place in _BARE or _by_a_gateway(answer)):
        return ""  # gateways tell applications of the client's certificate, however it goes on from there
    if reached:
        otherwise = _is_otherwise(answer.transport, measured, as_declared=as_declared)
        return f"over {answer.transport.value}, but {measured}" if otherwise else ""
    return "" if _seen(answer.seen, measured) else f"the client sees {answer.seen.value}, but {measured}"


def _by_a_gateway(answer: reachability.Answer) -> bool:
    """Return whether a request came through a gateway.

    Source: istio 1.29.1 pilot/pkg/networking/core/gateway.go, buildGatewayConnectionManager: SANITIZE_SET.
    """
    return any(reason.startswith(f"{reachability.Hop.EGRESS_GATEWAY.value}: ") for reason in answer.reasons)


def has_own_ports(objects: Iterable[Mapping[str, Any]]) -> bool:
    """Return whether a Sidecar among the objects says what its workload's ports are."""
    return any(item["kind"] == "Sidecar" and item["spec"].get("ingress") for item in objects)


def _is_otherwise(transport: reachability.Transport, measured: Measured, *, as_declared: bool) -> bool:
    """Return whether the connection was not protected as the answer says; TCP chains tell the application nothing."""
    if measured.identified is None or transport is reachability.Transport.NONE:
        return False
    protected = transport is reachability.Transport.MUTUAL_TLS
    readable = as_declared and measured.port in fleet.DECLARED_HTTP
    return measured.identified != protected and (measured.identified or readable)


def _seen(seen: reachability.Seen, measured: Measured) -> bool:
    if seen is reachability.Seen.UNKNOWN:
        return True
    if seen in _STATUSES:
        return measured.end == "status" and measured.status == _STATUSES[seen]
    if seen is reachability.Seen.ANSWER:
        return measured.end == "status" and measured.status in _SUCCESS
    if seen is reachability.Seen.OTHER_STATUS:
        return measured.end == "status" and measured.status not in {*_STATUSES.values(), *_SUCCESS}
    ends = {
        reachability.Seen.RESET: "reset",
        reachability.Seen.REFUSED: "refused",
        reachability.Seen.TIMEOUT: "timeout",
        reachability.Seen.NO_NAME: "unresolved",
    }
    return measured.end == ends.get(seen)
