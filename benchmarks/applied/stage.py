"""The lab's mesh under one declaration after another: its objects, its machines, and the moment all proxies know."""

import base64
import contextlib
import time
from collections.abc import Generator, Iterable, Mapping
from concurrent import futures
from pathlib import Path
from typing import Any

from benchmarks.accepted import Compiled
from benchmarks.applied import meshes
from benchmarks.judge import fleet
from components.lab import platform as lab_platform
from components.lab import settings
from policies.bundles import gateways, objects, surroundings
from slipway.lab import instance as instances
from slipway.lab.machines import api, record
from slipway.world import kubernetes

ROOT = Path(__file__).parents[2]
_MANAGER = "slipway-applied"
_AT_ONCE = 8
_CONNECTED_S = 90.0
_SETTLED_S = 90.0
_GONE_S = 120.0
_SENTINEL = kubernetes.Kind(api_version="security.istio.io/v1", kind="AuthorizationPolicy")
_LISTENERS = "config_dump?resource=dynamic_listeners"
_SECRET = kubernetes.Kind(api_version="v1", kind="Secret")

Key = tuple[str, str, str]


class Stage:
    """A lab that `slipway up` has brought up, and what stands in it instead of that declaration.

    Objects that were there before keep their field manager, so that the next `pulumi up` finds its own.
    """

    def __init__(self, instance: instances.Instance, home: Compiled) -> None:
        """Keep what is asked; ``home`` is the declaration that the lab was brought up with. Nothing is sent."""
        self.instance = instance
        self.cluster = kubernetes.Cluster(instance.kubeconfig)
        self._home = home
        self._there: dict[Key, Mapping[str, Any]] = {}
        self._own = {item.key for item in home.bundle.manifests}
        self._managers: dict[Key, str] = {}
        self._round = int(time.time() * 10) % 10_000_000
        self._pool = futures.ThreadPoolExecutor(_AT_ONCE)

    @contextlib.contextmanager
    def borrowed(self) -> Generator[None]:
        """Give the lab back as it was: objects, machines, nothing of ours; what an earlier run left goes first."""
        self._there = self._found()
        self._leave()
        authority = base64.b64encode(self.instance.public_authority.read_bytes()).decode()
        metadata = {"name": meshes.AUTHORITY, "namespace": gateways.EGRESS.namespace}
        self.cluster.apply(
            {"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "data": {"ca.crt": authority}}
        )
        try:
            yield
        finally:
            self.play(self._home)
            self.cluster.delete(_SECRET, meshes.AUTHORITY, namespace=gateways.EGRESS.namespace)
            for namespace in self._marked(self._home):
                self.cluster.delete(_SENTINEL, fleet.SENTINEL, namespace=namespace)
            self._leave()

    def _found(self) -> dict[Key, Mapping[str, Any]]:
        """Return every object of Slipway's that is there."""
        label = ",".join(f"{key}={value}" for key, value in objects.MANAGED_BY.items())
        kinds = [kubernetes.Kind(api_version=version, kind=kind) for kind, version in objects.API_VERSIONS.items()]
        items = [item for kind in kinds for item in self.cluster.list(kind, labels=label)]
        return {
            (item["kind"], item["metadata"].get("namespace", ""), item["metadata"]["name"]): item for item in items
        }

    def _leave(self) -> None:
        """Delete the namespaces of generated declarations, and return when they are gone."""
        for namespace in meshes.NAMESPACES:
            self.cluster.delete(kubernetes.NAMESPACE, namespace)
        kubernetes.wait_until(
            "the namespaces of generated declarations are gone",
            lambda: ", ".join(name for name in meshes.NAMESPACES if self.cluster.get(kubernetes.NAMESPACE, name)),
            timeout_s=_GONE_S,
        )

    def play(self, wanted: Compiled) -> int:
        """Have exactly the objects of a declaration, and its machines; return how many objects they are.

        Returns when the proxies that were there before, of machines and gateways, work by them.
        """
        if wanted.bundle.mesh_config != self._home.bundle.mesh_config:
            raise ValueError(f"{wanted.name} wants another mesh configuration than the lab has")
        own = self._home.bundle.namespace_labels
        for name, labels in wanted.bundle.namespace_labels.items():
            if own.get(name) == labels:
                continue  # who applied them once more would keep them when the lab's own program takes them away
            metadata = {"name": name, "labels": dict(labels)}
            self.cluster.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": metadata}, manager=_MANAGER)
        bodies: dict[Key, Mapping[str, Any]] = {item.key: item.to_dict() for item in wanted.bundle.manifests}
        for _, items in wanted.bundle.stages():
            list(self._pool.map(self._apply, [bodies[item.key] for item in items if self._differs(item.key, bodies)]))
        gone = [self._there[key] for key in self._there if key not in bodies and key[0] != "Namespace"]
        list(self._pool.map(self._delete, gone))
        self._there = bodies
        list(self._pool.map(self._bring, self._machines(wanted)))
        self._settle(wanted)
        return len(bodies)

    def services(self, wanted: Compiled) -> list[dict[str, Any]]:
        """Return the Services that the teams of a declaration are expected to have."""
        around = surroundings.emit_surroundings(wanted.mesh, wanted.bundle).manifests
        own = wanted.bundle.namespace_labels
        return [item.to_dict() for item in around if item.kind == "Service" and item.namespace in own]

    def _differs(self, key: Key, bodies: Mapping[Key, Mapping[str, Any]]) -> bool:
        return self._there.get(key) != bodies[key]

    def _apply(self, body: Mapping[str, Any]) -> None:
        key = (body["kind"], body["metadata"].get("namespace", ""), body["metadata"]["name"])
        self._remember(key, body)
        self.cluster.apply(body, manager=self._managers.get(key, _MANAGER))

    def _delete(self, body: Mapping[str, Any]) -> None:
        kind = kubernetes.Kind(api_version=body["apiVersion"], kind=body["kind"])
        metadata = body["metadata"]
        self._remember((kind.kind, metadata.get("namespace", ""), metadata["name"]), body)
        self.cluster.delete(kind, metadata["name"], namespace=metadata.get("namespace", ""))

    def _remember(self, key: Key, body: Mapping[str, Any]) -> None:
        """Remember who owns the fields of an object that is not ours."""
        if key in self._managers or key not in self._own:
            return
        kind = kubernetes.Kind(api_version=body["apiVersion"], kind=body["kind"])
        found = self.cluster.get(kind, key[2], namespace=key[1])
        owners = [] if found is None else found["metadata"].get("managedFields", [])
        applied = [item["manager"] for item in owners if item["operation"] == "Apply"]
        self._managers[key] = next(iter(applied), _MANAGER)

    def _machines(self, wanted: Compiled) -> list[record.MachineSpec]:
        folder = ROOT / "stacks"
        made = settings.read(self.instance.name, mesh=wanted.mesh, bundle=wanted.bundle, folder=folder)
        return [
            lab_platform.specification(
                machine,
                user_data=made.user_data[machine.name],
                names=[name for service in machine.services for name in wanted.mesh.service(service).names],
                rules=wanted.bundle.nsg[machine.name],
            )
            for machine in wanted.mesh.machines
        ]

    def _bring(self, spec: record.MachineSpec) -> None:
        if record.read(self.instance, spec.name) != spec:
            api.update(self.instance, spec, _silent)
        api.ready(self.instance, spec.name, level=api.Level.CONNECTED, timeout_s=_CONNECTED_S)

    def _marked(self, wanted: Compiled) -> Iterable[str]:
        return sorted({gateways.EGRESS.namespace, *(machine.namespace for machine in wanted.mesh.machines)})

    def _settle(self, wanted: Compiled) -> None:
        """Wait until every proxy that is not made anew shows a policy that was applied after all others."""
        self._round += 1
        mark = f"round-{self._round}"
        for namespace in self._marked(wanted):
            self.cluster.apply(fleet.sentinel(namespace, mark), manager=_MANAGER)
        for machine in wanted.mesh.machines:
            kubernetes.wait_until(
                f"the sidecar of {machine.name} has everything",
                lambda machine=machine: "" if mark in self._machine_listeners(machine.name) else "an older state",
                timeout_s=_SETTLED_S,
            )
        if not gateways.egress_is_used(wanted.mesh):
            return  # a gateway without any Gateway listens nowhere
        labels = f"istio={gateways.EGRESS.selector['istio']}"
        for pod in self.cluster.list(kubernetes.POD, namespace=gateways.EGRESS.namespace, labels=labels):
            kubernetes.wait_until(
                "the egress gateway has everything",
                lambda name=pod["metadata"]["name"]: "" if mark in self._listeners(name) else "an older state",
                timeout_s=_SETTLED_S,
            )

    def _machine_listeners(self, machine: str) -> str:
        argv = ["curl", "--silent", "--max-time", "5", f"http://127.0.0.1:15000/{_LISTENERS}"]
        return api.execute(self.instance, machine, argv, timeout_s=20, check=False).stdout

    def _listeners(self, pod: str) -> str:
        argv = ["pilot-agent", "request", "GET", _LISTENERS]
        return self.cluster.execute(gateways.EGRESS.namespace, pod, "istio-proxy", argv, timeout_s=20).stdout


def _silent(_: str) -> None:
    pass
