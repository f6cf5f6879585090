"""What rules of NetworkPolicies name: pods by labels, ports by number, range and name.

Source: Kubernetes 1.34 networking.k8s.io/v1 NetworkPolicyPeer and NetworkPolicyPort, meta/v1 LabelSelector.
"""

from collections.abc import Mapping

from slipway.reachability.objects import LabelSelector, Peer, PolicyPort, PolicyRule, Workload
from slipway.reachability.world import World


def port_listed(rule: PolicyRule, port: int, names: Mapping[str, int]) -> bool:
    """Return whether a rule covers a TCP port; ``names`` are the destination's named ports."""
    return not rule.ports or any(_port_matches(item, port, names) for item in rule.ports)


def _port_matches(item: PolicyPort, port: int, names: Mapping[str, int]) -> bool:
    if item.protocol != "TCP":
        return False
    if item.port is None:
        return True
    if isinstance(item.port, str):
        return names.get(item.port) == port
    return item.port <= port <= (item.end or item.port)


def pod_matches(world: World, peer: Peer, namespace: str, workload: Workload) -> bool:
    """Return whether a peer of a policy in ``namespace`` names the pod."""
    if peer.namespaces is None:
        if workload.namespace != namespace:
            return False
    elif not selector_matches(peer.namespaces, world.namespaces.get(workload.namespace, {})):
        return False
    return peer.pods is None or selector_matches(peer.pods, workload.labels)


def selector_matches(selector: LabelSelector, labels: Mapping[str, str]) -> bool:
    """Return whether a Kubernetes label selector matches."""
    for key, value in selector.labels.items():
        if labels.get(key) != value:
            return False
    for item in selector.expressions:
        holds = {
            "In": labels.get(item.key) in item.values,
            "NotIn": labels.get(item.key) not in item.values,
            "Exists": item.key in labels,
            "DoesNotExist": item.key not in labels,
        }.get(item.operator, False)
        if not holds:
            return False
    return True
