"""How the analyser contradicts a stored case: what was measured, and what has to be the same told in other ways."""

import dataclasses
import ipaddress
import json
import re
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from typing import Any

from benchmarks.judge import asking, cases, fleet, logged, sets, standin
from benchmarks.judge.cases import Case, Object
from benchmarks.judge.standin import HOSTED, LOT
from slipway import reachability
from slipway.lab import instance
from slipway.manifests.surroundings import Surroundings
from slipway.reachability import reading

_OF_PODS = frozenset({"NetworkPolicy", "Pod", "EndpointSlice"})  # kinds that are no matter of machines
_BLOCK = re.compile(r"\d+(?:\.\d+){3}(?:/\d+)?")
_PODS = ipaddress.ip_network(asking.POD_NETWORK)


def reproduced(document_: Mapping[str, Any]) -> dict[str, Any]:
    """Return a stored case with only the rows that its own objects explain.

    The shared applications may be called by routes and rules of other lots too, which a case does not have.
    """
    case = cases.of_document("recorded", document_)
    rows = zip(document_["requests"], case.requests, strict=True)
    world = world_of(case)
    kept = [item for item, row in rows if not any(_differing(case, [row], world, asking.together))]
    return {**document_, "requests": kept}


def world_of(case: Case) -> reachability.World:
    """Return the world of a case, with the stand-in of the fleet in place of a mesh.

    Both come as texts, as a cluster's answers do: no part of them is the same object as a word of the analyser's.
    """
    if case.around is not None:
        return reachability.read_applied((), Surroundings.from_json(case.around.to_json()))
    return _world(case, _planned(case), twice=case.twice, machines=case.machines)


def _planned(case: Case) -> list[str]:
    return [item.place for item in fleet.ODDS] if case.planned else []


def _world(
    case: Case,
    planned: Collection[str],
    *,
    twice: bool = False,
    machines: bool = False,
    apart: bool = False,
    engine: reachability.Engine | None = None,
    pod_network: str = asking.POD_NETWORK,
    only_read: bool = False,
) -> reachability.World:
    told = standin.stand_in(odd=case.odd, planned=planned, twice=twice, machines=machines, apart=apart)
    objects = [*json.loads(json.dumps(told)), *case.objects]
    return asking.world(
        [item for item in objects if not only_read or reading.is_read(item["apiVersion"], item["kind"])],
        json.loads(json.dumps(case.mesh)),
        engine=engine or reachability.Engine(case.engine),
        pod_network=pod_network,
    )


def disagreements(
    case: Case, world: reachability.World | None = None, *, ways: Sequence[str] = ("together", "alone")
) -> Iterator[str]:
    """Return how the analyser contradicts measurements, when all callers ask at once and when each asks alone.

    What clients outside send to a gateway is asked as they mean it, too: a name, by way of the gateway. Where no
    object names an address, the answers have to be the same before anything runs. Where it is not known what enforces
    NetworkPolicy, they may be unknown besides. ``world`` is that of the case when it was read before; ``ways`` name
    functions of :mod:`asking`.
    """
    world = world_of(case) if world is None else world
    for way in ways:
        yield from _differing(case, case.requests, world, getattr(asking, way))
    hosts = {item.hostname for item in LOT.everyone}
    usual = [item for item in case.requests if item[0].host in hosts and asking.is_usual(item[0])]
    yield from _differing(case, usual, world, asking.unstated)
    yield from _balanced_otherwise(case)
    if case.around is not None or case.told_otherwise:
        return
    entering = [item for item in case.requests if asking.enters(item[0])]
    for ask in (asking.from_outside, asking.by_any_gateway):
        yield from _differing(case, entering, world, ask)
    if not case.planned and not _tells_pods_apart(case.objects):
        # A pod that is called by its address, or by its own Service, may be another one of the same template.
        own = _own_hosts(case.objects)
        # What has a node's network may be on the called pod's own node.
        others = [
            item
            for item in case.requests
            if not item[0].address and not _calls_itself(item[0], own) and item[0].source not in HOSTED
        ]
        everybody = [item.place for item in (*LOT.pods, *fleet.ODDS)]
        planned = _world(case, everybody)
        yield from _differing(case, others, planned, asking.together)
        anywhere = _world(case, everybody, pod_network="", only_read=True)
        yield from _differing(case, others, anywhere, asking.together, open_=_names_blocks(case.objects))
        yield from _differing(case, others, _world(case, [], twice=True), asking.by_second_pods)
    if any(item["kind"] == "NetworkPolicy" for item in case.objects):
        unstated = _world(case, _planned(case), engine=reachability.Engine.UNKNOWN)
        yield from _differing(case, case.requests, unstated, asking.together, open_=True)
        yield from _enforced_by_nobody(case)
        yield from _enforced_by_somebody(case, unstated)
        yield from _from_another_node(case)
    if not any(map(_of_pods, case.objects)):
        rows = [item for item in case.requests if _for_machines(item[0])]
        yield from _differing(case, rows, _world(case, [], machines=True), asking.together, nameless=True)


