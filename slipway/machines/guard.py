"""A machine's guard as nftables rules: closed unless stated, whatever the sidecar does.

Order of the kernel's hooks (Source: nft(8), "Table 7: Standard priority names"): the sidecar's capture rewrites
destinations at priority -100, in PREROUTING for what comes in and in OUTPUT for what applications send; the guard's
chains look at priority 0, after it. So a captured inbound connection arrives here with destination port 15006 and
its real port only in the connection tracking entry, and a captured outbound one leaves to 127.0.0.1. While the
capture rules are missing neither is true, and both are refused.
"""

from slipway.manifests import guard

TABLE = "slipway_guard"
SIDECAR_USER = 1337  # made with this number by the user-data, so that the guard never depends on a name lookup
CAPTURE_PORT = 15006  # Source: istio 1.29.1, tools/common/config/config.go `InboundCapturePort`
PASSTHROUGH_SOURCE = "127.0.0.6"  # Source: istio 1.29.1, pilot/pkg/networking/util `InboundPassthroughBindIpv4`
# Azure's agent talks to its host here. Source: Azure documentation, virtual-network/what-is-ip-address-168-63-129-16.
WIRE_SERVER = "168.63.129.16"
WIRE_SERVER_PORTS = (80, 32526)


def render(policy: guard.GuardPolicy) -> str:
    """Return the text for ``nft --file``: one transaction that replaces the guard's table by the stated one."""
    return _table(
        sets=(f"set resolver_users {{ typeof meta skuid; elements = {{ 0, {SIDECAR_USER} }} }}",),
        inbound=_inbound(policy),
        outbound=_outbound(policy),
        comment=f"guard of {policy.machine}",
    )


def render_closed() -> str:
    """Return the guard that is loaded first: only loopback passes, nothing in it can fail to load."""
    return _table(sets=(), inbound=(), outbound=(), comment="closed until the machine's own guard is loaded")


def _table(*, sets: tuple[str, ...], inbound: tuple[str, ...], outbound: tuple[str, ...], comment: str) -> str:
    return "\n".join(
        (
            f"# {comment}",
            f"table inet {TABLE}",
            f"delete table inet {TABLE}",
            f"table inet {TABLE} {{",
            *(f"  {line}" for line in sets),
            "  chain inbound {",
            "    type filter hook input priority filter; policy drop;",
            '    iif "lo" accept',
            *(f"    {line}" for line in inbound),
            "    counter",
            "  }",
            "  chain outbound {",
            "    type filter hook output priority filter; policy drop;",
            *(f"    {line}" for line in outbound),
            '    oif "lo" accept',
            "    counter meta l4proto tcp reject with tcp reset",
            "    counter reject with icmpx admin-prohibited",
            "  }",
            "  chain through {",
            "    type filter hook forward priority filter; policy drop;",
            "  }",
            "}",
            "",
        )
    )


def _inbound(policy: guard.GuardPolicy) -> tuple[str, ...]:
    lines = [
        "ct state established,related accept",
        "ct state invalid drop",
        "udp sport 67 udp dport 68 accept",
    ]
    lines += [f"ip saddr {source.cidr} {_tcp(source.ports)} accept" for source in policy.administration]
    captured = f"tcp dport {CAPTURE_PORT} ct status dnat"
    if policy.other_inbound is guard.Inbound.OPEN:
        lines.append("meta nfproto ipv4 accept")
    elif policy.other_inbound is guard.Inbound.CAPTURED:
        lines.append(f"{captured} accept")
    elif policy.captured_ports:
        lines.append(f"{captured} ct original proto-dst {_numbers(policy.captured_ports)} accept")
    return tuple(lines)


def _outbound(policy: guard.GuardPolicy) -> tuple[str, ...]:
    lines = [
        f"ip saddr {PASSTHROUGH_SOURCE} meta skuid != {SIDECAR_USER} counter drop",
        "ip daddr 127.0.0.0/8 accept",
        "ct state established,related accept",
        "udp sport 68 udp dport 67 accept",
        f"ip daddr {policy.resolver} meta l4proto {{ tcp, udp }} th dport 53 meta skuid @resolver_users accept",
        f"ip daddr {policy.metadata} tcp dport 80 meta skuid 0 accept",
    ]
    if policy.resolver == WIRE_SERVER:
        lines.append(f"ip daddr {WIRE_SERVER} tcp dport {_numbers(WIRE_SERVER_PORTS)} meta skuid 0 accept")
    services = (policy.vault, policy.archive)
    lines += [f"ip daddr {item} tcp dport 443 meta skuid 0 accept" for item in services if item]
    lines += [f"meta skuid {SIDECAR_USER} ip daddr {reach.cidr} {_tcp(reach.ports)} accept" for reach in policy.mesh]
    if policy.outbound is guard.Outbound.OPEN:
        lines.append("meta nfproto ipv4 accept")
    return tuple(lines)


def _tcp(ports: tuple[int, ...]) -> str:
    """Return the match of TCP to some ports, or to every one when none is named: nft takes no empty set."""
    return f"tcp dport {_numbers(ports)}" if ports else "meta l4proto tcp"


def _numbers(ports: tuple[int, ...]) -> str:
    return f"{{ {', '.join(str(port) for port in ports)} }}"
