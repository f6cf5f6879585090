"""Rules of network security groups: the declaration's for machines, and fixed ones between subnets.

Azure's own rules follow after these: inside the virtual network everything passes, from the internet nothing.
Source: Azure documentation, virtual-network/network-security-groups-overview, "Default security rules".
"""

from collections.abc import Iterable, Sequence

from pulumi_azure_native import network

from policies.bundles import gateways, overlay
from slipway.manifests.nsg import Access, Direction, NsgRule, Protocol
from slipway.mesh import model

HTTPS_PORT = 443
CONTROL_PLANE_PORT = 15012
SERVICES_PORT, TRACES_PORT, EGRESS_PORT = overlay.PASSTHROUGH_PORT, overlay.TRACES_PORT, gateways.EGRESS_PORT
_LAST_PRIORITY = 4096
_ANY = "*"
_INTERNET = "Internet"  # Source: Azure documentation, virtual-network/service-tags-overview
_INSIDE = "VirtualNetwork"


def of(rules: Iterable[NsgRule]) -> tuple[network.SecurityRuleArgs, ...]:
    """Return a machine's rules as Azure takes them: one list where there are several blocks or ports."""
    return tuple(_rule(item) for item in rules)


def _rule(rule: NsgRule) -> network.SecurityRuleArgs:
    inbound = rule.direction is Direction.INBOUND
    return _args(rule, sources=rule.remote if inbound else (_ANY,), targets=(_ANY,) if inbound else rule.remote)


def _args(rule: NsgRule, *, sources: Sequence[str], targets: Sequence[str]) -> network.SecurityRuleArgs:
    return network.SecurityRuleArgs(
        name=rule.name.replace("/", "-"),
        description=rule.description or None,
        priority=rule.priority,
        direction=rule.direction.value,
        access=rule.access.value,
        protocol=rule.protocol.value,
        source_port_range=_ANY,
        source_address_prefix=_single(sources),
        source_address_prefixes=_several(sources),
        destination_address_prefix=_single(targets),
        destination_address_prefixes=_several(targets),
        destination_port_range=_single(rule.ports),
        destination_port_ranges=_several(rule.ports),
    )


def _single(items: Sequence[str]) -> str | None:
    return items[0] if len(items) == 1 else None


def _several(items: Sequence[str]) -> list[str] | None:
    return [*items] if len(items) > 1 else None


def no_internet() -> tuple[network.SecurityRuleArgs, ...]:
    """Refuse what leaves the virtual network, whatever else may pass."""
    rule = _fixed("deny-internet", 4000, Direction.OUTBOUND, Access.DENY)
    return (_args(rule, sources=(_ANY,), targets=(_INTERNET,)),)


def endpoints(plan: model.Network) -> tuple[network.SecurityRuleArgs, ...]:
    """Let machines and pods ask private endpoints over TLS, and nobody else anything."""
    allow = _fixed("allow-tls", 100, Direction.INBOUND, Access.ALLOW, tcp_port=HTTPS_PORT)
    return (
        _args(allow, sources=(plan.machines, plan.pods, plan.nodes), targets=(_ANY,)),
        _args(_denied_in(), sources=(_ANY,), targets=(_ANY,)),
    )


def nodes(plan: model.Network) -> tuple[network.SecurityRuleArgs, ...]:
    """Of the nodes' load balancers, machines reach istiod's and nobody else does; machines reach no node.

    A packet arrives at a node with the load balancer's address and port in it.
    Source: cloud-provider-azure, `enableFloatingIP` of its rules.
    """
    balancer = f"{plan.control_plane}/32"
    allow = _fixed("allow-istiod", 100, Direction.INBOUND, Access.ALLOW, tcp_port=CONTROL_PLANE_PORT)
    others = _fixed("deny-istiod", 110, Direction.INBOUND, Access.DENY)
    rest = _fixed("deny-machines", 120, Direction.INBOUND, Access.DENY)
    return (
        _args(allow, sources=(plan.machines,), targets=(balancer,)),
        *(_doors(plan) if plan.overlay else ()),
        _args(others, sources=(_INSIDE,), targets=(balancer,)),
        _args(rest, sources=(plan.machines,), targets=(plan.nodes,)),
    )


def _doors(plan: model.Network) -> tuple[network.SecurityRuleArgs, ...]:
    """Let machines, and nobody else, reach what they have in place of pods: gateways' load balancers."""
    east_west, egress = (f"{plan.control_plane}/32",), (f"{plan.egress}/32",)
    doors = (("services", 101, SERVICES_PORT, east_west), ("traces", 102, TRACES_PORT, east_west))
    allowed = [
        _args(
            _fixed(f"allow-{name}", priority, Direction.INBOUND, Access.ALLOW, tcp_port=port),
            sources=(plan.machines,),
            targets=targets,
        )
        for name, priority, port, targets in (*doors, ("egress", 103, EGRESS_PORT, egress))
    ]
    others = _fixed("deny-egress", 111, Direction.INBOUND, Access.DENY)
    return (*allowed, _args(others, sources=(_INSIDE,), targets=egress))


def _denied_in() -> NsgRule:
    return _fixed("deny-inbound", _LAST_PRIORITY, Direction.INBOUND, Access.DENY)


def _fixed(name: str, priority: int, direction: Direction, access: Access, *, tcp_port: int | None = None) -> NsgRule:
    """Return a rule over one TCP port, or over everything."""
    return NsgRule(
        name=name,
        priority=priority,
        direction=direction,
        access=access,
        protocol=Protocol.ANY if tcp_port is None else Protocol.TCP,
        remote=(),
        ports=(_ANY,) if tcp_port is None else (str(tcp_port),),
    )
