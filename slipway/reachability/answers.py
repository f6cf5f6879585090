"""What is answered: whether it is allowed, what decided, where, and what the client sees."""

import re
from dataclasses import dataclass, field
from typing import Any

from slipway.diagnostics import Span
from slipway.reachability.choices import Choice

_PLACED = re.compile(r"(.+):([0-9]+):([0-9]+)")


class Outcome(Choice):
    """``ALLOWED``: the request reaches the application called. ``UNKNOWN``: the objects do not say, see reasons."""

    ALLOWED = "allowed"
    DENIED = "denied"
    UNKNOWN = "unknown"


class Hop(Choice):
    """Where the decision falls, in the order in which a request passes."""

    SOURCE_SIDECAR = "source sidecar"
    SOURCE_NETWORK_POLICY = "network policy of the source"
    SOURCE_NSG = "security group of the source"
    INGRESS_GATEWAY = "ingress gateway"
    EGRESS_GATEWAY = "egress gateway"
    EAST_WEST_GATEWAY = "east-west gateway"
    DESTINATION_NETWORK_POLICY = "network policy of the destination"
    DESTINATION_NSG = "security group of the destination"
    DESTINATION_SIDECAR = "destination sidecar"
    DESTINATION = "destination"


class Seen(Choice):
    """What the client sees. ``ANSWER`` is the application's own; numbers are a proxy's answers over HTTP."""

    ANSWER = "the application's answer"
    REDIRECT_301 = "301"
    UNAUTHORIZED_401 = "401"
    FORBIDDEN_403 = "403"
    NOT_FOUND_404 = "404"
    MISDIRECTED_421 = "421"
    BAD_GATEWAY_502 = "502"
    UNAVAILABLE_503 = "503"
    OTHER_STATUS = "another status"
    RESET = "connection reset or closed"
    TIMEOUT = "timeout"
    REFUSED = "connection refused"
    NO_NAME = "the name does not resolve"
    UNKNOWN = "unknown"


class Transport(Choice):
    """How the last connection to the workload called is protected; ``NONE`` when there was none."""

    MUTUAL_TLS = "mTLS"
    PLAINTEXT = "plaintext"
    TLS = "TLS of the application"
    NONE = "none"


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class Key:
    """An object: kind, namespace (empty for cluster-wide ones), name.

    ``origin`` is where it was read, as a file or ``file:line:column``, or empty. It tells no two objects apart: one
    that moved to another file did not change.
    """

    kind: str
    namespace: str
    name: str
    origin: str = field(default="", compare=False)

    @property
    def span(self) -> Span | None:
        """Where it was read; the file's begin when no line is known."""
        if not self.origin:
            return None
        placed = _PLACED.fullmatch(self.origin)
        if placed is None:
            return Span(file=self.origin, line=1, column=1)
        return Span(file=placed[1], line=int(placed[2]), column=int(placed[3]))

    def __str__(self) -> str:
        place = f"{self.namespace}/{self.name}" if self.namespace else self.name
        return f"{self.kind} {place}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Decider:
    """What decided: ``object`` None when it is a default; ``rule`` counts from 0, None when no single rule did."""

    hop: Hop
    object: Key | None = None
    rule: int | None = None

    def __str__(self) -> str:
        rule = "" if self.rule is None else f", rule {self.rule}"
        what = "the default" if self.object is None else f"{self.object}{rule}"
        return f"{what} at {self.hop.value}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """The answer to one question; ``reasons`` are sentences in the order of the hops, never empty."""

    outcome: Outcome
    seen: Seen
    decided_by: Decider
    reasons: tuple[str, ...]
    transport: Transport = Transport.NONE

    def __hash__(self) -> int:
        """Return a hash that takes little time: hardly any two answers have the same reasons."""
        return hash(self.reasons)

    def to_plain(self) -> dict[str, Any]:
        """Return the answer as JSON values."""
        decider = self.decided_by
        key = decider.object
        stated = None if key is None else {"kind": key.kind, "namespace": key.namespace, "name": key.name}
        if stated is not None and key is not None and key.origin:
            stated["origin"] = key.origin
        return {
            "outcome": self.outcome.value,
            "seen": self.seen.value,
            "transport": self.transport.value,
            "decidedBy": {"hop": decider.hop.value, "object": stated, "rule": decider.rule},
            "reasons": list(self.reasons),
        }
