"""The fleet: a fixed set of applications in namespaces of their own, so that only policies change between rounds.

A lot is a pair of namespaces with four applications behind sidecars; each set of policies lives in one lot, so that
several sets are judged at once. Two applications without a sidecar are shared by all lots. Stored cases may ask for
further ones, whose pods are unlike all others.
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

PREFIX = "judge"
PLAIN = f"{PREFIX}-plain"
ODD = f"{PREFIX}-odd"
CLOSED = f"{PREFIX}-closed"
ROOT = "istio-system"
MARK = "JUDGE_POD"
DOMAIN = "svc.cluster.local"
SENTINEL = "sentinel"
HEADLESS = "None"  # a Service's address
PAUSE = "docker.io/slipway-lab/pause:1"

HTTP, HTTP_TOO, TCP, GUESSED, TLS, UNDECLARED = 8080, 8081, 9000, 7000, 8443, 7500
WEB_PORT, TLS_PORT = 80, 443  # of the Services
PROXY = frozenset({15020, 15021, 15090})  # where the agent of a sidecar and Envoy answer themselves
LISTENING = (HTTP, HTTP_TOO, TCP, GUESSED, UNDECLARED)
# Addresses of ServiceEntries: where no proxy knows them, a call goes past the mesh, to an application outside.
OUTSIDE, OUTSIDE_NETWORK = "outside", "10.99.0.0/16"
LISTENING_OUTSIDE, TLS_OUTSIDE = (80, *LISTENING), 9443

DECLARED_HTTP = frozenset({HTTP, HTTP_TOO})

# Service port, port's name, workload port. Whatever the port declares, the applications behind take both HTTP and
# anything else; the last one TLS, too.
PORTS = (
    (WEB_PORT, "http", HTTP),
    (81, "http-too", HTTP_TOO),
    (9000, "tcp-data", TCP),
    (7000, "guess", GUESSED),
    (TLS_PORT, "tls-app", TLS),
)
# The same of gateways, which serve what objects say. The last two ports of the proxy alone are nobody's: at one of
# them the proxy shows by which round it works.
GATE, CREDENTIAL = "gate", f"{PREFIX}-tls"
GATE_PORTS = (
    (WEB_PORT, "http", 18080),
    (81, "http-too", 18081),
    (TLS_PORT, "https", 18443),
    (444, "tls", 18444),
    (9000, "tcp-data", 19000),
)
BEACON, BEACON_HOST = 17777, f"beacon.{PREFIX}.invalid"
LISTENING_BESIDE_GATES, TLS_BESIDE_GATES = (17998,), 17999


@dataclass(frozen=True, slots=True, kw_only=True)
class Application:
    """One pod with its Service of the same name; ``sidecar`` says whether it has a proxy.

    ``annotations`` and ``spec`` are what the pod has besides; ``ports`` names its ports, by which the Service leads
    there. ``gateway`` is a proxy that no application stands behind.
    """

    namespace: str
    name: str
    account: str
    labels: Mapping[str, str]
    sidecar: bool = True
    gateway: bool = False
    annotations: Mapping[str, str] = field(default_factory=dict)
    spec: Mapping[str, Any] = field(default_factory=dict)
    ports: Mapping[int, str] = field(default_factory=dict)

    @property
    def place(self) -> str:
        """Namespace and name as one word."""
        return f"{self.namespace}/{self.name}"

    @property
    def proxied(self) -> bool:
        """Whether there is a proxy: before the application, or alone."""
        return self.sidecar or self.gateway

    @property
    def hostname(self) -> str:
        """The full name of its Service."""
        return f"{self.name}.{self.namespace}.{DOMAIN}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Lot:
    """Where one set of policies lives."""

    number: int

    @property
    def namespaces(self) -> tuple[str, str]:
        """Both namespaces."""
        return (f"{PREFIX}-{self.number}-a", f"{PREFIX}-{self.number}-b")

    @property
    def applications(self) -> tuple[Application, ...]:
        """The applications behind sidecars; two share the name of their account but not the namespace."""
        first, second = self.namespaces
        return (
            _application(first, "web", "web", tier="front"),
            _application(first, "job", "job", tier="back"),
            _application(second, "api", "api", tier="front"),
            _application(second, "ops", "web", tier="back"),
        )

    @property
    def gate(self) -> Application:
        """The gateway of the lot, in its first namespace."""
        labels = {"app": GATE, "tier": GATE, "istio": f"{PREFIX}-{self.number}-{GATE}"}
        return Application(
            namespace=self.namespaces[0],
            name=GATE,
            account=GATE,
            labels=labels,
            sidecar=False,
            gateway=True,
            annotations={"inject.istio.io/templates": "gateway"},
        )

    @property
    def everyone(self) -> tuple[Application, ...]:
        """The applications of the lot and the shared ones."""
        return (*self.applications, *BARE)

    @property
    def pods(self) -> tuple[Application, ...]:
        """All of these, and the gateway."""
        return (*self.everyone, self.gate)


def _application(namespace: str, name: str, account: str, *, tier: str, sidecar: bool = True) -> Application:
    return Application(
        namespace=namespace, name=name, account=account, labels={"app": name, "tier": tier}, sidecar=sidecar
    )


BARE = (
    _application(PLAIN, "bare", "bare", tier="out", sidecar=False),
    _application(PLAIN, "far", "far", tier="out", sidecar=False),
)


_CAPTURE = "traffic.sidecar.istio.io/"
_INJECT = "sidecar.istio.io/inject"
REVISION = "istio.io/rev"
ADDRESSES, SPARED_ADDRESSES = "10.99.0.0/16", "10.99.250.0/24"  # of ServiceEntries, for proxies that do not take all


def _odd(name: str, *, namespace: str = ODD, labels: Mapping[str, str] | None = None, **more: Any) -> Application:
    own = {"app": name, "tier": "odd", **(labels or {})}
    return Application(namespace=namespace, name=name, account=name, labels=own, **more)


# A pod in a network of its own, for other networks than those of the lots.
DISTANT = _odd("distant", labels={"topology.istio.io/network": "distant"})
# Pods that are unlike those of the lots; one of them asks in vain, in a namespace that is told not to inject.
ODDS = (
    _odd("hosted", sidecar=False, spec={"hostNetwork": True}),
    _odd("unheard", namespace=CLOSED, sidecar=False, labels={REVISION: ""}),
    _odd("refusing", sidecar=False, labels={_INJECT: "false"}),
    _odd("declining", sidecar=False, annotations={_INJECT: "false"}),
    _odd("asking", namespace=PLAIN, labels={REVISION: ""}),
    _odd(
        "sparing",
        annotations={f"{_CAPTURE}excludeInboundPorts": "8081,7500", f"{_CAPTURE}excludeOutboundPorts": "9000"},
    ),
    _odd(
        "choosing",
        annotations={
            f"{_CAPTURE}includeInboundPorts": "8080,9000",
            f"{_CAPTURE}includeOutboundIPRanges": f"10.62.0.7/16,{ADDRESSES}",
            f"{_CAPTURE}excludeOutboundIPRanges": SPARED_ADDRESSES,
            f"{_CAPTURE}includeOutboundPorts": "8081",
        },
    ),
    _odd("named", ports={HTTP: "web", TCP: "data"}),
    _odd("ambient", sidecar=False, labels={_INJECT: "false", "istio.io/dataplane-mode": "ambient"}),
    _odd("waypoint", labels={"gateway.networking.k8s.io/gateway-name": "waypoint"}),
    _odd(f"{PREFIX}-rooted", namespace=ROOT, labels={REVISION: ""}),
    DISTANT,
)


def applications(lots: Iterable[Lot]) -> tuple[Application, ...]:
    """Return all applications of these lots and the shared ones."""
    return (*(item for lot in lots for item in (*lot.applications, lot.gate)), *BARE)


def namespaces(lots: Iterable[Lot]) -> tuple[str, ...]:
    """Return all namespaces of these lots and the shared one."""
    return (*(name for lot in lots for name in lot.namespaces), PLAIN)


def seen_by(lot: Lot, lots: Iterable[Lot], found: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return objects as one of the lots sees them: without those in the other lots' namespaces."""
    strangers = {name for item in lots if item != lot for name in item.namespaces}
    return [item for item in found if item["metadata"].get("namespace") not in strangers]