def _balanced_otherwise(case: Case) -> Iterator[str]:
    """Return the rows that come out otherwise where a load balancer has the addresses that nodes take for a Service.

    One that is there says its addresses, one that is planned the address that it asks for.
    """
    external = any(item["spec"].get("externalIPs") for item in case.objects if item["kind"] == "Service")
    for balanced in _BALANCED if external else ():
        objects = tuple(balanced(item) if item["kind"] == "Service" else item for item in case.objects)
        world = world_of(dataclasses.replace(case, objects=objects))
        yield from _differing(case, case.requests, world, asking.together)


def _balanced(item: Object, **more: Any) -> Object:
    """Return a Service with a load balancer in place of addresses that nodes take for its own."""
    spec = {key: value for key, value in item["spec"].items() if key != "externalIPs"}
    return {**item, "spec": {**spec, "type": "LoadBalancer", **more}}


def _by_status(item: Object) -> Object:
    told = [{"hostname": "balancer.example"}, *({"ip": address} for address in item["spec"].get("externalIPs", ()))]
    return {**_balanced(item, loadBalancerIP="10.99.9.9"), "status": {"loadBalancer": {"ingress": told}}}


def _by_annotation(item: Object) -> Object:
    address, *_ = item["spec"].get("externalIPs") or [""]
    annotations = {**item["metadata"].get("annotations", {}), _ASKED_OF_AZURE: address}
    return {**_balanced(item), "metadata": {**item["metadata"], "annotations": annotations}}


def _by_field(item: Object) -> Object:
    address, *_ = item["spec"].get("externalIPs") or [""]
    return _balanced(item, loadBalancerIP=address)


_ASKED_OF_AZURE = "service.beta.kubernetes.io/azure-load-balancer-ipv4"
_BALANCED = (_by_status, _by_annotation, _by_field)


def _enforced_by_nobody(case: Case) -> Iterator[str]:
    """Return the requests that NetworkPolicies still concern where nothing enforces them.

    Source: Kubernetes documentation, concepts/services-networking/network-policies, "Creating a NetworkPolicy
    resource without a controller that implements it will have no effect".
    """
    others = dataclasses.replace(
        case, objects=tuple(item for item in case.objects if item["kind"] != "NetworkPolicy")
    )
    questions = [asking.question(request) for request, _ in case.requests]
    idle = asking.together(_world(case, _planned(case), engine=reachability.Engine.NONE), questions)
    without = asking.together(_world(others, _planned(case)), questions)
    for (request, _), answer, expected in zip(case.requests, idle, without, strict=True):
        if answer != expected:
            yield f"{request}: {answer} where nothing enforces NetworkPolicies, {expected} without any"


def _enforced_by_somebody(case: Case, unstated: reachability.World) -> Iterator[str]:
    """Return the requests of which it is known what comes of them while engines differ, or not although they agree.

    How an engine that nobody knows takes exceptions of blocks may be a third way.
    """
    questions = [asking.question(request) for request, _ in case.requests]
    third = any("except" in json.dumps(item) for item in case.objects if item["kind"] == "NetworkPolicy")
    stated = (reachability.Engine.KUBE_ROUTER, reachability.Engine.CILIUM)
    worlds = [*(_world(case, _planned(case), engine=engine) for engine in stated), unstated]
    outcomes = ([item.outcome for item in asking.together(world, questions)] for world in worlds)
    for (request, _), first, second, found in zip(case.requests, *outcomes, strict=True):
        expected = {first if first is second else reachability.Outcome.UNKNOWN}
        if found not in (expected | {reachability.Outcome.UNKNOWN} if third else expected):
            yield f"{request}: {found}, while kube-router makes it {first} and Cilium {second}"


