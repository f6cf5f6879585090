"""Cases as data: objects, requests, and what a real mesh made of them; replayed with a mesh and without.

A case lives in lot 0. Addresses of pods are those of :func:`stand_in`, wherever it was measured.
"""

import dataclasses
import ipaddress
import json
import re
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from benchmarks.judge import asking, fleet, logged, sets
from slipway import reachability
from slipway.lab import instance
from slipway.manifests.surroundings import Surroundings

FOLDER = Path(__file__).parents[2] / "tests" / "cases" / "judge"
LOT = fleet.Lot(number=0)
# What the lab's mesh has in its configuration, as far as it decides.
MESH: Mapping[str, Any] = {"outboundTrafficPolicy": {"mode": "REGISTRY_ONLY"}}
LATER = "laterField"
_UNTOLD = dataclasses.asdict(logged.Logged())
_OF_PODS = frozenset({"NetworkPolicy", "Pod", "EndpointSlice"})  # kinds that are no matter of machines
_ADDRESS = re.compile(r"\d+(?:\.\d+){3}")
_BLOCK = re.compile(r"\d+(?:\.\d+){3}(?:/\d+)?")
_ANOTHER_NODE = "another-node"
_HOSTED = frozenset(item.place for item in fleet.ODDS if item.spec.get("hostNetwork"))
_PODS = ipaddress.ip_network(asking.POD_NETWORK)
_ODD = re.compile("|".join(re.escape(item.place) for item in fleet.ODDS) + rf"|{fleet.ODD}\b|{fleet.CLOSED}\b")
Object = dict[str, Any]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """``unknown`` tells that the analyser has to say that it does not know, whatever was measured.

    ``planned`` tells that the analyser sees the odd pods before they run, as Deployments without addresses, ``twice``
    that it sees two pods of each in place of one, ``machines`` that it sees machines in place of pods that are like
    those, ``engine`` what it is told of who enforces NetworkPolicy.
    ``refuses`` is a part of what a proxy says that does not take the objects; nothing can then be measured.
    ``fatal`` tells that istiod does not survive them, which was seen once and is not asked again.
    ``around`` is a whole mesh of its own, with everything that a cluster told, where the case is not about the fleet.
    """

    name: str
    objects: tuple[Object, ...]
    requests: tuple[tuple[sets.Request, asking.Measured], ...]
    unknown: bool = False
    planned: bool = False
    twice: bool = False
    machines: bool = False
    engine: reachability.Engine = reachability.Engine.KUBE_ROUTER
    refuses: str = ""
    fatal: bool = False
    mesh: Mapping[str, Any] = dataclasses.field(default_factory=lambda: MESH)
    around: Surroundings | None = None

    @property
    def odd(self) -> bool:
        """Whether the case is about pods that are unlike those of the lots."""
        return bool(_ODD.search(json.dumps(document(self.objects, self.requests, mesh={}))))

    @property
    def as_it_runs(self) -> bool:
        """Whether the analyser sees what runs; else it is told less, or otherwise, than a cluster would."""
        return not self.told_otherwise and not self.planned and LATER not in json.dumps(self.objects)

    @property
    def told_otherwise(self) -> bool:
        """Whether the analyser is told of other pods or another engine than those that were measured."""
        return self.twice or self.machines or self.engine is not reachability.Engine.KUBE_ROUTER


def addresses() -> dict[str, str]:
    """Return the addresses of the applications of a case, by namespace and name."""
    places = (*LOT.everyone, *fleet.ODDS, LOT.gate)
    found = {item.place: f"10.61.0.{201 + index}" for index, item in enumerate(places)}
    return found | dict.fromkeys(_HOSTED, instance.NODE_ADDRESS)


