"""How requests to one service are spread, limited and repeated: values, every absent one being Istio's default.

Durations are texts in seconds as Istio reads them (``1.5s``); an empty one is not stated.
"""

import enum
from dataclasses import dataclass


class Balancing(enum.Enum):
    """How one endpoint is chosen: the first three at random or in turn, the rest by a hash of the request."""

    LEAST_REQUEST = "leastRequest"
    ROUND_ROBIN = "roundRobin"
    RANDOM = "random"
    HEADER = "header"
    COOKIE = "cookie"
    QUERY = "query"
    SOURCE = "source"

    @property
    def is_hash(self) -> bool:
        """Whether equal requests go to one endpoint as long as the endpoints stay the same."""
        return self in {Balancing.HEADER, Balancing.COOKIE, Balancing.QUERY, Balancing.SOURCE}

    @property
    def is_named(self) -> bool:
        """Whether a part of the HTTP request is hashed, which has a name."""
        return self in {Balancing.HEADER, Balancing.COOKIE, Balancing.QUERY}


@dataclass(frozen=True, slots=True, kw_only=True)
class Balance:
    """How endpoints are chosen.

    ``by`` is None for Istio's default (least request); ``name`` that of the hashed header, cookie or query parameter;
    ``cookie_ttl`` makes the proxy set a cookie that is missing; ``warm_up`` is how long a new endpoint's share grows;
    ``locality`` prefers endpoints in the caller's region and zone.
    """

    by: Balancing | None = None
    name: str = ""
    cookie_ttl: str = ""
    warm_up: str = ""
    locality: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Retries:
    """How often a failed request is sent again: ``attempts`` 0 is never; ``on`` Envoy's conditions, sorted."""

    attempts: int
    per_try_timeout: str
    on: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class OutlierDetection:
    """When an endpoint gets no requests for a while: None and empty are Istio's defaults."""

    consecutive_5xx_errors: int | None
    consecutive_gateway_errors: int | None
    interval: str
    base_ejection_time: str
    max_ejection_percent: int | None
    min_health_percent: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Connections:
    """Limits of one caller's proxy towards the service: None and empty are Envoy's defaults."""

    max_connections: int | None
    connect_timeout: str
    idle_timeout: str
    max_pending_requests: int | None
    max_requests: int | None
    max_requests_per_connection: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Traffic:
    """Everything that a declaration says about the way to one service; ``external`` leaves the way to others.

    ``weights`` are pairs of a place (a machine, ``cluster``, a version) and its percentage, sorted by place.
    """

    external: bool = False
    balance: Balance | None = None
    timeout: str = ""
    retries: Retries | None = None
    outlier_detection: OutlierDetection | None = None
    connections: Connections | None = None
    weights: tuple[tuple[str, int], ...] = ()
