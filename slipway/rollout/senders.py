"""Send requests from a source and collect what came of them."""

import contextlib
import itertools
import json
from collections.abc import Iterable, Mapping, Sequence
from concurrent import futures
from typing import Protocol

from policies.bundles import positions
from slipway.mesh import model
from slipway.rollout import ground, probes, sources, stand_ins
from slipway.world import kubernetes

_AT_ONCE = 10
_MARGIN_S = 10.0
PROXY_USER = "istio-proxy"  # Source: istio/istio 1.29.1 tools/packaging/common/istio-start.sh
LOCAL_USER = "nobody"
DATABASE_USER = "postgres"
# Always sent from a pod of ours, also where the identity is a machine's.
_BY_POD = frozenset({sources.Manner.OPENED, sources.Manner.CERTIFICATE, sources.Manner.BARE})


class Sent(Protocol):
    """Something that is to be sent; ``name`` tells it from all others of a run."""

    @property
    def name(self) -> str:
        """Unique within a run."""
        ...

    @property
    def source(self) -> sources.Source:
        """From whom."""
        ...

    @property
    def request(self) -> probes.Request:
        """What is sent."""
        ...


class Senders:
    """Knows where each source is found: a pod by running the prober in it, a machine, the node, the outside."""

    def __init__(self, cluster: kubernetes.Kubernetes, place: ground.Ground, mesh: model.Mesh) -> None:
        """Keep what is asked; nothing is sent."""
        self._cluster = cluster
        self._ground = place
        self._mesh = mesh

    def measure(self, checks: Sequence[Sent]) -> Mapping[str, probes.Result]:
        """Send the requests of ``checks``, those of one source at once, and return the results by check's name.

        A source that cannot be used gives the result ``unsent`` with the reason for each of its checks.
        """
        ordered = sorted(checks, key=lambda item: item.source.key)
        groups = [list(found) for _, found in itertools.groupby(ordered, key=lambda item: item.source.key)]
        found: dict[str, probes.Result] = {}
        with futures.ThreadPoolExecutor(_AT_ONCE) as pool:
            for results in pool.map(self._measure_source, groups):
                found.update(results)
        return found

    def standing_in(
        self, checks: Sequence[Sent], *, further: Iterable[sources.Source] = ()
    ) -> contextlib.AbstractContextManager[None]:
        """Have a ready pod for each source of ``checks`` that needs one, and for ``further`` ones, in the block.

        Raises as :func:`stand_ins.standing_in`.
        """
        return stand_ins.standing_in(
            self._cluster,
            [*needed_pods(checks), *further],
            namespaces=self._mesh.namespaces,
            revision=self._mesh.revision,
            outbound=positions.outbound_mode(self._mesh),
            surroundings=self._ground.surroundings(),
        )

    def _measure_source(self, checks: Sequence[Sent]) -> dict[str, probes.Result]:
        try:
            documents = [
                item.request.document(name=item.name, address=self.address(item.request.target)) for item in checks
            ]
            longest_s = max(item.request.timeout_ms for item in checks) / 1000 + _MARGIN_S
            text = self._send(checks[0].source, json.dumps(documents).encode() + b"\n", timeout_s=longest_s)
            found = probes.results(text)
        except (kubernetes.KubernetesError, ground.GroundError, json.JSONDecodeError) as error:
            return {item.name: probes.Result(outcome="unsent", detail=str(error)) for item in checks}
        lost = probes.Result(outcome="unsent", detail="the prober did not tell what came of it")
        return {item.name: found.get(item.name, lost) for item in checks}

    def _send(self, source: sources.Source, requests: bytes, *, timeout_s: float) -> str:
        match source.manner:
            case sources.Manner.NODE:
                return self._ground.probe_from_node(requests, timeout_s=timeout_s)
            case sources.Manner.OUTSIDE:
                return self._ground.probe_from_outside(requests, timeout_s=timeout_s)
            case _:
                pass
        identity = source.identity
        if identity is not None and identity.machine and source.manner not in _BY_POD:
            user = self._user(source.manner, identity)
            return self._ground.probe_from_machine(identity.machine, requests, user=user, timeout_s=timeout_s)
        namespace, pod, container, program = self._place(source)
        done = self._cluster.execute(namespace, pod, container, [program], stdin=requests, timeout_s=timeout_s)
        if done.exit_status != 0:
            message = f"{namespace}/{pod}: {program} ended with {done.exit_status}: {done.stderr.strip()}"
            raise kubernetes.KubernetesError(message)
        return done.stdout

    def _user(self, manner: sources.Manner, identity: sources.Identity) -> str:
        """Return the user of the machine as whom the application, the sidecar or somebody else sends."""
        if manner is sources.Manner.PROXY_USER:
            return PROXY_USER
        if manner is sources.Manner.LOCAL:
            return LOCAL_USER
        return DATABASE_USER if self._mesh.machine(identity.machine).database is not None else identity.service

    def _place(self, source: sources.Source) -> tuple[str, str, str, str]:
        """Return namespace, pod, container and program of a source in the cluster."""
        program = self._ground.surroundings().program
        if source.identity is None:
            return (source.namespace, stand_ins.pod_name(source), stand_ins.CONTAINER, program)
        namespace = source.identity.namespace
        if source.manner is sources.Manner.OPENED:
            return (namespace, stand_ins.pod_name(source), stand_ins.CONTAINER, program)
        if source.manner in {sources.Manner.PROXY_USER, sources.Manner.CERTIFICATE}:
            shared = f"{sources.SHARED_FOLDER}/probe"
            return (namespace, stand_ins.pod_name(source), stand_ins.PROXY_CONTAINER, shared)
        workload = self._mesh.service(source.identity.service).workload
        pod = self._ready_pod(namespace, workload.labels if workload else ())
        containers = [item["name"] for item in pod["spec"]["containers"]]
        container = next(name for name in containers if name != stand_ins.PROXY_CONTAINER)
        return (namespace, pod["metadata"]["name"], container, program)

    def address(self, target: probes.Address | probes.PodAddress) -> str:
        """Return ``host:port`` of a target; raises KubernetesError when no pod is ready."""
        if isinstance(target, probes.Address):
            return str(target)
        pod = self._ready_pod(target.namespace, target.labels)
        return f"{pod['status']['podIP']}:{target.port}"

    def _ready_pod(self, namespace: str, labels: Sequence[tuple[str, str]]) -> kubernetes.Object:
        selector = ",".join(f"{name}={value}" for name, value in labels)
        found = self._cluster.list(kubernetes.POD, namespace=namespace, labels=selector)
        living = [pod for pod in found if "deletionTimestamp" not in pod["metadata"]]
        pod = next((pod for pod in living if not kubernetes.pod_missing(pod)), None)
        if pod is None:
            told = "; ".join(f"{item['metadata']['name']}: {kubernetes.pod_missing(item)}" for item in living)
            raise kubernetes.KubernetesError(f"no ready pod with {selector} in {namespace} ({told or 'none at all'})")
        return pod


def needed_pods(checks: Sequence[Sent]) -> tuple[sources.Source, ...]:
    """Return the sources of ``checks`` for which a pod of ours has to stand in."""
    found: dict[tuple[str, str], sources.Source] = {}
    for item in checks:
        identity = item.source.identity
        in_cluster = identity is None or not identity.machine
        if item.source.manner in _BY_POD or (item.source.manner is sources.Manner.PROXY_USER and in_cluster):
            found[(item.source.namespace, stand_ins.pod_name(item.source))] = item.source
    return tuple(found.values())
