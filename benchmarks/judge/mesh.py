"""The real mesh: objects applied to its API server, and the moment at which every proxy works by them."""

import dataclasses
import time
from collections.abc import Iterable, Mapping, Sequence
from concurrent import futures
from pathlib import Path
from typing import Any

import tenacity
import yaml

from benchmarks.judge import fleet
from slipway.world import kubernetes

_MANAGER = "slipway-judge"
_AT_ONCE = 8
_WEBHOOK_TIMEOUT_S = 60.0
_READY_TIMEOUT_S = 180.0
_GONE_TIMEOUT_S = 120.0
_ROOT = "istio-system"
_REFUSED = range(400, 500)

Object = dict[str, Any]
Id = tuple[str, str, str, str]
_SLICE = kubernetes.Kind(api_version="discovery.k8s.io/v1", kind="EndpointSlice")
_WRITERS = "endpointslice-controller.k8s.io,endpointslicemirroring-controller.k8s.io"  # not those written by hand
_ENDPOINTS_OF = f"kubernetes.io/service-name={{}},endpointslice.kubernetes.io/managed-by in ({_WRITERS})"
# What the mesh has besides the fleet, as far as it decides who reaches whom.
_KINDS = (
    *(kubernetes.Kind(api_version="v1", kind=kind) for kind in ("Namespace", "Pod", "Service")),
    kubernetes.Kind(api_version="networking.k8s.io/v1", kind="NetworkPolicy"),
    *(
        kubernetes.Kind(api_version="networking.istio.io/v1", kind=kind)
        for kind in ("Sidecar", "ServiceEntry", "WorkloadEntry", "DestinationRule", "VirtualService", "Gateway")
    ),
    *(
        kubernetes.Kind(api_version="security.istio.io/v1", kind=kind)
        for kind in ("PeerAuthentication", "AuthorizationPolicy", "RequestAuthentication")
    ),
)


def identity(body: Mapping[str, Any]) -> Id:
    """Return what tells an object from all others."""
    metadata = body["metadata"]
    return (body["apiVersion"], body["kind"], metadata.get("namespace", ""), metadata["name"])


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Refused:
    """An object that the mesh's admission refused, with what it said."""

    object: Object
    told: str


