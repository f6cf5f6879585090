"""Policies that select no workload: they protect nothing, and what they were meant for is open."""

from collections.abc import Iterable, Mapping, Sequence

from slipway.diagnostics import Collector, catalogue, wording
from slipway.reachability.answers import Key
from slipway.reachability.network_selectors import selector_matches
from slipway.reachability.objects import AuthorizationPolicy, Expression, Workload
from slipway.reachability.world import World


def stop_on_idle(world: World) -> None:
    """Raise DiagnosticsError (MESH0504) for policies of security, Sidecars and NetworkPolicies without a workload.

    A selector in the root namespace finds workloads everywhere for an AuthorizationPolicy or RequestAuthentication,
    and nothing at all for a PeerAuthentication. Source: istio 1.29.1 pilot/pkg/model/policyattachment.go and
    authentication.go (`addPeerAuthentication`).
    """
    collector = Collector()
    for key, stated, namespaces in _selecting(world):
        if not any(world.selected(namespace, stated) for namespace in namespaces):
            candidates = [item for namespace in namespaces for item in _inside(world, namespace)]
            _report(key, stated, candidates, collector)
    for policy in world.network_policies:
        pods = [item for item in _inside(world, policy.namespace) if not item.machine]
        if not any(selector_matches(policy.pods, item.labels) for item in pods):
            _report(policy.key, policy.pods.labels, pods, collector, expressions=policy.pods.expressions)
    collector.stop_on_errors()


def _inside(world: World, namespace: str) -> list[Workload]:
    return [world.workloads[index] for index in world.workloads_in.get(namespace, ())]


def _selecting(world: World) -> Iterable[tuple[Key, Mapping[str, str], Sequence[str]]]:
    """Return each object with a selector, and the namespaces in which it looks."""
    policies = (*world.authorization_policies, *world.request_authentications)
    everywhere = [item for item in policies if item.namespace == world.mesh.root_namespace]
    here = [item for item in policies if item.namespace != world.mesh.root_namespace]
    for item in everywhere:
        if item.selector and not item.targeted:
            yield item.key, item.selector, tuple(world.workloads_in)
    for item in (*here, *world.peer_authentications, *world.sidecars):
        targeted = isinstance(item, AuthorizationPolicy) and item.targeted
        if item.selector and not targeted:
            ignored = item.key.kind == "PeerAuthentication" and item.namespace == world.mesh.root_namespace
            yield item.key, item.selector, () if ignored else (item.namespace,)


def _report(
    key: Key,
    stated: Mapping[str, str],
    candidates: Iterable[Workload],
    collector: Collector,
    *,
    expressions: Iterable[Expression] = (),
) -> None:
    labels = {f"{name}: {value}" for item in candidates for name, value in item.labels.items()}
    wrong = next((text for text in _texts(stated) if text not in labels), "")
    near = collector.nearest(wrong, labels) if wrong else None
    hint = f"did you mean {wording.quoted(near)}?" if near else f"workloads here have: {wording.listed(labels)}"
    sentence = f"{key} selects no workload, so it protects nothing"
    written = [f"{item.key} {item.operator} {list(item.values)}" for item in expressions]
    shown = ", ".join([*_texts(stated), *written])
    collector.report(catalogue.SELECTS_NOTHING, sentence, span=key.span, path="spec", found=shown, hint=hint)


def _texts(labels: Mapping[str, str]) -> list[str]:
    return [f"{name}: {value}" for name, value in sorted(labels.items())]
