"""One question, one answer."""

from collections.abc import Iterable, Sequence

from slipway.reachability.answers import Answer, Hop, Outcome, Seen
from slipway.reachability.callers import ALONE, Caller, Callers
from slipway.reachability.dialled import Dialled
from slipway.reachability.inbound import Way, Wire, application_of
from slipway.reachability.objects import Protocol, Proxy, Service
from slipway.reachability.outbound import Outbound
from slipway.reachability.questions import Application, External, Host, Outside, Plain, Question, WorkloadAddress
from slipway.reachability.questions import Workload as Named
from slipway.reachability.read_kubernetes import ANY_NUMBER
from slipway.reachability.request import Http, Request
from slipway.reachability.split import Split, answer, possible, unknown
from slipway.reachability.world import World

_HTTP_PORT, _HTTPS_PORT = 80, 443
_CLUSTER = ".cluster.local"


class UnknownNameError(Exception):
    """A question names a workload that the world does not have; ``known`` are the names that it has."""

    def __init__(self, name: str, known: Sequence[str]) -> None:
        self.name = name
        self.known = tuple(known)
        super().__init__(f"no workload {name}")


def decide(world: World, question: Question) -> Answer:
    """Return the answer to ``question``; raises UnknownNameError for a workload that the world does not have."""
    (found,) = each(world, question.source, [question])
    return found


def each(world: World, source: Named | Plain | Outside, questions: Iterable[Question]) -> list[Answer]:
    """Return the answers to questions of one source, in their order; raises as :func:`decide`."""
    odd = unmodelled(world)
    if odd is not None:
        return [odd for _ in questions]
    outbound = Outbound(world, Callers([caller_of(world, source)], pod_network=world.pod_network))
    return [_decided(world, question, outbound) for question in questions]


def unmodelled(world: World) -> Answer | None:
    """Return the answer to every question where the mesh as a whole is not modelled, None where it is."""
    for item in world.gateways:
        if item.fatal and any(found.proxy is Proxy.GATEWAY and world.opens(item, found) for found in world.workloads):
            reason = f"{item.key}: istiod 1.29.1 ends at once, at every start, of the host {item.fatal} after */*"
            return unknown(Hop.INGRESS_GATEWAY, reason, key=item.key)
    for item in world.virtual_services:
        if item.fatal:
            reason = f"{item.key}: istiod 1.29.1 ends at once, at every start, of a TLS or TCP route to nowhere"
            return unknown(Hop.SOURCE_SIDECAR, reason, key=item.key)
    if not world.mesh.unmodelled:
        return None
    settings = ", ".join(world.mesh.unmodelled)
    return unknown(Hop.SOURCE_SIDECAR, f"settings of the mesh are not modelled: {settings}")


def _decided(world: World, question: Question, outbound: Outbound) -> Answer:
    namespace = question.source.namespace if isinstance(question.source, Named) else ""
    dialled = dial(world, question, namespace=namespace)
    request = request_of(question, dialled)
    if isinstance(question.source, Outside):
        split = _from_outside(world, question.source, outbound, dialled, request)
    else:
        split = outbound.send(dialled, request, ALONE)
    (_, found), *others = split
    if others:
        return answer(Outcome.UNKNOWN, Hop.SOURCE_SIDECAR, "two answers for one caller: a bug of the analyser")
    return found


def _from_outside(world: World, source: Outside, outbound: Outbound, dialled: Dialled, request: Request) -> Split:
    """Return what a client outside gets from the gateway that it connects to, or from whichever takes it."""
    wire = Wire.TLS if request.application is Application.TLS else Wire.PLAINTEXT
    sent = request.carried(request.sni if wire is Wire.TLS else "")
    targets = [
        target
        for service in world.services
        if service.kubernetes and (port := service.port(dialled.port)) is not None
        for target in outbound.registry.targets(service, port)
        if target.workload is not None and world.workloads[target.workload].proxy is Proxy.GATEWAY
    ]
    if source.gateway:
        namespace, _, name = source.gateway.partition("/")
        index = caller_index(world, namespace, name)
        targets = [item for item in targets if item.workload == index]
    opened = [item for item in dict.fromkeys(targets) if outbound.inbound.listens(item, wire, sent)] or targets
    if not opened:
        reason = f"no gateway has port {dialled.port}"
        return [(ALONE, answer(Outcome.DENIED, Hop.INGRESS_GATEWAY, reason, seen=Seen.REFUSED))]
    return possible([outbound.inbound.arrive(item, wire, Way.DIRECT, sent, ALONE) for item in opened])


def caller_index(world: World, namespace: str, name: str) -> int:
    """Return the position of a workload; raises UnknownNameError for one that the world does not have."""
    index = world.index_of.get((namespace, name))
    if index is None:
        known = [f"{item.namespace}/{item.name}" for item in world.workloads]
        raise UnknownNameError(f"{namespace}/{name}", known)
    return index


