"""What the authorization filters of one workload decide, for many callers at once.

Source: istio 1.29.1 pilot/pkg/security/authz/builder/builder.go (order of actions, dry runs, empty policies),
pilot/pkg/model/authorization.go and policyattachment.go (which policies apply), Envoy's
source/extensions/filters/common/rbac/engine_impl.cc (policies in the order of their names).
"""

from collections.abc import Iterable
from dataclasses import dataclass

from slipway.reachability import conditions
from slipway.reachability.answers import Key, Outcome
from slipway.reachability.callers import NOBODY, Callers, Some
from slipway.reachability.conditions import Arrival
from slipway.reachability.objects import AuthorizationPolicy, RequestAuthentication, Workload
from slipway.reachability.request import Http
from slipway.reachability.split import OPEN
from slipway.reachability.world import World

_NAMED = 3  # policies in a reason


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What the filters decide; ``object`` None when no policy applies to the workload.

    ``unread`` tells that the request never gets to them: Envoy takes its path for none.
    """

    outcome: Outcome
    object: Key | None
    rule: int | None
    reason: str
    unread: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Applied:
    """The policies of one workload, compiled for one kind of filter chain; rules in Envoy's order."""

    custom: tuple[tuple[AuthorizationPolicy, int, conditions.Compiled], ...]
    deny: tuple[tuple[AuthorizationPolicy, int, conditions.Compiled], ...]
    allow: tuple[tuple[AuthorizationPolicy, int, conditions.Compiled], ...]
    allowing: tuple[AuthorizationPolicy, ...]
    tokens: tuple[RequestAuthentication, ...]


class Authorization:
    """Decides for the workloads of one world and one list of callers; compiled rules are remembered."""

    def __init__(self, world: World, callers: Callers) -> None:
        self._world = world
        self._callers = callers
        self._rules: dict[tuple[Key, bool], tuple[conditions.Compiled, ...]] = {}

    def applied(self, workload: Workload, *, tcp: bool) -> Applied:
        """Return the policies that apply to a workload; those with targetRefs are for waypoints and gateways only."""
        custom, deny, allow = [], [], []
        allowing: list[AuthorizationPolicy] = []
        for policy in self._policies(workload):
            if policy.dry_run and policy.action in {"ALLOW", "DENY"}:
                continue
            if policy.action == "ALLOW":
                allowing.append(policy)
            into = {"CUSTOM": custom, "DENY": deny, "ALLOW": allow}.get(policy.action)
            if into is not None:
                into += [(policy, index, rule) for index, rule in enumerate(self._compiled(policy, tcp=tcp))]
        tokens = () if tcp else tuple(self._tokens(workload))
        return Applied(
            custom=_in_order(custom),
            deny=_in_order(deny),
            allow=_in_order(allow),
            allowing=tuple(allowing),
            tokens=tokens,
        )

    def _policies(self, workload: Workload) -> Iterable[AuthorizationPolicy]:
        root = self._world.mesh.root_namespace
        for namespace in dict.fromkeys((root, workload.namespace)):
            for policy in self._world.authorization_for.of(namespace, workload.labels):
                if not policy.targeted:
                    yield policy

    def _tokens(self, workload: Workload) -> Iterable[RequestAuthentication]:
        root = self._world.mesh.root_namespace
        for namespace in dict.fromkeys((root, workload.namespace)):
            for item in self._world.request_authentications_for.of(namespace, workload.labels):
                if not item.targeted and item.rules:
                    yield item

    def _compiled(self, policy: AuthorizationPolicy, *, tcp: bool) -> tuple[conditions.Compiled, ...]:
        found = self._rules.get((policy.key, tcp))
        if found is None:
            found = tuple(
                conditions.compiled(rule, policy=policy, tcp=tcp, mesh=self._world.mesh) for rule in policy.rules
            )
            self._rules[policy.key, tcp] = found
        return found

    def made_of(self, applied: Applied, arrival: Arrival | None) -> object:
        """Return what the filters make of a request, whoever calls; None for one that Envoy refuses."""
        if arrival is None or arrival.http is None:
            return None
        rules = [
            conditions.made_of(rule, arrival, self._callers)
            for group in (applied.custom, applied.deny, applied.allow)
            for _, _, rule in group
        ]
        return arrival.http.headers, _token(applied.tokens, arrival), rules

    def decide(self, applied: Applied, arrival: Arrival, mask: int) -> list[tuple[int, Verdict]]:
        """Return what the filters decide for the callers of ``mask``: every one of them in exactly one part."""
        token = _token(applied.tokens, arrival)
        parts, doubtful, rest = self._denied(applied, arrival, mask, token=token)
        allowed, possible = self._allowed(applied, arrival, rest, token=token)
        refused = rest & ~_union(found for found, _ in allowed) & ~possible.may
        for callers, note in _noted(refused, doubtful):
            parts.append((callers, _refusal(applied.allowing[-1], applied.allowing, note)))
        rest &= ~refused
        for policy, index, rule in applied.custom:
            found = self._matching(rule, arrival, token).within(rest)
            if found.may:
                reason = f"rule {index} of {policy.key} asks somebody else (CUSTOM), who is not modelled"
                parts.append((found.may, _verdict(Outcome.UNKNOWN, policy.key, index, reason)))
                rest &= ~found.may
        if token:
            reason = f"{applied.tokens[0].key} judges the token in the request, which is not modelled"
            unknown = _verdict(Outcome.UNKNOWN, applied.tokens[0].key, None, reason)
            return [*parts, *([(rest, unknown)] if rest else [])]
        if unsure := doubtful.may & rest:
            reason = "a DENY rule depends on what the objects do not say"
            parts.append((unsure, _verdict(Outcome.UNKNOWN, _first(applied.deny), None, reason)))
            rest &= ~unsure
        for found_mask, verdict in allowed:
            if own := found_mask & rest:
                parts.append((own, verdict))
            rest &= ~found_mask
        if rest:
            reason = "an ALLOW rule depends on what the objects do not say"
            parts.append((rest, _verdict(Outcome.UNKNOWN, _first(applied.allow), None, reason)))
        return parts

    def _denied(
        self, applied: Applied, arrival: Arrival, mask: int, *, token: bool
    ) -> tuple[list[tuple[int, Verdict]], Some, int]:
        """Return who is surely denied, by which rule; who may be; and who is left."""
        parts: list[tuple[int, Verdict]] = []
        rest, doubtful = mask, NOBODY
        for policy, index, rule in applied.deny:
            found = self._matching(rule, arrival, token).within(rest)
            for callers, note in _noted(found.must, doubtful):
                reason = f"rule {index} of {policy.key} denies it{note}"
                parts.append((callers, _verdict(Outcome.DENIED, policy.key, index, reason)))
            rest &= ~found.must
            doubtful |= found.within(rest)
        return parts, doubtful, rest

    def _allowed(
        self, applied: Applied, arrival: Arrival, mask: int, *, token: bool
    ) -> tuple[list[tuple[int, Verdict]], Some]:
        """Return who is surely allowed, by which rule, and who may be."""
        if not applied.allowing:
            return [(mask, _verdict(Outcome.ALLOWED, None, None, "no ALLOW policy applies to the workload"))], NOBODY
        parts: list[tuple[int, Verdict]] = []
        rest, possible = mask, NOBODY
        for policy, index, rule in applied.allow:
            found = self._matching(rule, arrival, token).within(rest)
            if found.must:
                reason = f"rule {index} of {policy.key} allows it"
                parts.append((found.must, _verdict(Outcome.ALLOWED, policy.key, index, reason)))
                rest &= ~found.must
            possible |= found
        return parts, possible

    def _matching(self, rule: conditions.Compiled, arrival: Arrival, token: bool) -> Some:
        return conditions.matching(rule, arrival, self._callers, token=token)


