"""Pods in an overlay, as an instance may have them: machines have no way to their addresses, and see the node's.

The wire refuses pods' addresses, whatever a machine does to its own routes, and the node gives its own address to
what leaves it. Towards the internet pods keep theirs, so that it can be seen which of them sent: there the lab's
internet plays a NAT gateway of each node pool.
Source: AKS documentation, concepts-network-cni-overview, "Feature comparison", and azure-cni-overlay.
"""

from slipway.lab import instance as instances
from slipway.lab import network, texts

_TABLE = "slipway_overlay"
_TIMEOUT_S = 20.0


def choose(instance: instances.Instance) -> None:
    """Have a lab that is not there yet keep pods and machines apart.

    Raises LabError for one that is there and does not.
    """
    if instance.has_overlay:
        return
    if network.hosts(instance):
        msg = (
            f"the lab {instance.name} is there, and its machines reach pods; that cannot be changed: take it down "
            f"with `slipway lab down {instance.name}`, or choose another name"
        )
        raise instances.LabError(msg)
    instance.state.mkdir(parents=True, exist_ok=True)
    texts.write(instance.overlay_mark, "")


def apply(instance: instances.Instance) -> None:
    """Load the rules of the wire and of the node; a lab without an overlay has none. Repeating it changes nothing."""
    if not instance.has_overlay:
        return
    for host, text in ((instances.NODE, node_rules()), (instances.FABRIC, wire_rules())):
        network.run(instance, host, ["nft", "--file", "-"], timeout_s=_TIMEOUT_S, stdin=text.encode())


def node_rules() -> str:
    """Return the text for ``nft --file`` on the node: what pods send into the virtual network has its address."""
    inside = f"{instances.FABRIC_NETWORK}, {instances.RESOLVER_ADDRESS}, {instances.METADATA_ADDRESS}"
    leaving = f'oifname "{network.INTERFACE}" ip saddr {instances.POD_NETWORK} ip daddr {{ {inside} }}'
    hook = "type nat hook postrouting priority srcnat; policy accept;"
    return _replaced("ip", "leaving", hook, f"{leaving} masquerade")


def wire_rules() -> str:
    """Return the text for ``nft --file`` on the wire: pods' addresses are none there, but for the internet."""
    internet, pods = network.port_name(instances.INTERNET), instances.POD_NETWORK
    return _replaced(
        "bridge",
        "wire",
        "type filter hook forward priority filter; policy accept;",
        f'iifname != "{internet}" ether type ip ip daddr {pods} counter drop',
        f'oifname != "{internet}" ether type ip ip saddr {pods} counter drop',
    )


def _replaced(family: str, chain: str, *lines: str) -> str:
    """Return one transaction that puts a chain into a table of its own, whatever was in that before."""
    body = "".join(f"    {line}\n" for line in lines)
    table = f"table {family} {_TABLE}"
    return f"{table}\ndelete {table}\n{table} {{\n  chain {chain} {{\n{body}  }}\n}}\n"
