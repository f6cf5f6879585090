"""What can be asked: who calls, whom, on which port, with which request."""

import enum
from dataclasses import dataclass


class Application(enum.Enum):
    """What the client speaks on its connection, before any proxy touches it."""

    HTTP = "http"
    TLS = "tls"
    TCP = "tcp"


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class Workload:
    """A workload of the world as a caller, by namespace and name; with a proxy or without, as the world says.

    A pod that belongs to a Deployment and the like is found under the name of the owner and under its own.
    """

    namespace: str
    name: str

    def __str__(self) -> str:
        return f"{self.namespace}/{self.name}"


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class Plain:
    """A caller that the world does not know: no proxy, no identity, only an IPv4 or IPv6 ``address``."""

    address: str

    def __str__(self) -> str:
        return f"plaintext from {self.address}"


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class Outside:
    """A client outside that connects to a gateway.

    ``gateway`` is ``namespace/name`` of the gateway's workload, empty for the one gateway that listens on the
    port; ``address`` is the client's, which rules with blocks of addresses compare.
    """

    gateway: str = ""
    address: str = "203.0.113.250"

    def __str__(self) -> str:
        return f"outside through {self.gateway}" if self.gateway else "outside"


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class Host:
    """A name as the client dials it: of a Service (short forms as in a pod's DNS search), or any other host."""

    name: str

    def __str__(self) -> str:
        return self.name


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class WorkloadAddress:
    """The own address of a workload of the world (a pod's or machine's IP), which no Service stands before."""

    namespace: str
    name: str

    def __str__(self) -> str:
        return f"address of {self.namespace}/{self.name}"


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class External:
    """An IP address outside of the world, dialled as a number."""

    address: str

    def __str__(self) -> str:
        return self.address


Source = Workload | Plain | Outside
Destination = Host | WorkloadAddress | External


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """One request on a fresh connection.

    ``port`` is the one that the client dials: of the Service for :class:`Host`, of the workload for
    :class:`WorkloadAddress`. ``application`` is what the client speaks; None takes it from the rest: HTTP when
    there is a method, a path, a host or headers, TLS when there is ``sni``, else what the port declares. ``method``
    and ``path`` None mean ``GET`` and ``/`` where the connection carries HTTP; ``path`` may have a query. ``host``
    is the Host header when it differs from the destination's name. ``headers`` are further ones, names in lower case.
    ``sni`` is the server name of the client's own TLS, by default the destination's name.
    """

    source: Source
    destination: Destination
    port: int
    application: Application | None = None
    method: str | None = None
    path: str | None = None
    host: str | None = None
    headers: tuple[tuple[str, str], ...] = ()
    sni: str | None = None
