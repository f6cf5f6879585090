"""The resolved declaration of one environment: what every bundle is compiled from.

`slipway.mesh.loader` reads ``stacks/mesh.yaml`` and ``stacks/<environment>.yaml`` into these values. They are
complete (defaults filled in) and checked (every name that is mentioned exists), so emitters never look back.
"""

import enum
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import TypeVar

from slipway.diagnostics import Span
from slipway.manifests.manifest import Manifest
from slipway.mesh.azure import Azure
from slipway.mesh.traffic import Traffic

_Item = TypeVar("_Item")


class Protocol(enum.Enum):
    """Application protocols of a port, by what Istio makes of them."""

    HTTP = "http"
    HTTP2 = "http2"
    GRPC = "grpc"
    TCP = "tcp"
    TLS = "tls"
    POSTGRES = "postgres"
    MYSQL = "mysql"
    MONGO = "mongo"
    REDIS = "redis"

    @property
    def is_http(self) -> bool:
        """Whether methods and paths can be stated."""
        return self in {Protocol.HTTP, Protocol.HTTP2, Protocol.GRPC}

    @property
    def app_protocol(self) -> str:
        """The value of a port's ``appProtocol``: what Istio knows, ``tcp`` for the rest.

        Source: istio/istio 1.29.1 pkg/config/protocol/instance.go; `postgres` is unknown to it and a port
        without a known protocol is sniffed.
        """
        return self.value if self in _KNOWN_TO_ISTIO else "tcp"


_KNOWN_TO_ISTIO = {Protocol.HTTP, Protocol.HTTP2, Protocol.GRPC, Protocol.TCP, Protocol.TLS}


class PlatformKind(enum.Enum):
    """Where an environment runs."""

    LAB = "lab"
    AZURE = "azure"
    EXISTING = "existing"


class MtlsMode(enum.Enum):
    """Positions of the phase ``mtls``."""

    PERMISSIVE = "permissive"
    STRICT = "strict"


class EgressMode(enum.Enum):
    """Positions of the phase ``egress``."""

    OPEN = "open"
    OBSERVED = "observed"
    LOCKED = "locked"


class AuthorizationMode(enum.Enum):
    """Positions of the phase ``authorization``."""

    OFF = "off"
    OBSERVED = "observed"
    ENFORCED = "enforced"


