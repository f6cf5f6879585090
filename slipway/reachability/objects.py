"""The objects that decide who reaches whom, typed; each knows its key and which of its fields are not modelled."""

import enum
from collections.abc import Mapping
from dataclasses import dataclass, field

from slipway.reachability.answers import Key
from slipway.reachability.choices import Choice


class Proxy(Choice):
    """What stands before an application.

    ``UNKNOWN``: ambient mode, a kind of injection or a field of a WorkloadEntry that is not modelled.
    """

    SIDECAR = "sidecar"
    GATEWAY = "gateway"
    NONE = "none"
    UNKNOWN = "unknown"


class Protocol(Choice):
    """What a port declares, as far as istiod treats it differently; ``UNDECLARED`` is sniffed."""

    HTTP = "http"
    TCP = "tcp"
    TLS = "tls"
    UDP = "udp"
    UNDECLARED = "undeclared"


class Mtls(enum.Enum):
    """Modes of PeerAuthentication."""

    UNSET = "UNSET"
    DISABLE = "DISABLE"
    PERMISSIVE = "PERMISSIVE"
    STRICT = "STRICT"


class Resolution(enum.Enum):
    """How the endpoints of a service are found; ``NONE`` is the address that the client dialled."""

    NONE = "NONE"
    STATIC = "STATIC"
    DNS = "DNS"
    OTHER = "other"


@dataclass(frozen=True, slots=True, kw_only=True)
class Capture:
    """Which TCP connections of a workload its proxy takes; empty sets of excluded ports and ranges mean all.

    ``included_inbound`` None means every port; ``included_ranges`` are CIDR blocks.
    """

    included_inbound: frozenset[int] | None = None
    excluded_inbound: frozenset[int] = frozenset()
    excluded_outbound: frozenset[int] = frozenset()
    included_ranges: tuple[str, ...] = ("*",)
    excluded_ranges: tuple[str, ...] = ()
    included_outbound: frozenset[int] = frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class Workload:
    """One workload: pods of one template, or a machine. ``key`` is that of the object that it was read from.

    ``addresses`` are its IPs as far as they are known; ``names`` further names it is found by (its pods'); ``nodes``
    where its pods run, none where that is not known of each;
    ``ports`` are named container ports, or for a machine the port map of its entry; ``network`` the one stated for it
    alone; ``machine`` tells WorkloadEntries. ``hostnames`` are names of its pods below those of headless Services, as
    ``hostname.subdomain``; a star in the place of a number before they run.
    """

    key: Key
    namespace: str
    name: str
    labels: Mapping[str, str]
    service_account: str
    proxy: Proxy
    addresses: tuple[str, ...] = ()
    names: tuple[str, ...] = ()
    hostnames: frozenset[str] = frozenset()
    ports: Mapping[str, int] = field(default_factory=dict)
    machine: bool = False
    host_network: bool = False
    nodes: frozenset[str] = frozenset()
    network: str = ""
    capture: Capture = field(default_factory=Capture)

    @property
    def address(self) -> str:
        """The first of its addresses, empty when none is known."""
        return next(iter(self.addresses), "")


