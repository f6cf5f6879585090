"""Who lives on the stage: the declared workloads as pods, and a namespace beside them that nobody declared.

A pod holds a network namespace, a sidecar and the prober; what it serves is the judge's application, beside it, whose
answers say who gave them.
"""

import contextlib
import json
from collections.abc import Generator, Mapping
from concurrent import futures
from pathlib import Path
from typing import Any

from benchmarks.judge import fleet, herd
from policies.bundles import namespaces
from slipway.lab import certificates
from slipway.lab import instance as instances
from slipway.mesh import model
from slipway.rollout import expectations, probes
from slipway.world import kubernetes

BESIDE = "applied-beside"
_MANAGER = "slipway-applied"
_AT_ONCE = 8
_READY_S = 120.0
_UNUSED_TLS = 18443
_PORT, _TCP_PORT = 8080, 9000
_PROBE_S = 30.0
_TIMEOUT_MS = 4000


class People:
    """Pods of one lab, with the applications in them. ``image`` has the prober at ``program``."""

    def __init__(self, instance: instances.Instance, *, image: str, program: str) -> None:
        self._instance = instance
        self._cluster = kubernetes.Cluster(instance.kubeconfig)
        self._image, self._program = image, program
        self._pool = futures.ThreadPoolExecutor(_AT_ONCE)

    @contextlib.contextmanager
    def living(self, mesh: model.Mesh, services: list[dict[str, Any]]) -> Generator[None]:
        """Have a new pod for each declared workload, serving its ports, while the block lasts.

        Sidecars that start find everything that was applied before; no connection of an earlier declaration is left.
        """
        wanted = {
            f"{item.namespace}/{item.name}": (item, tuple(port.number for port in item.ports))
            for item in mesh.services
            if item.workload is not None
        }
        bodies = [
            body
            for item, _ in wanted.values()
            if item.workload is not None
            for body in (
                _account(item.workload.service_account, item.namespace),
                self._pod(item.name, item.namespace, item.workload.service_account, dict(item.workload.labels)),
            )
        ]
        with self._present([*services, *bodies]), self._serving({key: ports for key, (_, ports) in wanted.items()}):
            yield

    @contextlib.contextmanager
    def beside(self) -> Generator["Beside"]:
        """Have the undeclared namespace, with a pod that has a sidecar and one that has none."""
        labels = {namespaces.REVISION_LABEL: "1-29-1"}
        space = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": BESIDE, "labels": labels}}
        self._cluster.apply(space, manager=_MANAGER)
        ports = [{"name": "http", "port": _PORT}, {"name": "tcp", "port": _TCP_PORT}]
        bodies: list[dict[str, Any]] = []
        for name in Beside.PODS:
            spec = {"selector": {"app": name}, "ports": ports}
            metadata = {"name": name, "namespace": BESIDE}
            injected = {} if name == Beside.MESHED else {"sidecar.istio.io/inject": "false"}
            bodies += [
                _account(name, BESIDE),
                {"apiVersion": "v1", "kind": "Service", "metadata": metadata, "spec": spec},
                self._pod(name, BESIDE, name, {"app": name, **injected}),
            ]
        places = {f"{BESIDE}/{name}": (_PORT, _TCP_PORT) for name in Beside.PODS}
        try:
            with self._present(bodies), self._serving(places):
                yield Beside(self._cluster, program=self._program)
        finally:
            self._cluster.delete(kubernetes.NAMESPACE, BESIDE)

    @contextlib.contextmanager
    def _present(self, bodies: list[dict[str, Any]]) -> Generator[None]:
        pods = [item for item in bodies if item["kind"] == "Pod"]
        try:
            list(self._pool.map(self._apply, [item for item in bodies if item["kind"] != "Pod"]))
            list(self._pool.map(self._apply, pods))
            list(self._pool.map(self._await_ready, pods))
            yield
        finally:
            list(self._pool.map(self._delete, pods))
            list(self._pool.map(self._await_gone, pods))
            list(self._pool.map(self._delete, [item for item in bodies if item["kind"] != "Pod"]))

    def _apply(self, body: Mapping[str, Any]) -> None:
        self._cluster.apply(body, manager=_MANAGER)

    def _delete(self, body: Mapping[str, Any]) -> None:
        kind = kubernetes.Kind(api_version=body["apiVersion"], kind=body["kind"])
        metadata = body["metadata"]
        self._cluster.delete(kind, metadata["name"], namespace=metadata["namespace"], grace_s=0)

    def _await_ready(self, pod: Mapping[str, Any]) -> None:
        name, namespace = pod["metadata"]["name"], pod["metadata"]["namespace"]
        kubernetes.wait_until(
            f"the pod {namespace}/{name} is ready",
            lambda: kubernetes.pod_missing(self._cluster.get(kubernetes.POD, name, namespace=namespace)),
            timeout_s=_READY_S,
        )

    def _await_gone(self, pod: Mapping[str, Any]) -> None:
        name, namespace = pod["metadata"]["name"], pod["metadata"]["namespace"]
        kubernetes.wait_until(
            f"the pod {namespace}/{name} is gone",
            lambda: "still there" * (self._cluster.get(kubernetes.POD, name, namespace=namespace) is not None),
            timeout_s=_READY_S,
        )

    @contextlib.contextmanager
    def _serving(self, places: Mapping[str, tuple[int, ...]]) -> Generator[None]:
        pair = (
            certificates.certificate_path(self._instance, "vault"),
            certificates.key_path(self._instance, "vault"),
        )
        inside = herd.namespaces({place: f"{fleet.MARK}={place}" for place in places}, self._instance.cgroup)
        commands = {place: _command(place, inside[place], ports, pair) for place, ports in places.items()}
        with herd.started(commands):
            yield

    def _pod(self, name: str, namespace: str, account: str, labels: Mapping[str, str]) -> dict[str, Any]:
        container = {
            "name": "app",
            "image": self._image,
            "imagePullPolicy": "IfNotPresent",
            "command": [self._program, "idle", "/shared/probe"],
            "env": [{"name": fleet.MARK, "value": f"{namespace}/{name}"}],
            "volumeMounts": [{"name": "shared", "mountPath": "/shared"}],
            "securityContext": {"runAsNonRoot": True, "runAsUser": 1000},
        }
        annotations = {
            "sidecar.istio.io/proxyCPU": "5m",
            "sidecar.istio.io/proxyMemory": "32Mi",
            "proxy.istio.io/config": json.dumps({"concurrency": 1}),
        }
        return {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {"name": name, "namespace": namespace, "labels": dict(labels), "annotations": annotations},
            "spec": {
                "serviceAccountName": account,
                "terminationGracePeriodSeconds": 0,
                "containers": [container],
                "volumes": [{"name": "shared", "emptyDir": {"medium": "Memory"}}],
            },
        }


