"""What proxies logged about a request, and how that contradicts an answer."""

import dataclasses
import re

from slipway import reachability
from slipway.reachability import split

# Source: istio 1.29.1 pilot/pkg/security/authz/builder/builder.go, policyName.
_RULE = re.compile(r"ns\[(.*)\]-policy\[(.*)\]-rule\[(\d+)\]$")


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Logged:
    """``by_caller`` tells whether the caller's own proxy decided, None where it logged nothing.

    ``policy`` is what Envoy names as the one that refused, ``none`` for want of an ALLOW, empty where none did, and
    ``at_gateway`` whether that was at a gateway.
    """

    by_caller: bool | None = None
    at_gateway: bool = False
    policy: str = ""


def contradiction(answer: reachability.Answer, logged: Logged | None, *, entering: bool) -> str:
    """Return how logs contradict where and by what a refusal was decided; empty when they do not.

    ``entering`` tells that the client is outside of the cluster: its gateway is the way in, others' is the way out.
    """
    if logged is None or answer.outcome is not reachability.Outcome.DENIED:
        return ""
    if any(split.OPEN in reason for reason in answer.reasons):
        return ""  # it names one of several, and says so
    hop = answer.decided_by.hop
    if logged.by_caller not in {None, hop is reachability.Hop.SOURCE_SIDECAR}:
        return f"decided at {hop.value}, but the caller's proxy did {'' if logged.by_caller else 'not '}decide"
    if not logged.policy:
        return ""
    gate = reachability.Hop.INGRESS_GATEWAY if entering else reachability.Hop.EGRESS_GATEWAY
    if logged.at_gateway != (hop is gate):
        return f"decided at {hop.value}, but {'the' if logged.at_gateway else 'no'} {gate.value} refused"
    return _otherwise_refused(answer.decided_by, logged.policy)


def _otherwise_refused(decider: reachability.Decider, told: str) -> str:
    found, key = _RULE.match(told), decider.object
    if key is None or key.kind != "AuthorizationPolicy":
        return f"decided by {decider}, but the proxy refused by {told}"
    if found is None:
        return "" if decider.rule is None else f"decided by {decider}, but no ALLOW matched"
    same = (key.namespace, key.name, decider.rule) == (found[1], found[2], int(found[3]))
    return "" if same else f"decided by {decider}, but the proxy refused by {told}"