def stand_in(
    *,
    odd: bool = False,
    planned: Collection[str] = (),
    twice: bool = False,
    machines: bool = False,
    apart: bool = False,
) -> list[Object]:
    """Return the fleet of lot 0 as a cluster would tell of it, with ``odd`` the pods that are unlike its own.

    Those at the places ``planned`` are shown as what they are made of, before anything runs. The lot's own pods are
    shown as one of a Deployment beside it, one of a StatefulSet, one whose address an old kubelet tells, and one
    beside a pod that has ended; with ``twice`` each as the two of a Deployment, the second one on another node, with
    ``machines`` as a machine. With ``apart`` what has a node's own network is on a node that no other pod is on.
    """
    known, found = addresses(), list[Object]()
    further = fleet.ODDS if odd else ()
    own = {item.place for item in LOT.applications}
    bare = {item.place for item in (*LOT.everyone, *further) if not item.proxied}
    for number, item in enumerate(fleet.objects([LOT], revision="revision", further=further)):
        metadata = item["metadata"]
        place = f"{metadata.get('namespace', '')}/{metadata['name']}"
        if item["kind"] == "Pod" and place in planned:
            found.append(_deployment(item))
        elif item["kind"] == "Pod":
            containers = item["spec"]["containers"]
            if place not in bare:
                containers = [*containers, {"name": "istio-proxy", "image": "proxyv2"}]
            status = {"podIP": known[place], "podIPs": [{"ip": known[place]}]}
            node = _ANOTHER_NODE if apart and place in _HOSTED else instance.NODE
            spec = {**item["spec"], "containers": containers, "nodeName": node}
            pod = {**item, "spec": spec, "status": status}
            usual = _TOLD_AS.get(metadata["name"], lambda pod: [pod])
            told_as = _machine if machines else _twice if twice else usual
            found += told_as(pod) if place in own or (machines and place == fleet.DISTANT.place) else [pod]
        elif item["kind"] == "Service":
            found.append({**item, "spec": {**item["spec"], "clusterIP": f"10.62.250.{number}"}})
        elif item["kind"] == "Namespace":
            found.append(_asking_otherwise(item) if metadata["name"] == LOT.namespaces[1] else item)
    return [*found, *_STRANGERS]


def _named(pod: Object, name: str, labels: Mapping[str, str]) -> Object:
    metadata = pod["metadata"]
    return {**pod, "metadata": {**metadata, "name": name, "labels": {**metadata["labels"], **labels}}}


def _asking_otherwise(namespace: Object) -> Object:
    """Return a namespace that asks for sidecars by the older label, too."""
    labels = {**namespace["metadata"]["labels"], "istio-injection": "enabled"}
    return {**namespace, "metadata": {**namespace["metadata"], "labels": labels}}


def _of_a_deployment(pod: Object) -> list[Object]:
    running = _named(pod, f"{pod['metadata']['name']}-7d9f6c5b4-x2x4z", {"pod-template-hash": "7d9f6c5b4"})
    return [running, _deployment(pod)]


def _of_a_stateful_set(pod: Object) -> list[Object]:
    name = pod["metadata"]["name"]
    return [_named(pod, f"{name}-0", {"controller-revision-hash": f"{name}-5c9"})]


def _twice(pod: Object) -> list[Object]:
    name, address = pod["metadata"]["name"], pod["status"]["podIP"]
    second = address.replace(".0.", ".1.")
    labels = {"pod-template-hash": "7d9f6c5b4"}
    return [
        {
            **_named(pod, f"{name}-7d9f6c5b4-{end}", labels),
            "spec": {**pod["spec"], "nodeName": node},
            "status": {"podIP": ip, "podIPs": [{"ip": ip}]},
        }
        for end, ip, node in (
            ("a2b4c", address, instance.NODE),
            (asking.SECOND, second, _ANOTHER_NODE),
        )
    ]


def _machine(pod: Object) -> list[Object]:
    metadata = pod["metadata"]
    spec = {
        "address": pod["status"]["podIP"],
        "labels": metadata["labels"],
        "serviceAccount": pod["spec"]["serviceAccountName"],
    }
    return [
        {
            "apiVersion": "networking.istio.io/v1",
            "kind": "WorkloadEntry",
            "metadata": {"name": metadata["name"], "namespace": metadata["namespace"]},
            "spec": spec,
        }
    ]


def _with_one_address(pod: Object) -> list[Object]:
    return [{**pod, "status": {"podIP": pod["status"]["podIP"]}}]


