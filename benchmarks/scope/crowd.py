"""Pods of a lab with sidecars, the applications in them, and objects by the thousand."""

import contextlib
import json
import os
import subprocess
import sys
import time
from collections.abc import Generator, Iterable, Mapping, Sequence
from concurrent import futures
from pathlib import Path
from typing import Any

from benchmarks.judge import fleet, herd
from benchmarks.scope import proxy
from slipway.lab import instance as instances
from slipway.lab import programs
from slipway.world import kubernetes

PORT = 8080
_MANAGER = "slipway-bench"
_AT_ONCE = 8
_READY_S = 180.0
_LISTENING_S = 10.0
_LOAD_S = 300
_SETTLED_S, _PAUSE_S = 120.0, 3.0
_LOAD = Path(__file__).with_name("load.py")
_CONNECTIONS = 16
# What an application of the example needs to start; nothing is asked of its database.
_APPLICATION = {"ROLE": "billing", "LISTEN": f":{PORT}", "DATABASE_URL": "postgres://bench@127.0.0.1/bench"}

Object = Mapping[str, Any]


class Crowd:
    """The cluster of one lab, and what this benchmark has there."""

    def __init__(self, instance: instances.Instance) -> None:
        """Keep what is asked; nothing is sent."""
        self._instance = instance
        self._cluster = kubernetes.Cluster(instance.kubeconfig)
        self._pool = futures.ThreadPoolExecutor(_AT_ONCE)
        self._program = programs.ensure(["shop"])["shop"].bin / "app"

    def apply(self, bodies: Iterable[Object]) -> None:
        """Apply objects that do not need each other."""
        list(self._pool.map(lambda body: self._cluster.apply(body, manager=_MANAGER), bodies))

    def delete(self, bodies: Iterable[Object]) -> None:
        """Delete objects, those of pods at once."""
        list(self._pool.map(self._delete, bodies))

    def _delete(self, body: Object) -> None:
        kind = kubernetes.Kind(api_version=body["apiVersion"], kind=body["kind"])
        metadata = body["metadata"]
        self._cluster.delete(kind, metadata["name"], namespace=metadata.get("namespace", ""), grace_s=0)

    def address(self, item: fleet.Application) -> str:
        """Return the virtual address of an application's Service; raises KubernetesError when it has none."""
        found = self._cluster.get(kubernetes.SERVICE, item.name, namespace=item.namespace)
        if found is None:
            raise kubernetes.KubernetesError(f"there is no Service {item.place}")
        return str(found["spec"]["clusterIP"])

    @contextlib.contextmanager
    def living(self, applications: Sequence[fleet.Application]) -> Generator[dict[str, Path]]:
        """Have a new pod for each application, serving, while the block lasts; yield their network namespaces."""
        pods = [fleet.pod(item) for item in applications]
        self.apply([fleet.account(item) for item in applications])
        self.apply(pods)
        try:
            list(self._pool.map(self._await_ready, pods))
            wanted = {item.place: f"{fleet.MARK}={item.place}" for item in applications}
            inside = herd.namespaces(wanted, self._instance.cgroup)
            with self._serving(inside):
                yield inside
        finally:
            self.delete(pods)
            list(self._pool.map(self._await_gone, pods))

    def _pod(self, body: Object) -> kubernetes.Object | None:
        metadata = body["metadata"]
        return self._cluster.get(kubernetes.POD, metadata["name"], namespace=metadata["namespace"])

    def _await_ready(self, body: Object) -> None:
        told = f"the pod {body['metadata']['name']} is ready"
        kubernetes.wait_until(told, lambda: kubernetes.pod_missing(self._pod(body)), timeout_s=_READY_S)

    def _await_gone(self, body: Object) -> None:
        told = f"the pod {body['metadata']['name']} is gone"
        kubernetes.wait_until(told, lambda: "still there" * (self._pod(body) is not None), timeout_s=_READY_S)

    @contextlib.contextmanager
    def _serving(self, inside: Mapping[str, Path]) -> Generator[None]:
        running: list[subprocess.Popen[bytes]] = []
        try:
            for network in inside.values():
                argv = ["nsenter", f"--net={network}", "--", str(self._program)]
                running.append(subprocess.Popen(argv, env={**os.environ, **_APPLICATION}))
            for network in inside.values():
                _await_listening(network)
            yield
        finally:
            for process in running:
                process.kill()
                process.wait()


def _await_listening(network: Path) -> None:
    began = time.monotonic()
    while f":{PORT:04X} " not in (network.parents[1] / "net/tcp6").read_text():
        if time.monotonic() - began > _LISTENING_S:
            raise RuntimeError(f"nobody listens on port {PORT} in {network}")
        time.sleep(0.1)


def load(network: Path, address: str, host: str, *, count: int) -> dict[str, int]:
    """Send requests from a pod's network namespace, and return how often each status was answered."""
    argv = ["nsenter", f"--net={network}", "--", sys.executable, "-I", str(_LOAD)]
    words = [address, str(PORT), host, str(count), str(_CONNECTIONS)]
    done = subprocess.run([*argv, *words], capture_output=True, text=True, timeout=_LOAD_S, check=False)
    if done.returncode:
        raise RuntimeError(f"{host}: {done.stderr.strip().splitlines()[-1]}")
    return dict(json.loads(done.stdout))


def settled(inside: Mapping[str, Path]) -> list[proxy.Holdings]:
    """Return what the proxy of each pod holds, once two looks find the same."""
    found: list[proxy.Holdings] = []
    for network in inside.values():
        one = proxy.Proxy(network)
        last, now = None, one.holdings()
        began = time.monotonic()
        while last is None or not now.is_like(last):
            if time.monotonic() - began > _SETTLED_S:
                raise RuntimeError(f"after {_SETTLED_S:g} s the proxy in {network} still changes: {last}, {now}")
            time.sleep(_PAUSE_S)
            last, now = now, one.holdings()
        found.append(now)
    return found
