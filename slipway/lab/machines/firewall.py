"""Enforce a machine's network security group at its port of the fabric, outside of the machine's reach."""

from slipway.lab import instance as instances
from slipway.lab import network
from slipway.lab.machines import network_security, record

_TIMEOUT_S = 20.0


def apply(instance: instances.Instance, spec: record.MachineSpec) -> None:
    """Replace the machine's rules by the declared ones. They are there before the machine first boots."""
    fabric = ["ip", "link", "set", "dev", network.BRIDGE, "type", "bridge", "nf_call_iptables", "1"]
    network.run(instance, instances.FABRIC, fabric, timeout_s=_TIMEOUT_S)
    text = network_security.render(spec.nsg, address=spec.address, port=network.port_name(spec.name))
    _load(instance, text)


def remove(instance: instances.Instance, name: str) -> None:
    """Remove the machine's rules; it is fine when there are none."""
    if instances.FABRIC in network.hosts(instance):
        _load(instance, network_security.render_removal(network.port_name(name)))


def _load(instance: instances.Instance, text: str) -> None:
    argv = ["nft", "--file", "-"]
    network.run(instance, instances.FABRIC, argv, timeout_s=_TIMEOUT_S, stdin=text.encode())