def _beside_an_ended_one(pod: Object) -> list[Object]:
    ended = {"phase": "Succeeded", "podIP": "10.61.0.250", "podIPs": [{"ip": "10.61.0.250"}]}
    return [{**_named(pod, f"{pod['metadata']['name']}-ended", {}), "status": ended}, pod]


# Objects of others that are called as Kubernetes' and Istio's are, and say nothing about the mesh.
_STRANGERS: Sequence[Object] = [
    {
        "apiVersion": f"{group}.example.com/v1",
        "kind": kind,
        "metadata": {"name": "stranger", "namespace": LOT.namespaces[0]},
        "spec": {"podSelector": {}, "policyTypes": ["Ingress", "Egress"], "action": "DENY", "rules": [{}]},
    }
    for group in ("a", "z")
    for kind in ("NetworkPolicy", "AuthorizationPolicy")
] + [
    # A gateway that no Gateway selects, and a Service that has the gateway's labels in another namespace.
    {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            "name": "another-gate",
            "namespace": LOT.gate.namespace,
            "labels": {"app": "another-gate"},
            "annotations": LOT.gate.annotations,
        },
        "spec": {"containers": [{"name": "istio-proxy", "image": "proxyv2"}]},
        "status": {"podIP": "10.61.0.249", "podIPs": [{"ip": "10.61.0.249"}]},
    },
    *(
        {
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": {"name": "another-gate", "namespace": namespace},
            "spec": {
                "selector": labels,
                "clusterIP": address,
                "ports": [
                    {"name": name, "port": number, "targetPort": target} for number, name, _ in fleet.GATE_PORTS
                ],
            },
        }
        for namespace, labels, address, target in (
            (LOT.gate.namespace, {"app": "another-gate"}, "10.62.251.1", 9999),
            (fleet.PLAIN, LOT.gate.labels, "10.62.251.2", 8080),
        )
    ),
]


_TOLD_AS: Mapping[str, Callable[[Object], list[Object]]] = {
    "web": _of_a_deployment,
    "job": _of_a_stateful_set,
    "api": _with_one_address,
    "ops": _beside_an_ended_one,
}


def _deployment(pod: Object) -> Object:
    """Return what would make a pod."""
    metadata = pod["metadata"]
    template = {"metadata": {key: metadata[key] for key in ("labels", "annotations")}, "spec": pod["spec"]}
    if metadata["name"] == "job":
        return {
            "apiVersion": "batch/v1",
            "kind": "CronJob",
            "metadata": {key: metadata[key] for key in ("name", "namespace")},
            "spec": {"schedule": "0 * * * *", "jobTemplate": {"spec": {"template": template}}},
        }
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {key: metadata[key] for key in ("name", "namespace")},
        "spec": {"selector": {"matchLabels": {"app": metadata["labels"]["app"]}}, "template": template},
    }


def load(path: Path) -> Case:
    """Return the case of a file, YAML or JSON."""
    text = path.read_text(encoding="utf-8")
    return _case(path.stem, json.loads(text) if path.suffix == ".json" else yaml.safe_load(text))


def _case(name: str, found: Mapping[str, Any]) -> Case:
    return Case(
        name=name,
        objects=tuple(found.get("objects", ())),
        requests=tuple(_row(item) for item in found["requests"]),
        unknown=bool(found.get("unknown")),
        planned=bool(found.get("planned")),
        twice=bool(found.get("twice")),
        machines=bool(found.get("machines")),
        engine=reachability.Engine(found.get("engine", reachability.Engine.KUBE_ROUTER.value)),
        refuses=found.get("refuses", ""),
        fatal=bool(found.get("fatal")),
        mesh=found.get("mesh", MESH),
        around=Surroundings.from_json(json.dumps(found["around"])) if "around" in found else None,
    )


def all_of(folder: str) -> list[Path]:
    """Return the files of a folder of cases, sorted."""
    return sorted(path for path in (FOLDER / folder).glob("*") if path.suffix in {".json", ".yaml"})