def objects(lots: Iterable[Lot], *, revision: str, further: Iterable[Application] = ()) -> list[dict[str, Any]]:
    """Return everything that the fleet is made of, in an order in which it can be applied."""
    lots, further = tuple(lots), tuple(further)
    meshed = [name for lot in lots for name in lot.namespaces] + ([ODD] if further else [])
    found = [_namespace(name, {REVISION: revision}) for name in meshed] + [_namespace(PLAIN, {})]
    found += [_namespace(CLOSED, {"istio-injection": "disabled"})] if further else []
    found += [_telemetry(name) for name in meshed]
    found += [item for lot in lots for item in (beacon(lot), *_secrets_readable(lot.gate))]
    for item in (*applications(lots), *further):
        found += [account(item), service(item), pod(item, revision)]
    return found


def _namespace(name: str, labels: Mapping[str, str]) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": dict(labels)}}


def _telemetry(namespace: str) -> dict[str, Any]:
    """Return what makes proxies of a namespace log every connection in Envoy's own words.

    Source: istio 1.29.1 pkg/config/mesh/mesh.go, DefaultMeshConfig: the provider ``envoy`` is always there.
    """
    return {
        "apiVersion": "telemetry.istio.io/v1",
        "kind": "Telemetry",
        "metadata": {"name": "judge", "namespace": namespace},
        "spec": {"accessLogging": [{"providers": [{"name": "envoy"}]}]},
    }