@dataclass(frozen=True, slots=True, kw_only=True)
class Port:
    """One port of a service: ``number`` is the workload's port, ``service_port`` the one that callers use."""

    name: str
    protocol: Protocol
    number: int
    service_port: int
    span: Span


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpMatch:
    """Method and path of allowed requests: ``method`` is ``*`` for any.

    ``path`` in AuthorizationPolicy's own syntax: exact, ``/prefix/*``, a template as ``/a/{*}/b``, or ``*`` for any.
    """

    method: str
    path: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceCall:
    """A call to another service: ``port`` is one of its ports; ``http`` is empty for any request, and for TCP.

    ``headers`` are pairs of a header in lower case and the values of which it has one, sorted; each has to fit.
    """

    service: str
    port: str
    http: tuple[HttpMatch, ...]
    span: Span
    headers: tuple[tuple[str, tuple[str, ...]], ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class ExternalCall:
    """A call to an outside host by its logical name."""

    external: str
    span: Span


@dataclass(frozen=True, slots=True, kw_only=True)
class Workload:
    """How a service in the cluster is found: pod labels, ServiceAccount, Kubernetes Service (all its team's)."""

    labels: tuple[tuple[str, str], ...]
    service_account: str
    service: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Service:
    """One service: in the cluster (``workload`` is set), on machines (``machines`` is not empty), or both.

    ``names`` are the names by which applications call it today, besides its Kubernetes Service name; ``versions`` the
    values of its pods' label ``version`` among which requests are split; ``owner`` the team that answers for it.
    """

    name: str
    namespace: str
    ports: tuple[Port, ...]
    service_calls: tuple[ServiceCall, ...]
    external_calls: tuple[ExternalCall, ...]
    workload: Workload | None
    machines: tuple[str, ...]
    names: tuple[str, ...]
    span: Span
    traffic: Traffic = field(default_factory=Traffic)
    versions: tuple[str, ...] = ()
    owner: str = ""

    def port(self, name: str) -> Port:
        """Return the port called ``name``; the loader has checked that it exists."""
        return next(port for port in self.ports if port.name == name)

    @property
    def host(self) -> str:
        """The service's one name: its Kubernetes Service."""
        service = self.name if self.workload is None else self.workload.service
        return f"{service}.{self.namespace}.svc.cluster.local"

    @property
    def selector(self) -> dict[str, str]:
        """Labels of everything that runs the service: its pods, and its machines as they register."""
        return {"app": self.name} if self.workload is None else dict(self.workload.labels)


@dataclass(frozen=True, slots=True, kw_only=True)
class PlainCaller:
    """A caller that has no sidecar yet: ``network`` is the CIDR block it comes from, ``until`` its last day.

    ``until`` is written as ``2027-06-30``; ``owner`` is the team that answers for it, or empty.
    """

    name: str
    network: str
    until: str
    owner: str
    calls: tuple[ServiceCall, ...]
    span: Span


@dataclass(frozen=True, slots=True, kw_only=True)
class PhaseException:
    """An exception of a phase that somebody answers for: ``name`` of a service or namespace, ``until`` a day."""

    phase: str
    name: str
    owner: str
    until: str


class ExternalProtocol(enum.Enum):
    """What callers speak to an outside host: TLS of their own, plain HTTP, or anything else over TCP."""

    TLS = "tls"
    HTTP = "http"
    TCP = "tcp"


@dataclass(frozen=True, slots=True, kw_only=True)
class Origination:
    """TLS that the egress gateway makes of plain HTTP: to ``port`` of the host, whose certificate is verified.

    ``certificate`` is a secret in the egress gateway's namespace with a client certificate, ``authority`` one
    with the only authority (``ca.crt``) that the host's certificate may come from; empty: none, and the public ones.
    """

    port: int
    certificate: str
    authority: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ExternalHost:
    """An outside host: ``name`` is logical, ``host`` what the environment says, ``port`` what callers use.

    ``addresses`` are those of a host called over TCP; a ``host`` that starts with ``*.`` is a wildcard, all of whose
    names are reached at ``served_by``.
    """

    name: str
    host: str
    port: int
    span: Span
    protocol: ExternalProtocol = ExternalProtocol.TLS
    addresses: tuple[str, ...] = ()
    served_by: str = ""
    origination: Origination | None = None

    @property
    def target(self) -> tuple[str, int]:
        """Host and port to which the egress gateway connects."""
        port = self.port if self.origination is None else self.origination.port
        return (self.served_by or self.host, port)


@dataclass(frozen=True, slots=True, kw_only=True)
class IngressRoute:
    """Requests below ``prefix`` go to ``service`` on its service port ``port``."""

    prefix: str
    service: str
    port: str


class IngressTls(enum.Enum):
    """Who ends TLS at the way in, and whether clients show a certificate."""

    TERMINATE = "terminate"
    MUTUAL = "mutual"
    OPTIONAL_MUTUAL = "optionalMutual"
    PASSTHROUGH = "passthrough"


@dataclass(frozen=True, slots=True, kw_only=True)
class EndUser:
    """The token that requests from outside have to show: its ``issuer``, ``audiences`` (none: any).

    ``jwks`` are the issuer's public keys as canonical JSON, or ``jwks_uri`` says where istiod fetches them.
    """

    issuer: str
    audiences: tuple[str, ...]
    jwks: str
    jwks_uri: str


@dataclass(frozen=True, slots=True, kw_only=True)
class IngressHost:
    """One host served by the ingress gateway over TLS.

    ``certificate`` is the name of the TLS secret in the ingress gateway's namespace, ``client_authority`` that of the
    authority of clients' certificates; ``hsts_s`` how many seconds browsers may use nothing but TLS, or None;
    ``routes`` are sorted from the longest prefix to the shortest.
    """

    name: str
    host: str
    certificate: str
    redirect_http: bool
    routes: tuple[IngressRoute, ...]
    span: Span
    tls: IngressTls = IngressTls.TERMINATE
    client_authority: str = ""
    hsts_s: int | None = None
    end_user: EndUser | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Tracing:
    """Where spans go: ``sample_percent`` from 0 to 100; ``service`` is the Zipkin Service, ``port`` its port."""

    sample_percent: float
    service: str
    namespace: str
    port: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Database:
    """A PostgreSQL server on a machine: ``name`` is the database, ``users`` the roles that may log in."""

    name: str
    users: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Administration:
    """Where SSH connections to a machine come from: an IPv4 block, and the TCP port on which its sshd listens."""

    source: str
    port: int


@dataclass(frozen=True, slots=True, kw_only=True)
class SidecarPackage:
    """The Debian package `istio-sidecar`: ``url`` is ``https://`` or ``file:///``, ``sha256`` its digest in hex."""

    url: str
    sha256: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Machine:
    """A virtual machine outside the cluster.

    ``namespace`` is that of its services (one per machine); ``service_account`` is its own, never shared with
    pods; ``address`` its static IPv4 address; ``cloud_config`` a path, relative to the environment's file, of
    the cloud-config that its team wrote, or empty; ``locality`` is ``region/zone``, or empty; ``ssh`` says who may
    log in to it, None: nobody. On Azure only: ``size`` by name, ``zone`` (empty: none) and ``disk_gib`` of the data
    disk in GiB (0: none).
    """

    name: str
    namespace: str
    service_account: str
    address: str
    services: tuple[str, ...]
    cloud_config: str
    database: Database | None
    span: Span
    locality: str = ""
    size: str = ""
    zone: str = ""
    disk_gib: int = 0
    ssh: Administration | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Extra:
    """An object that somebody wrote by hand beside the declaration, and where it stands."""

    manifest: Manifest
    span: Span


@dataclass(frozen=True, slots=True, kw_only=True)
class Network:
    """Address plan of an environment.

    CIDR blocks of pods, of Services, of the nodes and of the machines; ``resolver`` is the platform's DNS server
    as machines see it; ``metadata`` the platform's metadata endpoint; ``vault`` the address of the key vault from
    which machines take their token (empty: none); ``control_plane`` the internal load balancer address by which
    machines reach istiod; ``ingress`` the ingress gateway's address; ``infrastructure`` the platform's own subnets
    (empty: none that is known); ``archive`` the address of the storage to which databases' logs go (empty: none).
    ``overlay`` tells that machines have no way to pods' addresses and see pods by those of the nodes; ``egress`` is
    then the internal load balancer address by which they reach the egress gateway.
    """

    pods: str
    services: str
    nodes: str
    machines: str
    resolver: str
    metadata: str
    vault: str
    control_plane: str
    ingress: str
    infrastructure: str = ""
    archive: str = ""
    egress: str = ""
    overlay: bool = False

    @property
    def pods_seen_as(self) -> str:
        """The block from which pods' connections reach machines: the nodes' own in an overlay.

        Source: AKS documentation, concepts-network-cni-overview, "Feature comparison": traffic leaves an overlay
        with the node's address.
        """
        return self.nodes if self.overlay else self.pods


@dataclass(frozen=True, slots=True, kw_only=True)
class Phases:
    """Positions that runbooks move: a default each, with exceptions by service or namespace name.

    ``authorization`` and ``mtls`` exceptions are pairs of a name and a position, sorted by name; ``exceptions`` says
    who answers for them until when, as far as that is stated, sorted by phase and name.
    """

    mtls: MtlsMode
    mtls_exceptions: tuple[tuple[str, MtlsMode], ...]
    egress: EgressMode
    authorization: AuthorizationMode
    authorization_exceptions: tuple[tuple[str, AuthorizationMode], ...]
    exceptions: tuple[PhaseException, ...] = ()

    def mtls_of(self, *, namespace: str, service: str = "") -> MtlsMode:
        """Return the position for a service, or for the rest of its namespace."""
        found = dict(self.mtls_exceptions)
        return found.get(service, found.get(namespace, self.mtls))

    def authorization_of(self, *, namespace: str, service: str = "") -> AuthorizationMode:
        """Return the position for a service, or for the rest of its namespace."""
        found = dict(self.authorization_exceptions)
        return found.get(service, found.get(namespace, self.authorization))


@dataclass(frozen=True, slots=True, kw_only=True)
class _Index:
    """Parts of a mesh by name, so that compiling stays linear in its size."""

    services: Mapping[str, Service]
    machines: Mapping[str, Machine]
    externals: Mapping[str, ExternalHost]
    callers: Mapping[str, tuple[tuple[Service, ServiceCall], ...]]
    plain_calls: Mapping[str, tuple[tuple[PlainCaller, ServiceCall], ...]]
    external_callers: Mapping[str, tuple[Service, ...]]
    inhabitants: Mapping[str, tuple[Service, ...]]
    routed: frozenset[tuple[str, str]]
    authorization_modes: frozenset[AuthorizationMode]


def _grouped(pairs: Iterable[tuple[str, _Item]]) -> dict[str, list[_Item]]:
    found: dict[str, list[_Item]] = {}
    for key, item in pairs:
        found.setdefault(key, []).append(item)
    return found


def _by_name(services: Iterable[Service]) -> tuple[Service, ...]:
    return tuple(sorted(services, key=lambda item: item.name))


def _by_caller(pair: tuple[Service | PlainCaller, ServiceCall]) -> tuple[str, str]:
    return pair[0].name, pair[1].port


@dataclass(frozen=True, slots=True, kw_only=True)
class Mesh:
    """Everything that one environment declares, resolved. Tuples are sorted by name.

    ``sidecar`` is what machines that others booted get installed; None where nothing is said of it. ``places`` are
    where the environment's file states its keys, sorted by key; ``revision`` is always among them.
    """

    name: str
    environment: str
    platform: PlatformKind
    trust_domain: str
    revision: str
    services: tuple[Service, ...]
    externals: tuple[ExternalHost, ...]
    ingress: tuple[IngressHost, ...]
    tracing: Tracing | None
    machines: tuple[Machine, ...]
    network: Network
    phases: Phases
    plain_callers: tuple[PlainCaller, ...] = ()
    extra: tuple[Extra, ...] = ()
    azure: Azure | None = None
    sidecar: SidecarPackage | None = None
    places: tuple[tuple[str, Span], ...] = ()
    _index: _Index = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        calls = [(call.service, (caller, call)) for caller in self.services for call in caller.service_calls]
        plain = [(call.service, (caller, call)) for caller in self.plain_callers for call in caller.calls]
        outside = [(call.external, caller) for caller in self.services for call in caller.external_calls]
        inhabitants = _grouped((item.namespace, item) for item in self.services)
        index = _Index(
            services={item.name: item for item in self.services},
            machines={item.name: item for item in self.machines},
            externals={item.name: item for item in self.externals},
            callers={name: tuple(sorted(found, key=_by_caller)) for name, found in _grouped(calls).items()},
            plain_calls={name: tuple(sorted(found, key=_by_caller)) for name, found in _grouped(plain).items()},
            external_callers={name: _by_name(found) for name, found in _grouped(outside).items()},
            inhabitants={name: _by_name(found) for name, found in sorted(inhabitants.items())},
            routed=frozenset((route.service, route.port) for host in self.ingress for route in host.routes),
            authorization_modes=frozenset(
                self.phases.authorization_of(namespace=name, service=service)
                for name, found in inhabitants.items()
                for service in ("", *(item.name for item in found))
            ),
        )
        object.__setattr__(self, "_index", index)

    def service(self, name: str) -> Service:
        """Return the service called ``name``; the loader has checked that it exists."""
        return self._index.services[name]

    def machine(self, name: str) -> Machine:
        """Return the machine called ``name``; the loader has checked that it exists."""
        return self._index.machines[name]

    def external(self, name: str) -> ExternalHost:
        """Return the outside host with the logical name ``name``; the loader has checked that it exists."""
        return self._index.externals[name]

    @property
    def namespaces(self) -> tuple[str, ...]:
        """Every declared namespace, sorted."""
        return tuple(self._index.inhabitants)

    @property
    def authorization_modes(self) -> frozenset[AuthorizationMode]:
        """Every position of ``authorization`` at which a service or the rest of a namespace stands."""
        return self._index.authorization_modes

    def services_in(self, namespace: str) -> tuple[Service, ...]:
        """Return the services of a declared namespace, sorted by name."""
        return self._index.inhabitants[namespace]

    def external_callers(self, external: str) -> tuple[Service, ...]:
        """Return the services that call the outside host with the logical name ``external``, sorted by name."""
        return self._index.external_callers.get(external, ())

    def is_routed(self, service: str, port: str) -> bool:
        """Whether the ingress gateway sends requests to a port of a service."""
        return (service, port) in self._index.routed

    def principals(self, service: str) -> tuple[str, ...]:
        """Return the SPIFFE identities of a service without the scheme, sorted: its pods' and its machines'.

        Source: istio/api security/v1/authorization_policy.proto, `principals` ("<TRUST_DOMAIN>/ns/..").
        """
        found = self.service(service)
        accounts = [self.machine(name).service_account for name in found.machines]
        if found.workload is not None:
            accounts.append(found.workload.service_account)
        return tuple(sorted(f"{self.trust_domain}/ns/{found.namespace}/sa/{account}" for account in accounts))

    def plain_calls(self, service: str) -> tuple[tuple[PlainCaller, ServiceCall], ...]:
        """Return every call to ``service`` by callers without a sidecar, sorted by caller and port."""
        return self._index.plain_calls.get(service, ())

    def callers(self, service: str) -> tuple[tuple[Service, ServiceCall], ...]:
        """Return every declared call to ``service`` with its caller, sorted by caller and port."""
        return self._index.callers.get(service, ())