def _row(item: Mapping[str, Any]) -> tuple[sets.Request, asking.Measured]:
    http = None
    if "path" in item:
        http = sets.Http(
            method=item.get("method", "GET"),
            path=item["path"],
            host=item.get("host", item.get("to", "")),
            headers=tuple((name, value) for name, value in item.get("headers", ())),
        )
    request = sets.Request(
        source=item["from"], host=item.get("to", ""), pod=item.get("pod", ""), port=item["port"], http=http,
        sni=item.get("sni"),
    )  # fmt: skip
    return request, _measured(str(item["measured"]), item.get("logged"))


def _measured(text: str, entry: Mapping[str, Any] | None) -> asking.Measured:
    told = None if entry is None else logged.Logged(**entry)
    if text.isdigit():
        return asking.Measured(end="status", status=int(text), told=told)
    end, _, how = text.partition(" ")
    return asking.Measured(end=end, identified={"mTLS": True, "plaintext": False}.get(how), told=told)


def _ended(measured: asking.Measured) -> str:
    if measured.end == "status":
        return str(measured.status)
    return measured.end + {True: " mTLS", False: " plaintext", None: ""}[measured.identified]


def reproduced(document_: Mapping[str, Any]) -> dict[str, Any]:
    """Return a stored case with only the rows that its own objects explain.

    The shared applications may be called by routes and rules of other lots too, which a case does not have.
    """
    case = _case("recorded", document_)
    rows = zip(document_["requests"], case.requests, strict=True)
    world = world_of(case)
    kept = [item for item, row in rows if not any(_differing(case, [row], world, asking.together))]
    return {**document_, "requests": kept}


def document(
    objects: Iterable[Object], requests: Iterable[tuple[sets.Request, asking.Measured]], *, mesh: Mapping[str, Any]
) -> dict[str, Any]:
    """Return a case as it is stored."""
    return {"mesh": dict(mesh), "objects": list(objects), "requests": [_document(*item) for item in requests]}


def whole(case: Case) -> str:
    """Return a case about a whole mesh as it is stored: one line for each object and for each request."""
    assert case.around is not None  # noqa: S101 - others are told by document
    around = json.loads(case.around.to_json())
    objects = around.pop("manifests")
    lines = [
        f'{{"around": {json.dumps(around)[:-1]}, "manifests": [',
        ",\n".join(json.dumps(item) for item in objects),
        ']}, "requests": [',
        ",\n".join(json.dumps(_document(*item)) for item in case.requests),
        "]}",
    ]
    return "\n".join(lines) + "\n"


def _document(request: sets.Request, measured: asking.Measured) -> dict[str, Any]:
    found: dict[str, Any] = {"from": request.source}
    found.update({"pod": request.pod} if request.pod else {"to": request.host})
    found["port"] = request.port
    if request.sni is not None:
        found["sni"] = request.sni
    if request.http is not None:
        http = request.http
        found.update({"method": http.method, "path": http.path, "host": http.host})
        if http.headers:
            found["headers"] = [list(item) for item in http.headers]
    found["measured"] = _ended(measured)
    if measured.told is not None:
        entries = dataclasses.asdict(measured.told).items()
        found["logged"] = {key: value for key, value in entries if value != _UNTOLD[key]}
    return found


def stored(document_: Mapping[str, Any], *, lot: int, live: Mapping[str, str]) -> str:
    """Return a case of any lot with live addresses as one of lot 0 with stand-in addresses, as text."""
    places = zip(fleet.Lot(number=lot).pods, LOT.pods, strict=True)
    names = {live[other.place]: addresses()[own.place] for other, own in places}
    text = _addressed(json.dumps(document_, separators=(",", ":")), names)
    return _renamed(text, lot, LOT.number)


def placed(case: Case, *, lot: int, live: Mapping[str, str]) -> Case:
    """Return a case of lot 0 with stand-in addresses as one of another lot with live addresses."""
    places = zip(LOT.pods, fleet.Lot(number=lot).pods, strict=True)
    names = {addresses()[own.place]: live[other.place] for own, other in places}
    names |= {addresses()[item.place]: live[item.place] for item in fleet.ODDS if item.place in live}
    document_ = document(case.objects, case.requests, mesh=case.mesh)
    document_ |= {"unknown": case.unknown, "planned": case.planned, "twice": case.twice, "refuses": case.refuses}
    document_ |= {"machines": case.machines, "engine": case.engine.value}
    text = _addressed(json.dumps(document_), names)
    return _case(case.name, json.loads(_renamed(text, LOT.number, lot)))


