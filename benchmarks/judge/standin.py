"""The fleet of a case as a cluster would tell of it, in place of a mesh: the same pods in several ways.

Addresses of pods are those of :func:`addresses`, wherever a case was measured.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any

from benchmarks.judge import asking, fleet
from slipway.lab import instance

LOT = fleet.Lot(number=0)
HOSTED = frozenset(item.place for item in fleet.ODDS if item.spec.get("hostNetwork"))
_ANOTHER_NODE = "another-node"
Object = dict[str, Any]


def addresses() -> dict[str, str]:
    """Return the addresses of the applications of a case, by namespace and name."""
    places = (*LOT.everyone, *fleet.ODDS, LOT.gate)
    found = {item.place: f"10.61.0.{201 + index}" for index, item in enumerate(places)}
    return found | dict.fromkeys(HOSTED, instance.NODE_ADDRESS)


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
    beside a pod that has ended; with ``twice`` each as the two of a Deployment, the second one newer and on another
    node, with ``machines`` as a machine. With ``apart`` what has a node's own network is on a node of its own.
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
            node = _ANOTHER_NODE if apart and place in HOSTED else instance.NODE
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
    return [
        {
            **_named(pod, f"{name}-{template}-{end}", {"pod-template-hash": template}),
            "spec": {**pod["spec"], "nodeName": node},
            "status": {"podIP": ip, "podIPs": [{"ip": ip}]},
        }
        for template, end, ip, node in (
            ("7d9f6c5b4", "a2b4c", address, instance.NODE),
            ("86c4d9b7f", asking.SECOND, second, _ANOTHER_NODE),
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