def _noted(refused: int, doubtful: Some) -> list[tuple[int, str]]:
    """Return callers that are refused, those apart whom a DENY rule may have refused before, which a note tells."""
    parts = (
        (refused & ~doubtful.may, ""),
        (refused & doubtful.may, f", and another DENY rule may refuse it before; {OPEN}"),
    )
    return [(callers, note) for callers, note in parts if callers]


def _token(tokens: tuple[RequestAuthentication, ...], arrival: Arrival) -> bool:
    """Return whether the request carries what a RequestAuthentication takes for a token."""
    http = arrival.http
    return http is not None and any(_carried(item, http) for item in tokens)


def _carried(item: RequestAuthentication, http: Http) -> bool:
    query = http.path.partition("?")[2]
    names = {part.partition("=")[0] for part in query.split("&")} if query else set[str]()
    return any(header in http.headers for header in item.headers) or any(name in names for name in item.parameters)


def _in_order(
    rules: list[tuple[AuthorizationPolicy, int, conditions.Compiled]],
) -> tuple[tuple[AuthorizationPolicy, int, conditions.Compiled], ...]:
    def name(item: tuple[AuthorizationPolicy, int, conditions.Compiled]) -> str:
        policy, index, _ = item
        return f"ns[{policy.namespace}]-policy[{policy.key.name}]-rule[{index}]"

    return tuple(sorted(rules, key=name))


def _verdict(outcome: Outcome, key: Key | None, rule: int | None, reason: str) -> Verdict:
    return Verdict(outcome=outcome, object=key, rule=rule, reason=reason)


def _refusal(last: AuthorizationPolicy, allowing: tuple[AuthorizationPolicy, ...], note: str) -> Verdict:
    what = ", ".join(policy.key.name for policy in allowing[:_NAMED]) + (", ..." if len(allowing) > _NAMED else "")
    reason = f"no rule of the ALLOW policies of the workload ({what} in {last.namespace}) allows it{note}"
    return _verdict(Outcome.DENIED, last.key, None, reason)


def _first(rules: tuple[tuple[AuthorizationPolicy, int, conditions.Compiled], ...]) -> Key | None:
    return rules[0][0].key if rules else None


def _union(masks: Iterable[int]) -> int:
    found = 0
    for mask in masks:
        found |= mask
    return found
