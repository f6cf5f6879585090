"""A machine's network interface: plugged in with each boot anew, and down until the machine itself brings it up."""

import json
from typing import Any

from slipway.lab import instance as instances
from slipway.lab import network
from slipway.lab.machines import record

_TIMEOUT_S = 20.0


def plug(instance: instances.Instance, spec: record.MachineSpec) -> tuple[str, ...]:
    """Give the machine a fresh network stack, and return the commands (``ip -batch``) that bring it up.

    Rules, connections and routes of an earlier boot are gone with the old namespace, as they are on a computer of
    its own that was switched off. Without the commands nothing comes in or goes out.
    """
    network.detach(instance, spec.name)
    network.attach(instance, spec.name, [instances.on_fabric(spec.address)], instances.INTERNET_ADDRESS)
    argv = ["ip", "-json", "route", "show", "dev", network.INTERFACE]
    routes = json.loads(network.run(instance, spec.name, argv, timeout_s=_TIMEOUT_S).stdout)
    down = ["ip", "link", "set", "dev", network.INTERFACE, "down"]
    network.run(instance, spec.name, down, timeout_s=_TIMEOUT_S)
    return (f"link set dev {network.INTERFACE} up", *(_route(route) for route in routes if "gateway" in route))


def _route(route: dict[str, Any]) -> str:
    return f"route replace {route['dst']} via {route['gateway']} dev {network.INTERFACE}"
