"""What a request should come to, and whether it did."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from slipway.rollout import probes

# How Envoy refuses an HTTP request by policy. Source: envoyproxy/envoy 1.37 source/extensions/filters/http/rbac.
RBAC_BODY = "RBAC: access denied"
# A connection that somebody took and ended: Envoy's network RBAC filter, a missing filter chain, no cluster.
CLOSED = frozenset({"reset", "eof"})
# Nothing came through: a packet was dropped or rejected on the way, or the connection was ended.
NOTHING = CLOSED | {"timeout", "refused", "unreachable", "forbidden"}
# What a proxy answers when it did not reach the service: nobody has decided anything.
# Source: envoyproxy/envoy 1.37 source/common/router/router.cc; source/common/http/utility.cc.
UNREACHED = ("upstream connect error", "no healthy upstream")


def decides_nothing(result: probes.Result) -> bool:
    """Whether a result tells neither that a request is allowed nor that it is refused."""
    unreached = result.code == "503" and result.body.startswith(UNREACHED)
    unresolved = result.outcome == "timeout" and " lookup " in result.detail  # a resolver too busy: nothing was sent
    return result.outcome == "unsent" or unresolved or (result.outcome == "answer" and unreached)


@dataclass(frozen=True, slots=True, kw_only=True)
class Expectation:
    """``told`` is the expected side of a table's line.

    ``codes`` are the codes of an acceptable answer: ``None`` for no answer at all, an empty tuple for any that is
    not in ``not_codes``. ``contains`` has to stand in the answer, ``empty`` asks for one without a body, and
    ``headers`` are answers' headers with the text that they begin with. ``ends`` are acceptable outcomes without an
    answer. ``through_egress`` asks that the answer names a pod of the egress gateway as the address that it saw.
    ``patient`` allows asking again: only for what should work, never for what should be refused. ``alternatives`` are
    all that counts where there are any: one of them has to be met.
    """

    told: str
    codes: tuple[str, ...] | None = None
    not_codes: tuple[str, ...] = ()
    contains: str = ""
    empty: bool = False
    headers: tuple[tuple[str, str], ...] = ()
    ends: frozenset[str] = frozenset()
    through_egress: bool = False
    patient: bool = False
    alternatives: "tuple[Expectation, ...]" = ()

    def unmet(self, result: probes.Result, *, egress: Sequence[str] = ()) -> str:
        """Say what differs; an empty string when the result is as expected.

        ``egress`` are the addresses of the egress gateway's pods.
        """
        if self.alternatives:
            found = [item.unmet(result, egress=egress) for item in self.alternatives]
            return found[0] if all(found) else ""
        if result.outcome != "answer":
            return "" if result.outcome in self.ends else f"{result.outcome} {result.detail}".strip()
        return next(self._differences(result, egress), "")

    def _differences(self, result: probes.Result, egress: Sequence[str]) -> Iterator[str]:
        if self.codes is None:
            yield f"it was answered: {result}"
        elif result.code in self.not_codes or (self.codes and result.code not in self.codes):
            yield f"the code is {result.code or 'missing'}"
        if self.contains not in result.body:
            yield f"the answer lacks {self.contains!r}"
        if self.empty and result.body:
            yield "the answer has a body, so the proxy did not make it"
        for name, start in self.headers:
            if not result.headers.get(name, "").startswith(start):
                yield f"the header {name} is {result.headers.get(name, '')!r}"
        if self.through_egress and not any(_names(result.body, address) for address in egress):
            yield f"it came from elsewhere than the egress gateway ({', '.join(egress) or 'which has no pod'})"


def _names(text: str, address: str) -> bool:
    """Whether an address stands in a text, not as a part of a longer one."""
    return re.search(rf"(?<![\d.]){re.escape(address)}(?![\d.])", text) is not None


def works(*codes: str, contains: str = "") -> Expectation:
    """Expect an answer of the called service itself, not of a proxy that refused."""
    told = " ".join(codes) or "answered by the service"
    refusals = () if codes else ("403", "502", "503", "504")
    return Expectation(told=told, codes=codes, not_codes=refusals, contains=contains, patient=True)


def forbidden() -> Expectation:
    """Expect the server's proxy to answer 403 by policy."""
    return Expectation(told="403 by policy", codes=("403",), contains=RBAC_BODY)


def closed() -> Expectation:
    """Expect a connection that is taken and then ended without any answer."""
    return Expectation(told="reset", ends=CLOSED)


def unknown_to_caller() -> Expectation:
    """Expect the caller's own proxy to refuse: no such name, no route (502 without a body), or no cluster."""
    return Expectation(told="refused at the caller", codes=("502",), empty=True, ends=CLOSED | {"unresolved"})


def nothing() -> Expectation:
    """Expect that nothing comes back, whoever prevented it."""
    return Expectation(told="nothing passes", ends=NOTHING)


def either(told: str, *alternatives: Expectation) -> Expectation:
    """Expect one of several ends, where more than one thing stands in the way."""
    return Expectation(told=told, alternatives=alternatives)


def kept_out() -> Expectation:
    """Expect that a packet filter keeps a call away from its server: the caller's proxy says so, or nothing comes.

    A connection that a proxy kept from a time when it was allowed ends at the server's policy.
    """
    unreached = Expectation(told="503", codes=("503",), contains=UNREACHED[0])
    return either("kept out", nothing(), unreached, forbidden())


def selects(value: str) -> Expectation:
    """Expect a database to let the role in and return ``value``."""
    return Expectation(told=f"a row: {value}", codes=("00000",), contains=value, patient=True)


def stays_open() -> Expectation:
    """Expect a connection that nobody ends; what the service would say first is not known."""
    return Expectation(told="stays open", codes=(), ends=frozenset({"timeout"}), patient=True)


def answers(*, told: str, through_egress: bool = False) -> Expectation:
    """Expect HTTP 200 from an outside host."""
    return Expectation(told=told, codes=("200",), through_egress=through_egress, patient=True)


def not_sent() -> Expectation:
    """Expect that the caller's proxy, or the gateway, ends what would leave; silence would prove nothing of it."""
    return Expectation(told="refused", ends=NOTHING - {"timeout"})


def no_certificate() -> Expectation:
    """Expect a proxy that wants a client certificate to refuse."""
    return Expectation(told="no certificate, no answer", ends=NOTHING | {"tls_error"})