def _renamed(text: str, old: int, new: int) -> str:
    """Return a text with the namespaces of two lots exchanged, also where a Host header has them in capitals.

    Exchanged, since policies of the root namespace may name the other lot.
    """
    first, second = f"{fleet.PREFIX}-{old}-", f"{fleet.PREFIX}-{new}-"
    places = {first: second, second: first, first.upper(): second.upper(), second.upper(): first.upper()}
    return re.sub("|".join(places), lambda found: places[found[0]], text)


def _addressed(text: str, names: Mapping[str, str]) -> str:
    """Return a text with addresses replaced."""
    return _ADDRESS.sub(lambda found: names.get(found[0], found[0]), text)


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
) -> reachability.World:
    fixed = json.dumps(stand_in(odd=case.odd, planned=planned, twice=twice, machines=machines, apart=apart))
    mesh_config = json.loads(json.dumps(case.mesh))
    return asking.world([*json.loads(fixed), *case.objects], mesh_config, engine=engine or case.engine)


def disagreements(
    case: Case, world: reachability.World | None = None, *, ways: Sequence[str] = ("together", "alone")
) -> Iterator[str]:
    """Return how the analyser contradicts measurements, when all callers ask at once and when each asks alone.

    What clients outside send to a gateway is asked as they mean it, too: a name, by way of the gateway. Where no
    object names an address, the answers have to be the same before anything runs. Where it is not known what enforces
    NetworkPolicy, they may be unknown besides. ``world`` is that of the case when
    it was read before; ``ways`` name functions of :mod:`asking`.
    """
    world = world_of(case) if world is None else world
    for way in ways:
        yield from _differing(case, case.requests, world, getattr(asking, way))
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
            if not item[0].address and not _calls_itself(item[0], own) and item[0].source not in _HOSTED
        ]
        planned = _world(case, [item.place for item in (*LOT.pods, *fleet.ODDS)])
        yield from _differing(case, others, planned, asking.together)
        yield from _differing(case, others, _world(case, [], twice=True), asking.by_second_pods)
    if any(item["kind"] == "NetworkPolicy" for item in case.objects):
        unstated = _world(case, _planned(case), engine=reachability.Engine.UNKNOWN)
        yield from _differing(case, case.requests, unstated, asking.together, open_=True)
        yield from _enforced_by_nobody(case)
        yield from _enforced_by_somebody(case)
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


def _enforced_by_somebody(case: Case) -> Iterator[str]:
    """Return the requests of which it is known what comes of them while engines differ, or not although they agree.

    How an engine that nobody knows takes exceptions of blocks may be a third way.
    """
    questions = [asking.question(request) for request, _ in case.requests]
    third = any("except" in json.dumps(item) for item in case.objects if item["kind"] == "NetworkPolicy")
    router, cilium, unstated = (
        [item.outcome for item in asking.together(_world(case, _planned(case), engine=engine), questions)]
        for engine in (reachability.Engine.KUBE_ROUTER, reachability.Engine.CILIUM, reachability.Engine.UNKNOWN)
    )
    for (request, _), first, second, found in zip(case.requests, router, cilium, unstated, strict=True):
        expected = {first if first is second else reachability.Outcome.UNKNOWN}
        if found not in (expected | {reachability.Outcome.UNKNOWN} if third else expected):
            yield f"{request}: {found}, while kube-router makes it {first} and Cilium {second}"


def _from_another_node(case: Case) -> Iterator[str]:
    """Return the requests that come out otherwise from a node's own network than from that node's address.

    No pod that is called is on the node; the rule that lets a node reach its own pods then says nothing.
    """
    world = _world(case, (), apart=True)
    for request, _ in case.requests:
        if request.source in _HOSTED and request.pod not in _HOSTED and _place(request.host) not in _HOSTED:
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