def account(item: Application) -> dict[str, Any]:
    """Return the ServiceAccount of an application."""
    metadata = {"name": item.account, "namespace": item.namespace}
    return {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": metadata}


def service(item: Application) -> dict[str, Any]:
    """Return the Service of an application."""
    ports = [
        {"name": name, "port": number, "targetPort": item.ports.get(target, target)}
        for number, name, target in (GATE_PORTS if item.gateway else PORTS)
    ]
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": item.name, "namespace": item.namespace},
        "spec": {"selector": {"app": item.name}, "ports": ports},
    }


def pod(item: Application, revision: str = "") -> dict[str, Any]:
    """Return a pod that only holds a network namespace; the application itself is started beside it.

    Connections of a changed listener end after a second, so that a round meets none of the round before.
    """
    annotations = dict(item.annotations)
    if item.proxied:
        annotations |= {
            "sidecar.istio.io/proxyCPU": "5m",
            "sidecar.istio.io/proxyMemory": "32Mi",
            "proxy.istio.io/config": json.dumps({"drainDuration": "1s", "concurrency": 1}),
        }
    container = {
        "name": "server" if item.namespace == ODD else "app",
        "image": PAUSE,
        "imagePullPolicy": "IfNotPresent",
        "env": [{"name": MARK, "value": item.place}],
        "resources": {"requests": {"cpu": "1m", "memory": "4Mi"}},
    }
    if item.ports:
        container["ports"] = [{"name": name, "containerPort": number} for number, name in item.ports.items()]
        # What is no name of a port of TCP.
        container["ports"] += [
            {"containerPort": GUESSED},
            {"name": "absent", "containerPort": TCP, "protocol": "UDP"},
        ]
    labels = {**item.labels, **({REVISION: revision} if REVISION in item.labels else {})}
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            "name": item.name,
            "namespace": item.namespace,
            "labels": labels,
            "annotations": annotations,
        },
        "spec": {
            "serviceAccountName": item.account,
            "terminationGracePeriodSeconds": 0,
            "containers": [container],
            **item.spec,
        },
    }


def beacon(lot: Lot) -> dict[str, Any]:
    """Return what a lot's gateway always listens with, so that it can show by which round it works."""
    port = {"number": BEACON, "name": "http-beacon", "protocol": "HTTP"}
    spec = {"selector": {"istio": lot.gate.labels["istio"]}, "servers": [{"port": port, "hosts": [BEACON_HOST]}]}
    return {
        "apiVersion": "networking.istio.io/v1",
        "kind": "Gateway",
        "metadata": {"name": "beacon", "namespace": lot.gate.namespace},
        "spec": spec,
    }


