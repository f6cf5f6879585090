"""Single requests as values: what is sent, from whom, and what came of it."""

import enum
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


class Kind(enum.Enum):
    """What is spoken on the connection. TLS is stated apart and wraps any of the TCP kinds."""

    HTTP = "http"
    TCP = "tcp"
    UDP = "udp"
    DNS = "dns"
    POSTGRES = "postgres"


@dataclass(frozen=True, slots=True, kw_only=True)
class Address:
    """A destination by name or IPv4 address."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"{self.host}:{self.port}"


@dataclass(frozen=True, slots=True, kw_only=True)
class PodAddress:
    """A pod's own address, known when the request is sent: one that the labels select in the namespace."""

    namespace: str
    labels: tuple[tuple[str, str], ...]
    port: int

    def __str__(self) -> str:
        labels = ",".join(f"{name}={value}" for name, value in self.labels)
        return f"pod {labels}:{self.port}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Tls:
    """TLS around a request: no name is sent when ``sni`` is empty; ``unverified`` accepts any server certificate.

    ``certificate`` and ``key`` are files of a client certificate at the source, ``authority`` one of roots;
    ``inside`` is a second session through this one.
    """

    sni: str = ""
    alpn: tuple[str, ...] = ()
    authority: str = ""
    certificate: str = ""
    key: str = ""
    unverified: bool = False
    inside: "Tls | None" = None

    def document(self) -> dict[str, Any]:
        """Return the settings as the program ``probe`` takes them."""
        return {
            "sni": self.sni,
            "alpn": list(self.alpn),
            "ca": self.authority,
            "certificate": self.certificate,
            "key": self.key,
            "unverified": self.unverified,
            "inside": None if self.inside is None else self.inside.document(),
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """One request on a connection of its own, bounded by ``timeout_ms``.

    ``query`` is the name to resolve (DNS, with a dot at its end) or the SQL statement; ``host`` the HTTP host.
    """

    kind: Kind
    target: Address | PodAddress
    tls: Tls | None = None
    method: str = "GET"
    path: str = "/"
    host: str = ""
    headers: tuple[tuple[str, str], ...] = ()
    send: str = ""
    query: str = ""
    user: str = ""
    database: str = ""
    timeout_ms: int = 3000

    def document(self, *, name: str, address: str) -> dict[str, Any]:
        """Return the request as the program ``probe`` takes it."""
        return {
            "name": name,
            "kind": self.kind.value,
            "address": address,
            "timeout_ms": self.timeout_ms,
            "method": self.method,
            "path": self.path,
            "host": self.host or address,
            "headers": dict(self.headers),
            "send": self.send,
            "query": self.query,
            "user": self.user,
            "database": self.database,
            "tls": None if self.tls is None else self.tls.document(),
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """What came of a request.

    ``outcome`` is ``answer`` (then ``code`` and ``body``), or how it ended without one: ``reset``, ``refused``,
    ``eof``, ``timeout``, ``unreachable``, ``forbidden``, ``unresolved``, ``tls_error``, ``error``; ``unsent`` when
    the source itself could not be used.
    """

    outcome: str
    code: str = ""
    body: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)
    peer: tuple[str, ...] = ()
    detail: str = ""
    duration_ms: int = 0

    def __str__(self) -> str:
        """Return the measured side of a table's line."""
        if self.outcome != "answer":
            return self.outcome if self.outcome not in {"error", "unsent"} else f"{self.outcome}: {self.detail}"
        body = " ".join(self.body.split())
        shown = f"{self.code} {body[:60]}".strip()
        return shown or "an answer"


def results(text: str) -> dict[str, Result]:
    """Return the results that the program ``probe`` printed, by the name of their request."""
    found: dict[str, Result] = {}
    for line in text.splitlines():
        item = json.loads(line)
        found[item["name"]] = Result(
            outcome=item["outcome"],
            code=item.get("code", ""),
            body=item.get("body", ""),
            headers=item.get("headers", {}),
            peer=tuple(item.get("peer", ())),
            detail=item.get("detail", ""),
            duration_ms=item["duration_ms"],
        )
    return found
