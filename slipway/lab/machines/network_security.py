"""A machine's network security group as nftables rules at its port of the fabric. Pure.

What is modelled of Azure: rules in order of priority, the first that matches decides; answers of allowed flows pass;
after the declared rules the default ones (virtual network to virtual network, anything to the internet, nothing else
inbound); traffic to the platform's DNS, metadata and wire server is not subject to the rules; a machine sends only
from its own address. Not modelled: service tags, application security groups, load balancer probes, flow time-outs.
Source: Azure documentation, network-security-groups-overview ("Default security rules", "Azure platform
considerations") and how-network-security-group-works.
"""

from collections.abc import Sequence

from slipway.manifests import nsg

_VIRTUAL_NETWORK = ("10.60.0.0/16", "10.61.0.0/16")  # pods have addresses of the network, as with AKS Pod Subnet
_PLATFORM = (
    "ip daddr 168.63.129.16 meta l4proto { tcp, udp } th dport 53 accept",
    "ip daddr 168.63.129.16 tcp dport { 80, 32526 } accept",
    "ip daddr 169.254.169.254 tcp dport 80 accept",
)
DEFAULT_RULES = (
    nsg.NsgRule(
        name="AllowVnetInBound",
        priority=65000,
        direction=nsg.Direction.INBOUND,
        access=nsg.Access.ALLOW,
        protocol=nsg.Protocol.ANY,
        remote=_VIRTUAL_NETWORK,
        ports=("*",),
    ),
    nsg.NsgRule(
        name="DenyAllInBound",
        priority=65500,
        direction=nsg.Direction.INBOUND,
        access=nsg.Access.DENY,
        protocol=nsg.Protocol.ANY,
        remote=("*",),
        ports=("*",),
    ),
    nsg.NsgRule(
        name="AllowVnetOutBound",
        priority=65000,
        direction=nsg.Direction.OUTBOUND,
        access=nsg.Access.ALLOW,
        protocol=nsg.Protocol.ANY,
        remote=_VIRTUAL_NETWORK,
        ports=("*",),
    ),
    nsg.NsgRule(
        name="AllowInternetOutBound",
        priority=65001,
        direction=nsg.Direction.OUTBOUND,
        access=nsg.Access.ALLOW,
        protocol=nsg.Protocol.ANY,
        remote=("*",),
        ports=("*",),
    ),
)


def table_name(port: str) -> str:
    """Return the name of the tables that belong to a port of the fabric."""
    return f"slipway_nsg_{port.replace('-', '_')}"


def render(rules: Sequence[nsg.NsgRule], *, address: str, port: str) -> str:
    """Return the text for ``nft --file`` in the fabric's namespace, which replaces the machine's rules at once.

    ``address`` is the machine's IPv4 address, ``port`` the name of its interface in the fabric's bridge. The bridge
    hands IPv4 packets to the IP hooks (`nf_call_iptables`), since this kernel has no connection tracking in the
    bridge family; the bridge table keeps the address honest.
    """
    table = table_name(port)
    return "\n".join(
        (
            f"table bridge {table}",
            f"delete table bridge {table}",
            f"table bridge {table} {{",
            "  chain own_address {",
            "    type filter hook prerouting priority -300; policy accept;",
            f'    iifname != "{port}" accept',
            f"    ether type ip ip saddr {address} accept",
            f"    arp saddr ip {address} accept",
            "    counter drop",
            "  }",
            "}",
            f"table ip {table}",
            f"delete table ip {table}",
            f"table ip {table} {{",
            "  chain inbound {",
            *(f"    {line}" for line in _direction(rules, nsg.Direction.INBOUND)),
            "  }",
            "  chain outbound {",
            *(f"    {line}" for line in (*_PLATFORM, *_direction(rules, nsg.Direction.OUTBOUND))),
            "  }",
            "  chain forward {",
            "    type filter hook forward priority filter; policy accept;",
            f"    ip daddr {address} ct state established,related accept",
            f"    ip saddr {address} ct state established,related accept",
            f"    ip daddr {address} jump inbound",
            f"    ip saddr {address} jump outbound",
            "  }",
            "}",
            "",
        )
    )


def render_removal(port: str) -> str:
    """Return the text for ``nft --file`` that removes a machine's rules; it is fine when there are none."""
    table = table_name(port)
    return "".join(f"table {family} {table}\ndelete table {family} {table}\n" for family in ("bridge", "ip"))


def _direction(rules: Sequence[nsg.NsgRule], direction: nsg.Direction) -> list[str]:
    chosen = [rule for rule in (*rules, *DEFAULT_RULES) if rule.direction is direction]
    lines = [_rule(rule) for rule in sorted(chosen, key=lambda rule: (rule.priority, rule.name))]
    return [*lines, "counter drop"]


def _rule(rule: nsg.NsgRule) -> str:
    words: list[str] = []
    if rule.remote != ("*",):
        side = "saddr" if rule.direction is nsg.Direction.INBOUND else "daddr"
        words.append(f"ip {side} {{ {', '.join(sorted(set(rule.remote)))} }}")
    transport = rule.protocol.value.lower()
    if rule.ports != ("*",):
        protocol = "meta l4proto { tcp, udp } th" if rule.protocol is nsg.Protocol.ANY else transport
        words.append(f"{protocol} dport {{ {', '.join(rule.ports)} }}")
    elif rule.protocol is not nsg.Protocol.ANY:
        words.append(f"meta l4proto {transport}")
    verdict = "accept" if rule.access is nsg.Access.ALLOW else "drop"
    return " ".join((*words, "counter", verdict, f'comment "{rule.priority} {rule.name}"'))
