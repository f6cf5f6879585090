"""A request as a proxy meets it."""

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field

from slipway.reachability.questions import Application

# Headers that clients and proxies add by themselves: their absence from a question says nothing.
UNSTATED = frozenset(
    {
        *("user-agent", "accept", "accept-encoding", "accept-language", "content-type", "content-length"),
        *("x-request-id", "x-forwarded-for", "x-forwarded-proto", "x-forwarded-client-cert", "traceparent"),
        *("connection", "te", "transfer-encoding", "x-envoy-attempt-count", "x-envoy-decorator-operation"),
    }
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Http:
    """The HTTP part: ``path`` as sent, ``headers`` with names in lower case.

    A header that comes several times has its values joined by commas, and stands in ``repeated`` too.
    """

    method: str
    path: str
    host: str
    headers: Mapping[str, str] = field(default_factory=dict)
    repeated: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """What travels: ``http`` None means that a proxy cannot read it as HTTP; ``sni`` is of the client's own TLS.

    ``inside`` is the HTTP in the client's own TLS, for whoever takes that off.
    ``outer_sni`` is the server name of the TLS on the wire, the mesh's or the client's own; empty in plaintext.
    ``forwarded`` is the client's address where a gateway states it, empty where nobody did.
    """

    application: Application
    http: Http | None
    inside: Http | None = None
    sni: str = ""
    outer_sni: str = ""
    forwarded: str = ""

    def carried(self, outer_sni: str) -> "Request":
        """Return the request on a wire whose TLS has this server name."""
        if outer_sni == self.outer_sni:
            return self
        return dataclasses.replace(self, outer_sni=outer_sni)
