"""Work grows with the number of services, not with its square: calls of functions are counted, not seconds."""

import cProfile
import pstats
from collections.abc import Callable
from typing import Any

import pytest

from slipway import reachability
from slipway.manifests import canonical, kubernetes_reader
from slipway.manifests.manifest import Manifest
from slipway.reachability import changes

_SMALL, _LARGE = 24, 96
_MOST = 1.3  # times the growth of the mesh; twice of it would be 4


def _security(kind: str, name: str, namespace: str, spec: Any) -> Manifest:
    return Manifest(
        api_version="security.istio.io/v1", kind=kind, name=name, namespace=namespace, body={"spec": spec}
    )


def _scoped(name: str, namespace: str, called: str) -> list[Manifest]:
    """Return what narrows a workload: its Sidecar and its mode."""
    labels = {"app": name}
    egress = [{"hosts": [f"*/{called}.svc.cluster.local"]}]
    return [
        Manifest(
            api_version="networking.istio.io/v1",
            kind="Sidecar",
            name=name,
            namespace=namespace,
            body={"spec": {"workloadSelector": {"labels": labels}, "egress": egress}},
        ),
        _security(
            "PeerAuthentication", name, namespace, {"selector": {"matchLabels": labels}, "mtls": {"mode": "STRICT"}}
        ),
    ]


def _network_policy(namespace: str) -> Manifest:
    """Return a policy that says the same in every namespace: pods of the mesh, on the port of their services."""
    mesh = [
        {"namespaceSelector": {"matchExpressions": [{"key": "kubernetes.io/metadata.name", "operator": "Exists"}]}}
    ]
    rules = {"ingress": [{"ports": [{"port": 8080}]}], "egress": [{"to": mesh}]}
    return Manifest(
        api_version="networking.k8s.io/v1",
        kind="NetworkPolicy",
        name="mesh",
        namespace=namespace,
        body={"spec": {"podSelector": {}, **rules}},
    )


def _service(number: int, services: int, per_namespace: int, *, scoped: bool) -> list[Manifest]:
    def place(item: int) -> str:
        return f"ns{item // per_namespace}"

    name, namespace, labels = f"s{number}", place(number), {"app": f"s{number}"}
    called = (number + 1) % services
    callers = [(number + step) % services for step in (1, 7)]
    rule = {
        "from": [{"source": {"principals": [f"cluster.local/ns/{place(item)}/sa/s{item}" for item in callers]}}],
        "to": [{"operation": {"methods": ["GET"], "paths": ["/api/*"]}}],
    }
    template = {"metadata": {"labels": labels}, "spec": {"serviceAccountName": name, "containers": []}}
    ports = [{"name": "http", "port": 80, "targetPort": 8080}]
    found = [
        Manifest(
            api_version="apps/v1",
            kind="Deployment",
            name=name,
            namespace=namespace,
            body={"spec": {"template": template}},
        ),
        Manifest(
            api_version="v1",
            kind="Service",
            name=name,
            namespace=namespace,
            body={"spec": {"selector": labels, "ports": ports}},
        ),
        _security("AuthorizationPolicy", name, namespace, {"selector": {"matchLabels": labels}, "rules": [rule]}),
    ]
    return found + (_scoped(name, namespace, f"s{called}.{place(called)}") if scoped else [])


def _mesh(services: int, per_namespace: int, *, scoped: bool, path: str = "/api/*") -> str:
    spaces = {number // per_namespace for number in range(services)}
    found = [
        Manifest(api_version="v1", kind="Namespace", name=f"ns{item}", labels={"istio-injection": "enabled"})
        for item in spaces
    ]
    if scoped:
        found += [_network_policy(f"ns{item}") for item in spaces]
    for number in range(services):
        found += _service(number, services, per_namespace, scoped=scoped)
    return canonical.manifests_to_yaml(found).replace('"/api/*"', f'"{path}"', 1)


def _calls(run: Callable[[], object]) -> int:
    profile = cProfile.Profile()
    profile.runcall(run)
    return pstats.Stats(profile).total_calls


def _work(services: int, per_namespace: int, *, scoped: bool) -> dict[str, int]:
    text = _mesh(services, per_namespace, scoped=scoped)

    def world(given: str) -> reachability.World:
        return reachability.read(kubernetes_reader.read_manifests(given, file="f"), mesh_config={})

    before, after = world(text), world(_mesh(services, per_namespace, scoped=scoped, path="/other/*"))
    question = reachability.Question(
        source=reachability.Workload(namespace="ns0", name="s1"),
        destination=reachability.Host(name="s0.ns0.svc.cluster.local"),
        port=80,
    )
    return {
        "reading": _calls(lambda: world(text)),
        "all pairs": _calls(lambda: reachability.matrix(world(text))),
        "one question": _calls(lambda: reachability.decide_kinds(world(text), question)),
        "difference": _calls(lambda: reachability.diff(before, after)),
    }


@pytest.mark.parametrize("scoped", [False, True], ids=["open", "scoped"])
@pytest.mark.parametrize("per_namespace", [8, _LARGE], ids=["namespaces", "one-namespace"])
def test_work_grows_like_the_mesh(per_namespace, scoped):
    small, large = (_work(services, per_namespace, scoped=scoped) for services in (_SMALL, _LARGE))
    grown = {name: large[name] / small[name] / (_LARGE / _SMALL) for name in small}
    assert all(factor < _MOST for factor in grown.values()), grown


def test_objects_that_moved_to_another_file_are_not_asked_again():
    found = kubernetes_reader.read_manifests(_mesh(_SMALL, 8, scoped=True), file="f")
    changed = kubernetes_reader.read_manifests(_mesh(_SMALL, 8, scoped=True, path="/other/*"), file="f")
    before, after = (
        reachability.read(items, mesh_config={}, origins={item.key: folder for item in items})
        for folder, items in (("before/all.yaml", found), ("after/all.yaml", changed))
    )
    assert changes.concerned(before, after) == {"s0.ns0.svc.cluster.local"}
