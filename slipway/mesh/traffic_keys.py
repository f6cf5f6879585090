"""The keys that say how requests reach a service, described once as in `slipway.mesh.mesh_keys`."""

from slipway.mesh import durations, traffic, values
from slipway.mesh.shape import Choice, Either, Field, Flag, ListOf, Record, Shape, Text, Whole

# Source: Envoy 1.37, router_filter "x-envoy-retry-on" and "x-envoy-retry-grpc-on".
RETRY_CONDITIONS = (
    "5xx",
    "gateway-error",
    "reset",
    "reset-before-request",
    "connect-failure",
    "refused-stream",
    "retriable-4xx",
    "cancelled",
    "deadline-exceeded",
    "internal",
    "resource-exhausted",
    "unavailable",
)
MOST = 1_000_000
DURATION = Text(
    noun="a duration", parse=durations.parse, schema={"pattern": "^[0-9]{1,9}(\\.[0-9]{1,3})?(ms|s|m|h)$"}
)
NAME_IN_REQUEST = Text(
    noun="the name of a header, cookie or query parameter",
    parse=values.parse_token,
    schema={"pattern": "^[A-Za-z0-9!#$%&'*+.^_`|~-]{1,128}$"},
)


def _count(key: str, doc: str, *, minimum: int = 1, maximum: int = MOST) -> Field:
    return Field(key=key, shape=Whole(noun="a number", minimum=minimum, maximum=maximum), doc=doc)


def _percent(key: str, doc: str) -> Field:
    return Field(key=key, shape=Whole(noun="a percentage", minimum=0, maximum=100), doc=doc)


_EVENLY = Choice(noun="a way to balance", values=tuple(item.value for item in traffic.Balancing if not item.is_hash))
BALANCE = Either(
    short=_EVENLY,
    long=Record(
        noun="the balancing",
        fields=(
            Field(
                key="by",
                shape=Choice(noun="a way to balance", values=tuple(item.value for item in traffic.Balancing)),
                doc="how an endpoint is chosen; the last four keep equal requests together; default: leastRequest",
            ),
            Field(
                key="name",
                shape=NAME_IN_REQUEST,
                doc="the header, cookie or query parameter that is hashed; needed with those",
            ),
            Field(
                key="cookieTtl",
                shape=DURATION,
                doc="how long a cookie lives that the proxy sets where it is missing; default: it sets none",
            ),
            Field(
                key="warmUp",
                shape=DURATION,
                doc="how long a new endpoint's share grows; with leastRequest and roundRobin; default: not at all",
            ),
            Field(
                key="locality",
                shape=Flag(noun="the preference"),
                doc="prefer endpoints in the caller's region and zone; needs `outlierDetection`; default: false",
            ),
        ),
    ),
)
RETRIES = Record(
    noun="the retries",
    fields=(
        Field(
            key="attempts",
            shape=Whole(noun="a number of attempts", minimum=0, maximum=10),
            doc="how often a failed request is sent again, 0 for never (Istio's default without `retries`: 2)",
            required=True,
        ),
        Field(key="perTryTimeout", shape=DURATION, doc="how long one try may take; default: as `timeout`"),
        Field(
            key="retryOn",
            shape=ListOf(
                noun="a list of conditions",
                item=Choice(noun="a condition to retry on", values=RETRY_CONDITIONS),
                minimum=1,
            ),
            doc="what is sent again; default: Istio's own, among them nothing that a service answered except 503",
        ),
    ),
)
OUTLIER_DETECTION = Record(
    noun="the outlier detection",
    fields=(
        _count("consecutive5xxErrors", "answers 5xx in a row before it rests; 0 for off; default: 5", minimum=0),
        _count("consecutiveGatewayErrors", "answers 502, 503, 504 in a row; default: off"),
        Field(key="interval", shape=DURATION, doc="time between two looks; default: 10s"),
        Field(key="baseEjectionTime", shape=DURATION, doc="how long it rests the first time; default: 30s"),
        _percent("maxEjectionPercent", "share of the endpoints that may rest at once; default: 10"),
        _percent("minHealthPercent", "below this share of healthy endpoints nobody rests; default: 0"),
    ),
)
CONNECTIONS = Record(
    noun="the connections",
    fields=(
        _count("maxConnections", "connections of one caller's proxy to the service; default: no limit"),
        Field(key="connectTimeout", shape=DURATION, doc="how long connecting may take; default: 10s"),
        Field(key="idleTimeout", shape=DURATION, doc="an idle connection is closed after this; default: 1h"),
        _count("maxPendingRequests", "requests that wait for a connection; HTTP; default: no limit"),
        _count("maxRequests", "requests in flight; HTTP; default: no limit"),
        _count("maxRequestsPerConnection", "requests after which a connection is closed; HTTP; default: no limit"),
    ),
)
TRAFFIC: tuple[Field, ...] = (
    Field(key="balance", shape=BALANCE, doc="how requests are spread over endpoints; default: leastRequest"),
    Field(key="timeout", shape=DURATION, doc="how long a request may take with its retries; HTTP; default: no limit"),
    Field(key="retries", shape=RETRIES, doc="sending failed requests again; HTTP; default: Istio's own"),
    Field(key="outlierDetection", shape=OUTLIER_DETECTION, doc="resting endpoints that fail; default: none"),
    Field(key="connections", shape=CONNECTIONS, doc="limits of connections and of requests in flight; default: none"),
    Field(
        key="traffic",
        shape=Choice(noun="who routes", values=("external",)),
        doc="`external` leaves VirtualService and DestinationRule to Flagger or Argo Rollouts; default: Slipway's",
    ),
)


def routing_keys() -> tuple[str, ...]:
    """Return the keys that `traffic: external` leaves to others."""
    return tuple(item.key for item in TRAFFIC if item.key != "traffic")


PERCENT: Shape = Whole(noun="a percentage", minimum=0, maximum=100)