def light(lot: Lot, mark: str) -> dict[str, Any]:
    """Return the routes at a lot's beacon: a gateway that has them has everything else of the round.

    Source: istio 1.29.1 pilot/pkg/xds/ads.go, PushOrder: routes come last.
    """
    route = {"match": [{"headers": {PREFIX: {"exact": mark}}}], "directResponse": {"status": 404}}
    return {
        "apiVersion": "networking.istio.io/v1",
        "kind": "VirtualService",
        "metadata": {"name": "light", "namespace": lot.gate.namespace},
        "spec": {"hosts": [BEACON_HOST], "gateways": ["beacon"], "http": [route]},
    }


def credential(lot: Lot, certificate: str, key: str) -> dict[str, Any]:
    """Return the certificate that a lot's gateway shows to clients outside, both parts in PEM."""
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": CREDENTIAL, "namespace": lot.gate.namespace},
        "type": "kubernetes.io/tls",
        "stringData": {"tls.crt": certificate, "tls.key": key},
    }


def _secrets_readable(item: Application) -> list[dict[str, Any]]:
    """Return what lets a gateway have the certificates of its namespace.

    Source: istio 1.29.1 pilot/pkg/credentials/kube/secrets.go, Authorize: its account has to be allowed to list them.
    """
    metadata = {"name": "secrets", "namespace": item.namespace}
    group = "rbac.authorization.k8s.io"
    rule = {"apiGroups": [""], "resources": ["secrets"], "verbs": ["get", "list", "watch"]}
    subject = {"kind": "ServiceAccount", "name": item.account, "namespace": item.namespace}
    reference = {"apiGroup": group, "kind": "Role", "name": "secrets"}
    return [
        {"apiVersion": f"{group}/v1", "kind": "Role", "metadata": metadata, "rules": [rule]},
        {
            "apiVersion": f"{group}/v1",
            "kind": "RoleBinding",
            "metadata": metadata,
            "roleRef": reference,
            "subjects": [subject],
        },
    ]


def sentinel(namespace: str, mark: str) -> dict[str, Any]:
    """Return a policy that decides nothing and that every proxy of the namespace shows once it has this round."""
    source = {"principals": [f"{PREFIX}.invalid/ns/{mark}/sa/{mark}"]}
    spec: dict[str, Any] = {"action": "DENY", "rules": [{"from": [{"source": source}]}]}
    if namespace == ROOT:
        spec["selector"] = {"matchLabels": {"tier": "odd"}}  # or it is for the whole mesh
    return {
        "apiVersion": "security.istio.io/v1",
        "kind": "AuthorizationPolicy",
        "metadata": {"name": SENTINEL if namespace != ROOT else f"{PREFIX}-{SENTINEL}", "namespace": namespace},
        "spec": spec,
    }


def nudge(mark: str) -> dict[str, Any]:
    """Return an object of the root namespace that decides nothing and makes istiod send every endpoint anew.

    A PeerAuthentication of another namespace does not reach a client's endpoints by itself: istiod 1.29.1 takes it
    for a matter of its own namespace. Answers are about proxies that know everything.
    Source: istio 1.29.1 pilot/pkg/model/sidecar.go, clusterScopedKnownConfigTypes; policies of the root namespace
    with a selector are ignored (policy_applier.go, ComposePeerAuthentication).
    """
    return {
        "apiVersion": "security.istio.io/v1",
        "kind": "PeerAuthentication",
        "metadata": {"name": f"{PREFIX}-nudge", "namespace": "istio-system"},
        "spec": {"selector": {"matchLabels": {PREFIX: mark}}, "mtls": {"mode": "STRICT"}},
    }


def network_sentinel(mark: str) -> dict[str, Any]:
    """Return a NetworkPolicy that concerns nobody; its name stands in the node's rules once they are current.

    Source: kube-router 2.6 pkg/controllers/netpol/policy.go, processIngressRules: comments name the policy.
    """
    return {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "NetworkPolicy",
        "metadata": {"name": mark, "namespace": PLAIN},
        "spec": {
            "podSelector": {"matchLabels": {"app": "nobody"}},
            "policyTypes": ["Ingress"],
            "ingress": [{"from": [{"ipBlock": {"cidr": "192.0.2.0/24"}}], "ports": [{"port": 1}]}],
        },
    }
