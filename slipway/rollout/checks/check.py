"""One line of the proof before it is measured."""

import enum
from collections.abc import Mapping
from dataclasses import dataclass

from slipway.rollout import expectations, probes, sources


class Group(enum.Enum):
    """Parts of the proof, in the order in which they are shown."""

    DECLARED = "declared calls work"
    CALLER = "undeclared calls, refused at the caller"
    SERVER = "undeclared calls, refused by the server"
    METHOD = "wrong method"
    PATH = "wrong path"
    PLAINTEXT = "plaintext"
    OUTSIDE = "outside hosts"
    OUTSIDE_CALLER = "undeclared callers of an outside host"
    BYPASS = "past the sidecar"
    DATABASE = "database"
    INGRESS = "ingress"
    TRACE = "tracing"
    OUTAGE = "machine without its sidecar"
    BOOT = "machine during boot"
    ROWS = "rows"


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """A request, from whom, and what it should come to. ``told`` names the destination in a few words."""

    group: Group
    source: sources.Source
    told: str
    request: probes.Request
    expected: expectations.Expectation

    @property
    def name(self) -> str:
        """Unique within a plan, the same in every run."""
        return f"{self.group.value}: {self.source} -> {self.told}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Outside:
    """The part of the internet that may be probed: only in an environment that is made for it.

    ``addresses`` maps each declared outside host to its IPv4 address; ``forbidden`` is a host that nobody declares
    and answers TLS on 443; ``other_port`` answers TLS at declared hosts; ``resolver`` is a DNS server that answers
    ``resolver_name`` and that no workload is meant to ask.
    """

    addresses: Mapping[str, str]
    forbidden: probes.Address
    forbidden_address: str
    other_port: int
    resolver: str
    resolver_name: str
