"""What a cluster runs: namespaces, workloads, Services and entries of machines, typed."""

import enum
import functools
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from slipway.manifests.manifest import Manifest

PROXY_USER = 1337  # Source: istio.io, ops/deployment/application-requirements: the sidecar's user and group.


class Spoken(enum.Enum):
    """What Istio takes a Service's port for; ``UNDECLARED`` is sniffed from the first bytes."""

    HTTP = "http"
    HTTP2 = "http2"
    TLS = "tls"
    TCP = "tcp"
    UDP = "udp"
    UNDECLARED = "undeclared"


@dataclass(frozen=True, slots=True, kw_only=True)
class Workload:
    """A pod, or the template of pods: ``labels`` and the rest are the pod's.

    ``kind`` is ``Pod`` for one that is there; ``selector`` is what a template's owner finds its pods by;
    ``service_account`` is ``default`` when it names none; ``ports`` are named container ports; ``injection`` is its
    own wish (``true``, ``false``, or empty); ``sidecar`` the revision of the sidecar that a pod got (empty: istiod's
    default), None for none; ``addresses`` its IPs, where known; ``past_sidecar`` the application's containers whose
    packets are not captured because of the user or group that they run as.
    """

    kind: str
    namespace: str
    name: str
    labels: Mapping[str, str]
    service_account: str
    ports: Mapping[str, int] = field(default_factory=dict)
    host_network: bool = False
    injection: str = ""
    sidecar: str | None = None
    addresses: tuple[str, ...] = ()
    selector: Mapping[str, str] = field(default_factory=dict)
    past_sidecar: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class ServicePort:
    """A port of a Service: ``target`` is the workload's port or the name of one."""

    name: str
    number: int
    target: int | str
    spoken: Spoken


@dataclass(frozen=True, slots=True, kw_only=True)
class Service:
    """A Kubernetes Service; ``selector`` is empty for one without, or with an ``external_name``.

    ``addresses`` are its virtual ones, none for a headless one; ``entrances`` those of its load balancer.
    """

    namespace: str
    name: str
    selector: Mapping[str, str]
    ports: tuple[ServicePort, ...]
    external_name: str = ""
    addresses: tuple[str, ...] = ()
    entrances: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """A WorkloadEntry: one machine."""

    namespace: str
    name: str
    address: str
    service_account: str
    labels: Mapping[str, str]


@dataclass(frozen=True, kw_only=True)
class Facts:
    """Everything that was seen, each kind sorted by namespace and name; indices are built when they are asked for.

    ``namespaces`` are labels by name; ``nodes`` their internal addresses; ``objects`` are Istio's own, as they are;
    ``mesh_configs`` the configuration of each istiod by its revision.
    Without slots, because the indices are kept beside the fields.
    """

    namespaces: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    workloads: tuple[Workload, ...] = ()
    services: tuple[Service, ...] = ()
    entries: tuple[Entry, ...] = ()
    nodes: tuple[str, ...] = ()
    objects: tuple[Manifest, ...] = ()
    mesh_configs: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)

    @functools.cached_property
    def _by_label(self) -> dict[tuple[str, str, str], list[Workload]]:
        return _grouped(
            ((item.namespace, key, value), item) for item in self.workloads for key, value in item.labels.items()
        )

    @functools.cached_property
    def workloads_in(self) -> dict[str, list[Workload]]:
        """Workloads by namespace."""
        return _grouped_by_namespace(self.workloads)

    @functools.cached_property
    def services_in(self) -> dict[str, list[Service]]:
        """Services by namespace."""
        found: dict[str, list[Service]] = defaultdict(list)
        for item in self.services:
            found[item.namespace].append(item)
        return dict(found)

    @functools.cached_property
    def services_by_name(self) -> dict[tuple[str, str], Service]:
        """Services by namespace and name."""
        return {(item.namespace, item.name): item for item in self.services}

    def selected(self, namespace: str, selector: Mapping[str, str]) -> list[Workload]:
        """Return a namespace's workloads that ``selector`` matches, in order; an empty one selects nothing."""
        lists = [self._by_label.get((namespace, key, value), []) for key, value in selector.items()]
        return [item for item in min(lists, key=len, default=[]) if selects(selector, item.labels)]


def selects(selector: Mapping[str, str], labels: Mapping[str, str]) -> bool:
    """Return whether ``labels`` hold every entry of ``selector``."""
    return all(labels.get(key) == value for key, value in selector.items())


def _grouped(pairs: Iterable[tuple[tuple[str, str, str], Workload]]) -> dict[tuple[str, str, str], list[Workload]]:
    found: dict[tuple[str, str, str], list[Workload]] = defaultdict(list)
    for key, value in pairs:
        found[key].append(value)
    return dict(found)


def _grouped_by_namespace(items: Iterable[Workload]) -> dict[str, list[Workload]]:
    found: dict[str, list[Workload]] = defaultdict(list)
    for item in items:
        found[item.namespace].append(item)
    return dict(found)