@dataclass(frozen=True, slots=True, kw_only=True)
class ServicePort:
    """A port of a service: ``number`` is dialled, ``target`` the workload's port or the name of one."""

    name: str
    number: int
    target: int | str
    protocol: Protocol


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """An endpoint written into a ServiceEntry or EndpointSlice; ``address`` may be a name. ``ports`` by port name.

    ``network`` is empty where it is that of pods.
    """

    address: str
    ports: Mapping[str, int] = field(default_factory=dict)
    labels: Mapping[str, str] = field(default_factory=dict)
    service_account: str = ""
    network: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Service:
    """A Kubernetes Service, or one host of a ServiceEntry, as istiod sees it.

    ``selector`` empty selects nothing; ``addresses`` are the virtual ones as far as known, ``headless`` has none;
    ``export_to`` empty means the mesh's default. ``external`` is a ServiceEntry of location MESH_EXTERNAL;
    ``allocated`` tells one that istiod gives an address of its own, which only proxies know that capture DNS.
    ``balancers`` are a load balancer's addresses, and those outside that nodes take for the Service's; ``gateway_of``
    is the network that the Service is the way into, for proxies of others, by its port ``passthrough``.
    """

    key: Key
    hostname: str
    namespace: str
    ports: tuple[ServicePort, ...]
    kubernetes: bool
    selector: Mapping[str, str] = field(default_factory=dict)
    addresses: tuple[str, ...] = ()
    headless: bool = False
    external_name: str = ""
    export_to: tuple[str, ...] = ()
    resolution: Resolution = Resolution.STATIC
    external: bool = False
    endpoints: tuple[Endpoint, ...] = ()
    subject_alt_names: tuple[str, ...] = ()
    allocated: bool = False
    balancers: tuple[str, ...] = ()
    gateway_of: str = ""
    passthrough: int = 0
    unmodelled: tuple[str, ...] = ()

    def port(self, number: int) -> ServicePort | None:
        """Return the TCP port with this number."""
        return next(
            (port for port in self.ports if port.number == number and port.protocol is not Protocol.UDP), None
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class PeerAuthentication:
    """Modes by workload and workload port; an empty ``selector`` is the namespace, or the mesh in the root one."""

    key: Key
    namespace: str
    selector: Mapping[str, str]
    mode: Mtls
    ports: Mapping[int, Mtls]
    unmodelled: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Values:
    """Values of one field of a rule and of its not-form."""

    values: tuple[str, ...] = ()
    not_values: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.values or self.not_values)


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """A rule of an AuthorizationPolicy: ``sources`` and ``operations`` are lists of alternatives.

    Each alternative maps a field (``principals``, ``ports``) to its values; ``conditions`` are pairs of key and
    values, in order.
    """

    sources: tuple[Mapping[str, Values], ...]
    operations: tuple[Mapping[str, Values], ...]
    conditions: tuple[tuple[str, Values], ...]
    unmodelled: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class AuthorizationPolicy:
    """``action`` is ALLOW, DENY, AUDIT or CUSTOM; ``targeted`` tells a policy with targetRefs."""

    key: Key
    namespace: str
    selector: Mapping[str, str]
    targeted: bool
    action: str
    dry_run: bool
    rules: tuple[Rule, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestAuthentication:
    """Rules for tokens; ``headers`` and ``parameters`` are where a token may stand, all in lower case."""

    key: Key
    namespace: str
    selector: Mapping[str, str]
    targeted: bool
    headers: tuple[str, ...]
    parameters: tuple[str, ...]
    rules: int


@dataclass(frozen=True, slots=True, kw_only=True)
class EgressListener:
    """One egress entry of a Sidecar: ``hosts`` as ``namespace/host``; ``port`` and ``protocol`` when it binds one."""

    hosts: tuple[str, ...]
    port: int | None = None
    protocol: str = ""
    bind: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class IngressListener:
    """One ingress entry of a Sidecar: it replaces what Services declare about the workload's ports."""

    port: int
    protocol: Protocol
    own_tls: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Sidecar:
    """``registry_only`` None inherits the mesh's outbound policy."""

    key: Key
    namespace: str
    selector: Mapping[str, str]
    egress: tuple[EgressListener, ...]
    ingress: tuple[IngressListener, ...]
    registry_only: bool | None
    unmodelled: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class TlsSettings:
    """Client TLS of a DestinationRule; ``mode`` is DISABLE, SIMPLE, MUTUAL or ISTIO_MUTUAL."""

    mode: str
    sni: str = ""
    subject_alt_names: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class TrafficPolicy:
    """TLS of a traffic policy as a whole and by port; a port without settings of its own (None) has none at all."""

    tls: TlsSettings | None = None
    ports: Mapping[int, TlsSettings | None] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Subset:
    """A subset of a service's endpoints."""

    name: str
    labels: Mapping[str, str]
    policy: TrafficPolicy | None


@dataclass(frozen=True, slots=True, kw_only=True)
class DestinationRule:
    """``host`` is the full name; ``selector`` limits which workloads of its own namespace use it."""

    key: Key
    namespace: str
    host: str
    export_to: tuple[str, ...]
    selector: Mapping[str, str]
    policy: TrafficPolicy | None
    subsets: tuple[Subset, ...]
    unmodelled: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class RouteDestination:
    """Where a route leads: a full host name, an optional subset and port, and a weight."""

    host: str
    subset: str
    port: int | None
    weight: int


@dataclass(frozen=True, slots=True, kw_only=True)
class TextMatch:
    """``kind`` is exact, prefix or regex."""

    kind: str
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RouteMatch:
    """One match of a route: everything stated has to hold. ``source_*`` mean clients."""

    gateways: tuple[str, ...] = ()
    port: int | None = None
    sni_hosts: tuple[str, ...] = ()
    destination_subnets: tuple[str, ...] = ()
    source_labels: Mapping[str, str] = field(default_factory=dict)
    source_namespace: str = ""
    uri: TextMatch | None = None
    ignore_uri_case: bool
    method: TextMatch | None = None
    authority: TextMatch | None = None
    headers: Mapping[str, TextMatch | None] = field(default_factory=dict)
    without_headers: Mapping[str, TextMatch | None] = field(default_factory=dict)
    query: Mapping[str, TextMatch | None] = field(default_factory=dict)
    unmodelled: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """A route of a VirtualService.

    ``redirect`` and ``direct`` are statuses answered at once; ``rewrite`` is (path, authority), empty for as is;
    ``fault`` tells injected faults.
    """

    matches: tuple[RouteMatch, ...]
    destinations: tuple[RouteDestination, ...]
    redirect: int | None = None
    direct: int | None = None
    rewrite_uri: str = ""
    rewrite_authority: str = ""
    fault: bool
    unmodelled: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class VirtualService:
    """``gateways`` are full names (``namespace/name``) and ``mesh``; ``hosts`` full names.

    ``fatal`` tells that istiod does not survive one of its routes.
    """

    key: Key
    namespace: str
    hosts: tuple[str, ...]
    gateways: tuple[str, ...]
    export_to: tuple[str, ...]
    http: tuple[Route, ...]
    tls: tuple[Route, ...]
    tcp: tuple[Route, ...]
    fatal: bool
    unmodelled: tuple[str, ...] = ()


# Protocols of a server that is plaintext HTTP. Source: istio 1.29.1 pkg/config/protocol/instance.go, IsHTTP.
PLAIN_HTTP = frozenset({"HTTP", "HTTP2", "HTTP_PROXY", "GRPC", "GRPC-WEB"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Server:
    """A server of a Gateway: ``hosts`` as ``namespace/host``; ``tls`` is the mode, empty where it takes plaintext.

    ``has_tls`` tells that it has settings of TLS, also where they only redirect plaintext to HTTPS.
    """

    port: int
    protocol: str
    hosts: tuple[str, ...]
    tls: str
    has_tls: bool
    redirect: bool

    @property
    def passes(self) -> bool:
        """Whether TLS goes through as it is."""
        return self.tls in {"PASSTHROUGH", "AUTO_PASSTHROUGH"}

    @property
    def is_http(self) -> bool:
        """Whether the proxy reads HTTP there, after taking off TLS where there is some."""
        return self.protocol in PLAIN_HTTP or (self.protocol == "HTTPS" and not self.passes)


@dataclass(frozen=True, slots=True, kw_only=True)
class Gateway:
    """A Gateway of Istio's own API; ``fatal`` says which of its hosts end istiod, empty where none do."""

    key: Key
    namespace: str
    selector: Mapping[str, str]
    servers: tuple[Server, ...]
    unmodelled: tuple[str, ...] = ()
    fatal: str = ""

    @property
    def name(self) -> str:
        """The Gateway as VirtualServices name it."""
        return f"{self.namespace}/{self.key.name}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Expression:
    """A label expression: ``operator`` is In, NotIn, Exists or DoesNotExist."""

    key: str
    operator: str
    values: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelSelector:
    """A Kubernetes label selector; the empty one selects everything."""

    labels: Mapping[str, str] = field(default_factory=dict)
    expressions: tuple[Expression, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Peer:
    """A peer of a NetworkPolicy: an address block with exceptions, or pods and namespaces; None is not stated."""

    block: str = ""
    excepted: tuple[str, ...] = ()
    pods: LabelSelector | None = None
    namespaces: LabelSelector | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicyPort:
    """A port of a NetworkPolicy: a number, a range up to ``end``, or a pod's port name; None for all."""

    protocol: str
    port: int | str | None
    end: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicyRule:
    """An allowing rule of a NetworkPolicy; no peers means everybody, no ports every port."""

    peers: tuple[Peer, ...]
    ports: tuple[PolicyPort, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class NetworkPolicy:
    """``ingress`` and ``egress`` None: the policy does not isolate in that direction."""

    key: Key
    namespace: str
    pods: LabelSelector
    ingress: tuple[PolicyRule, ...] | None
    egress: tuple[PolicyRule, ...] | None
    unmodelled: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Opaque:
    """An object whose effect is not modelled: EnvoyFilter, WasmPlugin, Gateway API, ...

    ``selector`` limits the workloads, ``namespace`` those of other namespaces unless it is the root one.
    """

    key: Key
    namespace: str
    selector: Mapping[str, str]