class Beside:
    """The calls of the namespace that nobody declared."""

    MESHED, BARE = "meshed", "bare"
    PODS = (MESHED, BARE)

    def __init__(self, cluster: kubernetes.Cluster, *, program: str) -> None:
        self._cluster, self._program = cluster, program

    def calls(self) -> dict[str, str]:
        """Send all of them on new connections, and return what came of each."""
        found: dict[str, str] = {}
        for name in self.PODS:
            documents = [
                request.document(name=f"{name} -> {told}", address=str(request.target)) for told, request in _CALLS
            ]
            stdin = json.dumps(documents).encode() + b"\n"
            done = self._cluster.execute(BESIDE, name, "app", [self._program], stdin=stdin, timeout_s=_PROBE_S)
            for told, result in probes.results(done.stdout).items():
                ended = "closed" if result.outcome in expectations.CLOSED else result.outcome
                found[told] = f"{ended} {result.code} {_giver(result.body)}".strip()
        return dict(sorted(found.items()))


def refused_outside(calls: Mapping[str, str]) -> dict[str, str]:
    """Return what came instead of an answer, or nothing, for each call of the sidecar there to an outside host."""
    told = [f"{Beside.MESHED} -> {name}" for names in _OUTSIDE for name in names]
    return {name: "" if calls[name].startswith("answer ") else calls[name] for name in told}


def _giver(body: str) -> str:
    """Return who gave an answer; the rest of it differs from time to time."""
    return str(json.loads(body).get("place")) if body.startswith('{"place"') else ""


def _call(kind: probes.Kind, host: str, port: int, *, tls: str = "") -> probes.Request:
    return probes.Request(
        kind=kind,
        target=probes.Address(host=host, port=port),
        tls=probes.Tls(sni=tls, unverified=True) if tls else None,
        host=tls or host,
        send="beside\n" if kind is probes.Kind.TCP else "",
        timeout_ms=_TIMEOUT_MS,
    )


_OUTSIDE = instances.INTERNET_NAMES.items()
_CALLS = (
    *(
        (f"{name} by HTTP", _call(probes.Kind.HTTP, f"{name}.{BESIDE}.svc.cluster.local", _PORT))
        for name in Beside.PODS
    ),
    *(
        (f"{name} by TCP", _call(probes.Kind.TCP, f"{name}.{BESIDE}.svc.cluster.local", _TCP_PORT))
        for name in Beside.PODS
    ),
    *((host, _call(probes.Kind.HTTP, host, 443, tls=host)) for host, _ in _OUTSIDE),
    *((address, _call(probes.Kind.HTTP, address, 443, tls=host)) for host, address in _OUTSIDE),
)


def _account(name: str, namespace: str) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": name, "namespace": namespace}}


def _command(place: str, namespace: Path, ports: tuple[int, ...], pair: tuple[Path, Path]) -> list[str]:
    certificate, key = pair
    return herd.command(place, namespace, ports, tls=_UNUSED_TLS, certificate=certificate, key=key)