class Mesh:
    """One cluster with its mesh, and what the judge has applied to it."""

    def __init__(
        self,
        kubeconfig: Path,
        lots: Sequence[fleet.Lot],
        *,
        revision: str,
        credential: tuple[str, str],
        further: Sequence[fleet.Application] = (),
    ) -> None:
        """``credential`` is the certificate, and its key, of the lots' gateways, in PEM."""
        self._credential = credential
        self.cluster = kubernetes.Cluster(kubeconfig)
        self._lots = tuple(lots)
        self._further = tuple(further)
        self._revision = revision
        self._pool = futures.ThreadPoolExecutor(_AT_ONCE)
        self._applied: dict[Id, Object] = {}
        self._network_mark = ""
        self._round = int(time.time() * 10) % 10_000_000

    def assemble(self) -> None:
        """Make the fleet, and return when every pod is ready."""
        wanted = self._wanted()
        self._sweep()
        pods = [item for item in wanted if item["kind"] == "Pod"]
        for kind in ("Namespace", "ServiceAccount", "Role", "RoleBinding", "Telemetry", "Gateway", "Service"):
            self._apply_all([item for item in wanted if item["kind"] == kind])
        self._apply_all([fleet.credential(lot, *self._credential) for lot in self._lots])
        for item in pods:
            metadata = item["metadata"]
            there = self.cluster.get(kubernetes.POD, metadata["name"], namespace=metadata["namespace"])
            if there is None:
                self._inject(item)
        for item in pods:
            metadata = item["metadata"]
            kubernetes.wait_until(
                f"{metadata['namespace']}/{metadata['name']} is ready",
                lambda metadata=metadata: kubernetes.pod_missing(
                    self.cluster.get(kubernetes.POD, metadata["name"], namespace=metadata["namespace"])
                ),
                timeout_s=_READY_TIMEOUT_S,
            )

    def _wanted(self) -> list[Object]:
        return fleet.objects(self._lots, revision=self._revision, further=self._further)

    def _places(self) -> tuple[str, ...]:
        return (*fleet.namespaces(self._lots), *((fleet.ODD, fleet.CLOSED) if self._further else ()))

    @tenacity.retry(
        retry=tenacity.retry_if_exception_message(match=r"(?s).*failed calling webhook"),
        wait=tenacity.wait_fixed(0.5),
        stop=tenacity.stop_after_delay(_WEBHOOK_TIMEOUT_S),
        reraise=True,
    )
    def _inject(self, pod: Object) -> None:
        """Create a pod; istiod is ready a moment before kube-proxy leads to its webhook."""
        self.cluster.apply(pod, manager=_MANAGER)

    def _sweep(self) -> None:
        """Delete what an earlier run left in the namespaces of the fleet."""
        ours = set(self._places())
        fixed = {identity(item) for item in self._wanted()}
        for kind in _KINDS:
            if kind.kind in {"Namespace", "Pod"}:
                continue
            for item in self.cluster.list(kind):
                metadata = item["metadata"]
                root = metadata["namespace"] == _ROOT and metadata["name"].startswith(fleet.PREFIX)
                if (root or metadata["namespace"] in ours) and identity(item) not in fixed:
                    self._delete(identity(item))

    def disband(self) -> None:
        """Delete the fleet, and return when its namespaces are gone."""
        self.replace([])
        self._delete(identity(fleet.nudge("")))
        names = self._places()
        for item in self._wanted():
            if item["metadata"].get("namespace") == _ROOT:
                self._delete(identity(item))
        self._delete(identity(fleet.sentinel(_ROOT, "")))
        for name in names:
            self.cluster.delete(kubernetes.NAMESPACE, name)
        kubernetes.wait_until(
            "the namespaces of the fleet are gone",
            lambda: ", ".join(name for name in names if self.cluster.get(kubernetes.NAMESPACE, name) is not None),
            timeout_s=_GONE_TIMEOUT_S,
            pause_s=1,
        )

    def replace(self, objects: Iterable[Object]) -> list[Refused]:
        """Have exactly these objects beside the fleet; return those that admission refused."""
        wanted = {identity(item): item for item in objects}
        for key in [key for key in self._applied if key not in wanted]:
            self._delete(key)
            del self._applied[key]
        changed = [item for key, item in wanted.items() if self._applied.get(key) != item]
        self._clear([key for item in changed if (key := identity(item)) in self._applied and key[1] == "Service"])
        refused = self._apply_all(changed)
        lost = {identity(item.object) for item in refused}
        for key in lost & set(self._applied):
            self._delete(key)
            del self._applied[key]
        self._applied.update({key: item for key, item in wanted.items() if key not in lost})
        return refused

    def _clear(self, services: Sequence[Id]) -> None:
        """Delete Services that are to be others, with their endpoints: those stay where only a selector goes.

        Source: Kubernetes docs, concepts/services-networking/service, Services without selectors; no controller looks
        at the endpoints of such a Service.
        """
        for key in services:
            self._delete(key)
        for _, _, namespace, name in services:
            kubernetes.wait_until(
                f"the endpoints of {namespace}/{name} are gone",
                lambda namespace=namespace, name=name: ", ".join(
                    item["metadata"]["name"]
                    for item in self.cluster.list(_SLICE, namespace=namespace, labels=_ENDPOINTS_OF.format(name))
                ),
                timeout_s=_GONE_TIMEOUT_S,
                pause_s=0.1,
            )

    def mark(self, namespaces: Sequence[str]) -> str:
        """Change what every proxy of these namespaces shows, after all other changes; return what it is."""
        self._round += 1
        mark = f"round-{self._round}"
        self._apply_all([fleet.nudge(mark)])
        self._apply_all([fleet.sentinel(name, mark) for name in namespaces])
        self._apply_all([fleet.light(lot, mark) for lot in self._lots])
        return mark

    def mark_networks(self, mark: str) -> None:
        """Change a NetworkPolicy that concerns nobody, after all other changes."""
        self._apply_all([fleet.network_sentinel(mark)])
        if self._network_mark:
            self._delete(identity(fleet.network_sentinel(self._network_mark)))
        self._network_mark = mark

    def live(self) -> list[Object]:
        """Return all objects of the cluster that decide who reaches whom."""
        return [item for kind in _KINDS for item in self.cluster.list(kind)]

    def mesh_config(self) -> Mapping[str, Any]:
        """Return istiod's mesh configuration."""
        kind = kubernetes.Kind(api_version="v1", kind="ConfigMap")
        found = self.cluster.get(kind, f"istio-{self._revision}", namespace=_ROOT)
        if found is None:
            raise kubernetes.KubernetesError(f"the mesh has no ConfigMap istio-{self._revision} in {_ROOT}")
        return yaml.safe_load(found["data"]["mesh"])

    def _apply_all(self, objects: Sequence[Object]) -> list[Refused]:
        return [item for item in self._pool.map(self._apply, objects) if item is not None]

    def _apply(self, item: Object) -> Refused | None:
        try:
            self.cluster.apply(item, manager=_MANAGER)
        except kubernetes.KubernetesError as error:
            if error.status not in _REFUSED:
                raise
            return Refused(object=item, told=str(error))
        return None

    def _delete(self, key: Id) -> None:
        api_version, kind, namespace, name = key
        self.cluster.delete(kubernetes.Kind(api_version=api_version, kind=kind), name, namespace=namespace)
