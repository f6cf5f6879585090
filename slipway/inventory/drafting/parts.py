"""The parts of a draft: what is written, and what is said about each object that was found."""

import enum
from collections.abc import Mapping
from dataclasses import dataclass, field


class Verdict(enum.Enum):
    """What becomes of an object that is there already."""

    TAKEN_OVER = "taken over"
    LEFT_ALONE = "left alone"
    IN_THE_WAY = "in the way"


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class Note:
    """What becomes of one object, and why."""

    namespace: str
    kind: str
    name: str
    verdict: Verdict = field(compare=False)
    reason: str = field(compare=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Port:
    """A port as it is written: ``key`` its name; ``number`` the workload's, ``service`` the Service's.

    ``guess`` says why the protocol is only a guess; empty when it is stated somewhere.
    """

    key: str
    protocol: str
    number: int
    service: int
    guess: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Service:
    """A service as it is written.

    ``kubernetes_service`` is empty for one that only calls; ``account`` is declared, ``accounts`` are those that its
    pods have; ``remarks`` are written above it; ``foreign_traffic`` leaves its routes to objects that are there.
    """

    name: str
    namespace: str
    kubernetes_service: str
    labels: Mapping[str, str]
    account: str
    accounts: tuple[str, ...]
    ports: tuple[Port, ...]
    remarks: tuple[str, ...] = ()
    foreign_traffic: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class External:
    """An outside host as it is written: ``protocol`` is tls, http or tcp."""

    name: str
    host: str
    protocol: str
    port: int
    addresses: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class Link:
    """A call between two drafted services, on a port by its key."""

    caller: str
    callee: str
    port: str


@dataclass(slots=True, kw_only=True)
class Calls:
    """Calls while they are gathered.

    ``every`` holds links with any request, ``stated`` the clauses that policies have for others, ``seen`` methods and
    paths from logs; ``outside`` are pairs of a service and an outside host.
    """

    every: set[Link] = field(default_factory=set)
    stated: dict[Link, set[str]] = field(default_factory=dict)
    seen: dict[Link, set[tuple[str, str]]] = field(default_factory=dict)
    outside: set[tuple[str, str]] = field(default_factory=set)

    def links(self) -> list[Link]:
        """Return every link, sorted; a service's calls of itself need none."""
        found = {*self.every, *self.stated, *self.seen}
        return sorted(link for link in found if link.caller != link.callee)