def _from_another_node(case: Case) -> Iterator[str]:
    """Return the requests that come out otherwise from a node's own network than from that node's address.

    No pod that is called is on the node; the rule that lets a node reach its own pods then says nothing.
    """
    world = _world(case, (), apart=True)
    for request, _ in case.requests:
        if request.source in HOSTED and request.pod not in HOSTED and _place(request.host) not in HOSTED:
            question = asking.question(request)
            stranger = dataclasses.replace(question, source=reachability.Plain(address=instance.NODE_ADDRESS))
            found, expected = (reachability.decide(world, item) for item in (question, stranger))
            if (found.outcome, found.seen) != (expected.outcome, expected.seen):
                yield f"{request}: {found} from another node, and {expected} from its address"


def _place(host: str) -> str:
    """Return namespace and name of the Service with a full name."""
    name, _, rest = host.partition(".")
    return f"{rest.partition('.')[0]}/{name}"


def _of_pods(item: Object) -> bool:
    """Return whether an object is no matter of machines: of their own they have neither names nor named ports."""
    if item["kind"] != "Service":
        return item["kind"] in _OF_PODS
    named = any(isinstance(port.get("targetPort"), str) for port in item["spec"].get("ports") or ())
    return named or item["spec"].get("clusterIP") == fleet.HEADLESS


def _for_machines(request: sets.Request) -> bool:
    """Return whether a request comes out alike where the lot's pods are machines: nodes lead to pods only."""
    return bool(request.pod) or request.source in {item.place for item in LOT.applications}


def _calls_itself(request: sets.Request, hosts: Collection[tuple[str, str]]) -> bool:
    namespace, _, name = request.source.partition("/")
    if request.pod == request.source or request.host.startswith(f"{name}.{namespace}."):
        return True
    return (request.source, request.host) in hosts


def _own_hosts(objects: Iterable[Object]) -> set[tuple[str, str]]:
    """Return the places of applications with the hosts of ServiceEntries and Services that select them."""
    found: set[tuple[str, str]] = set()
    for item in objects:
        metadata, spec = item["metadata"], item.get("spec", {})
        hosts = spec.get("hosts", ()) if item["kind"] == "ServiceEntry" else ()
        labels = spec.get("workloadSelector", {}).get("labels", {})
        if item["kind"] == "Service":
            hosts = (f"{metadata['name']}.{metadata['namespace']}.{fleet.DOMAIN}",)
            labels = spec.get("selector") or {}
        found.update((f"{metadata.get('namespace')}/{labels.get('app')}", host) for host in hosts)
    return found


def _tells_pods_apart(objects: Sequence[Object]) -> bool:
    """Return whether objects name an address, or a part of the addresses, that pods may have."""
    blocks = [ipaddress.ip_network(text, strict=False) for text in _BLOCK.findall(json.dumps(objects))]
    return any(item.overlaps(_PODS) and not _PODS.subnet_of(item) for item in blocks)


def _names_blocks(objects: Sequence[Object]) -> bool:
    """Return whether objects tell addresses apart at all."""
    blocks = _BLOCK.findall(json.dumps(objects))
    return any(ipaddress.ip_network(text, strict=False).prefixlen for text in blocks)


def _is_a_bug(answer: reachability.Answer) -> bool:
    """Return whether the analyser itself says that it contradicts itself."""
    return any("a bug of the analyser" in reason for reason in answer.reasons)


def _differing(
    case: Case,
    rows: Sequence[tuple[sets.Request, asking.Measured]],
    world: reachability.World,
    ask: Callable[[reachability.World, Sequence[reachability.Question]], Sequence[reachability.Answer]],
    *,
    nameless: bool = False,
    open_: bool = False,
) -> Iterator[str]:
    """Return the rows that are answered otherwise.

    With ``nameless`` some callers do not ask the cluster's DNS, with ``open_`` any answer may be unknown.
    """
    declared = not asking.has_own_ports(case.objects)
    answers = ask(world, [asking.question(request) for request, _ in rows])
    for answer, (request, measured) in zip(answers, rows, strict=True):
        if nameless and answer.seen is reachability.Seen.NO_NAME:
            continue
        if open_ and answer.outcome is reachability.Outcome.UNKNOWN:
            continue
        if case.unknown != (answer.outcome is reachability.Outcome.UNKNOWN) or _is_a_bug(answer):
            yield f"{request}: {answer.outcome.value}: {'; '.join(answer.reasons)}"
        elif difference := asking.difference(answer, measured, as_declared=declared):
            yield f"{request}: {difference}; {'; '.join(answer.reasons)}"
        elif contradiction := logged.contradiction(answer, measured.told, entering=request.source == fleet.OUTSIDE):
            yield f"{request}: {contradiction}"