def caller_of(world: World, source: Named | Plain | Outside) -> Caller:
    """Return the caller that a question's source is."""
    if not isinstance(source, Named):
        return Caller(identity="", addresses=(source.address,) if source.address else ())
    return caller_at(world, caller_index(world, source.namespace, source.name))


def caller_at(world: World, index: int) -> Caller:
    """Return the workload at a position of the world as a caller."""
    item = world.workloads[index]
    return Caller(
        identity=world.identity(item),
        addresses=item.addresses,
        namespace=item.namespace,
        labels=item.labels,
        workload=index,
        machine=item.machine,
    )


def dial(world: World, question: Question, *, namespace: str) -> Dialled:
    """Return where the destination of a question is."""
    match question.destination:
        case WorkloadAddress(namespace=place, name=name):
            index = caller_index(world, place, name)
            address = world.workloads[index].address
            return _dialled_at(world, index, address, question.port, name=address or name)
        case External(address=address):
            return _dialled_at(world, world.workload_at.get(address), address, question.port, name=address)
        case Host(name=name):
            services = named(world, name, namespace)
            if not services and (index := _pod_named(world, name, namespace)) is not None:
                return _dialled_at(world, index, world.workloads[index].address, question.port, name=name)
            inside = name.endswith((_CLUSTER, ".svc")) or "." not in name
            resolves = world.resolves(services) if services else not inside
            return Dialled(name=name, port=question.port, services=services, resolves=resolves)


def _dialled_at(world: World, index: int | None, address: str, port: int, *, name: str) -> Dialled:
    """Return what is at an address: a Service, or a workload and the headless Services that proxies listen for there.

    Source: istio 1.29.1 pilot/pkg/networking/core/listener.go, buildSidecarOutboundListeners: a listener for each
    endpoint, but of HTTP.
    """
    service = world.service_at.get(address)
    if index is None or service is not None:
        services = () if service is None else (service,)
        return Dialled(name=name, port=port, services=services, workload=index, address=address)
    headless = tuple(
        item
        for item in world.headless_of.get(index, ())
        if (found := item.port(port)) is not None and found.protocol is not Protocol.HTTP
    )
    return Dialled(name=name, port=port, services=headless, workload=index, address=address)


def _pod_named(world: World, name: str, namespace: str) -> int | None:
    """Return the pod that the cluster's DNS has below the name of its headless Service; None for no such name.

    Source: Kubernetes documentation, concepts/services-networking/dns-pod-service, "Pod's hostname and subdomain
    fields"; concepts/workloads/controllers/statefulset, "Stable Network ID".
    """
    hostname, _, rest = name.partition(".")
    for service in named(world, rest, namespace):
        numbered = f"{hostname.rpartition('-')[0]}-{ANY_NUMBER}"
        for called in (hostname, numbered):
            index = world.pod_called.get((service.namespace, f"{called}.{service.key.name}"))
            if service.headless and index in world.behind(service):
                return index
    return None


def named(world: World, name: str, namespace: str) -> tuple[Service, ...]:
    """Return the services that a name means to a client of ``namespace``, in the order of a pod's DNS search."""
    suffixes = [f".{namespace}.svc.cluster.local"] if namespace else []
    for suffix in ("", *suffixes, ".svc.cluster.local", ".cluster.local"):
        if found := world.services_by_host.get(name.rstrip(".") + suffix):
            return tuple(found)
    return ()


def request_of(question: Question, dialled: Dialled) -> Request:
    """Return the request that a question means."""
    application = question.application or _application(question, dialled)
    name = dialled.name
    if application is not Application.HTTP:
        if application is Application.TCP:
            return Request(application=application, http=None)
        sni = question.sni if question.sni is not None else name
        return Request(application=application, http=None, inside=_http(question, sni or name), sni=sni)
    return Request(application=application, http=_http(question, name))


def _http(question: Question, name: str) -> Http:
    headers: dict[str, list[str]] = {}
    for header, value in question.headers:
        headers.setdefault(header, []).append(value)
    return Http(
        method=question.method or "GET",
        path=question.path or "/",
        host=question.host if question.host is not None else _usual_host(question, name),
        headers={header: ",".join(values) for header, values in headers.items()},
        repeated={header: tuple(values) for header, values in headers.items() if len(values) > 1},
    )


def _usual_host(question: Question, name: str) -> str:
    if question.sni is not None and question.port == _HTTPS_PORT:
        return name
    return default_host(name, question.port)


def default_host(name: str, port: int) -> str:
    """Return the Host header that clients send by themselves: with the port, unless it is HTTP's own."""
    return name if port == _HTTP_PORT else f"{name}:{port}"


def _application(question: Question, dialled: Dialled) -> Application:
    if any((question.method, question.path, question.host, question.headers)):
        return Application.TLS if question.sni is not None else Application.HTTP
    if question.sni is not None:
        return Application.TLS
    for service in dialled.services:
        if (port := service.port(question.port)) is not None:
            return application_of(port.protocol)
    return Application.TCP
