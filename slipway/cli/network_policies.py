"""What enforces NetworkPolicy in a cluster, as far as its objects tell."""

from collections.abc import Iterable

from slipway import reachability
from slipway.manifests.manifest import Manifest

DAEMON_SET, NODE = ("apps/v1", "DaemonSet"), ("v1", "Node")
NAMESPACE = "kube-system"
LABEL = "slipway.dev/network-policies"
# Source: install/kubernetes/cilium of Cilium 1.18, daemonset/ of kube-router 2.6, manifests/ of Calico 3.30; AKS
# documentation, use-network-policies (azure-npm).
_DAEMONS = {"cilium": reachability.Engine.CILIUM, "kube-router": reachability.Engine.KUBE_ROUTER}
_OTHERS = frozenset({"calico-node", "canal", "rke2-canal", "azure-npm", "antrea-agent", "weave-net"})


def enforced_by(manifests: Iterable[Manifest], *, stated: str) -> reachability.Engine:
    """Return what enforces NetworkPolicy: what is stated, the nodes' label, its DaemonSet, or what k3s brings."""
    if stated:
        return reachability.Engine(stated)
    nodes, daemons = list[Manifest](), set[str]()
    for item in manifests:
        if item.kind == NODE[1]:
            nodes.append(item)
        elif item.kind == DAEMON_SET[1] and item.namespace == NAMESPACE:
            daemons.add(item.name)
    labels = {item.labels.get(LABEL, "") for item in nodes}
    if len(labels) == 1 and (label := labels.pop()) in {item.value for item in reachability.Engine}:
        return reachability.Engine(label)
    known = {_DAEMONS[name] for name in daemons & _DAEMONS.keys()}
    if known or daemons & _OTHERS:
        return known.pop() if len(known) == 1 and not daemons & _OTHERS else reachability.Engine.UNKNOWN
    # Source: k3s documentation, networking/networking-services, "Network Policy Controller" (kube-router's library).
    if nodes and all("+k3s" in _version(item) for item in nodes):
        return reachability.Engine.KUBE_ROUTER
    return reachability.Engine.UNKNOWN


def _version(node: Manifest) -> str:
    return str(((node.body.get("status") or {}).get("nodeInfo") or {}).get("kubeletVersion", ""))
