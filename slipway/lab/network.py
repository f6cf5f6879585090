"""Network namespaces on one bridge: who is a host of the lab, with which addresses, and how to run something there.

Every host is a namespace `slipway-<instance>-<host>` whose `eth0` ends as a port of the bridge `fabric` in the
namespace `slipway-<instance>-fabric`. No namespace has a way out of the computer. What was created is known by
records in the state folder that are written first and deleted last, so that work that was cut off is found again.
"""

import hashlib
import ipaddress
import json
from collections.abc import Mapping, Sequence
from pathlib import Path

from slipway.lab import instance as instances
from slipway.lab import namespaces
from slipway.world import process

NAMESPACE_FOLDER = namespaces.FOLDER
BRIDGE = "fabric"
INTERFACE = "eth0"
_TIMEOUT_S = 20.0
_HOST_SETTINGS = (
    "net.ipv6.conf.all.disable_ipv6=1",
    "net.ipv6.conf.default.disable_ipv6=1",
    "net.ipv4.conf.all.rp_filter=0",
    "net.ipv4.conf.default.rp_filter=0",
    "net.ipv4.conf.all.send_redirects=0",
    "net.ipv4.conf.default.send_redirects=0",
    "net.ipv4.conf.all.accept_redirects=0",
    "net.ipv4.conf.default.accept_redirects=0",
)
_FABRIC_SETTINGS = (
    "net.ipv6.conf.all.disable_ipv6=1",
    "net.ipv6.conf.default.disable_ipv6=1",
    "net.bridge.bridge-nf-call-iptables=0",
    "net.bridge.bridge-nf-call-arptables=0",
)


def create(instance: instances.Instance) -> None:
    """Make the fabric: its namespace and its bridge. Repeating it changes nothing.

    Raises :class:`LabError` when a lab of that name exists whose state is in another folder.
    """
    refuse_foreign(instance)
    _record(instance, instances.FABRIC)
    namespace = instance.namespace(instances.FABRIC)
    namespaces.make(namespace, _FABRIC_SETTINGS)
    if BRIDGE not in namespaces.links(namespace):
        namespaces.batch(namespace, [f"link add name {BRIDGE} type bridge stp_state 0 forward_delay 0"])
    namespaces.batch(namespace, [f"link set dev {BRIDGE} alias {_mark(instance)}", f"link set dev {BRIDGE} up"])


def attach(instance: instances.Instance, host: str, addresses: Sequence[str], default_via: str | None = None) -> str:
    """Make ``host`` part of the fabric and return the name of its port there (at most 15 characters).

    ``addresses`` are written with their prefix length (``10.60.2.11/16``), the first is the one that the host
    sends from. The host reaches pods by the node unless they are in an overlay, and the platform's resolver and
    metadata by the platform.
    Repeating it adds what is missing and removes no address.
    """
    namespace, fabric = instance.namespace(host), instance.namespace(instances.FABRIC)
    port = port_name(host)
    _record(instance, host)
    namespaces.make(namespace, _HOST_SETTINGS)
    ports = namespaces.links(fabric)
    if INTERFACE not in namespaces.links(namespace) or port not in ports:
        if port in ports:
            namespaces.batch(fabric, [f"link del dev {port}"])
        if INTERFACE in namespaces.links(namespace):
            namespaces.batch(namespace, [f"link del dev {INTERFACE}"])
        peer = f"peer name {INTERFACE} address {_hardware_address(addresses[0])} netns {namespace}"
        namespaces.batch(fabric, [f"link add name {port} type veth {peer}"])
    namespaces.batch(fabric, [f"link set dev {port} alias {host} master {BRIDGE} up"])
    lines = [f"address replace {address} dev {INTERFACE}" for address in addresses]
    namespaces.batch(namespace, [*lines, f"link set dev {INTERFACE} up", *_routes(instance, host, default_via)])
    return port


def _hardware_address(address: str) -> str:
    """Return the hardware address of an IPv4 address, so that a host that was switched off comes back with its own.

    With another one, whoever knew it before sends into the void until its neighbour cache has noticed.
    """
    return "02:00:" + ipaddress.IPv4Interface(address).packed.hex(":")


def detach(instance: instances.Instance, host: str) -> None:
    """Remove ``host`` with every process that still runs in its namespace. A host that is not there is fine."""
    namespace, fabric = instance.namespace(host), instance.namespace(instances.FABRIC)
    if namespaces.is_there(namespace):
        namespaces.end_processes(namespace)
    if namespaces.is_there(fabric) and port_name(host) in namespaces.links(fabric):
        namespaces.batch(fabric, [f"link del dev {port_name(host)}"])
    namespaces.remove(namespace)
    (_records(instance) / host).unlink(missing_ok=True)


def destroy(instance: instances.Instance) -> None:
    """Remove every host and the fabric. A fabric that is not there is fine."""
    refuse_foreign(instance)
    for host in hosts(instance):
        if host != instances.FABRIC:
            detach(instance, host)
    detach(instance, instances.FABRIC)


def is_any_lab_up() -> bool:
    """Say whether this computer has a lab's fabric, of whatever instance and state folder."""
    return any(NAMESPACE_FOLDER.glob(f"slipway-*-{instances.FABRIC}"))


def hosts(instance: instances.Instance) -> tuple[str, ...]:
    """Return the hosts that were attached or were being attached, the fabric included, sorted."""
    folder = _records(instance)
    return tuple(sorted(entry.name for entry in folder.iterdir())) if folder.is_dir() else ()


def is_attached(instance: instances.Instance, host: str) -> bool:
    """Say whether the host's namespace, its interface and its port are all there."""
    namespace, fabric = instance.namespace(host), instance.namespace(instances.FABRIC)
    if not (namespaces.is_there(namespace) and namespaces.is_there(fabric)):
        return False
    return INTERFACE in namespaces.links(namespace) and port_name(host) in namespaces.links(fabric)


def addresses(instance: instances.Instance, host: str) -> tuple[str, ...]:
    """Return the IPv4 addresses of the host's interface, without prefix length, in the kernel's order."""
    if not is_attached(instance, host):
        return ()
    found = namespaces.links(instance.namespace(host))[INTERFACE]
    return tuple(info["local"] for info in found["addr_info"] if info["family"] == "inet")


def keep_local_addresses(wanted: Sequence[str], *, among: Sequence[str]) -> None:
    """Give the interface of the host in whose namespace this process runs the ``wanted`` of the addresses ``among``.

    Those of ``among`` that are not wanted are removed; all without prefix length.
    """
    done = process.run(["ip", "-json", "address", "show", "dev", INTERFACE], timeout_s=_TIMEOUT_S)
    present = {info["local"] for link in json.loads(done.stdout) for info in link["addr_info"]}
    lines = [f"address add {address}/32 dev {INTERFACE}" for address in wanted if address not in present]
    lines += [f"address del {address}/32 dev {INTERFACE}" for address in among if address in present - set(wanted)]
    if lines:
        text = "".join(f"{line}\n" for line in lines).encode()
        process.run(["ip", "-batch", "-"], timeout_s=_TIMEOUT_S, stdin=text)


def port_name(host: str) -> str:
    """Return the name of a host's port in the fabric: the same in every instance, at most 15 characters."""
    return f"p-{hashlib.sha256(host.encode()).hexdigest()[:12]}"


def enter(instance: instances.Instance, host: str, argv: Sequence[str]) -> tuple[str, ...]:
    """Return ``argv`` as it runs inside the host's namespace, mounts and control groups untouched.

    Not `ip netns exec`: that one mounts /sys anew and hides the control groups from kubelet and runc.
    """
    return ("nsenter", f"--net={NAMESPACE_FOLDER / instance.namespace(host)}", "--", *argv)


def run(
    instance: instances.Instance,
    host: str,
    argv: Sequence[str],
    *,
    timeout_s: float,
    env: Mapping[str, str] | None = None,
    stdin: bytes | None = None,
    check: bool = True,
    redact: Sequence[str] = (),
) -> process.Completed:
    """Run ``argv`` to its end inside the host's namespace; everything else as :func:`slipway.world.process.run`."""
    words = enter(instance, host, argv)
    return process.run(words, timeout_s=timeout_s, env=env, stdin=stdin, check=check, redact=redact)


def _routes(instance: instances.Instance, host: str, default_via: str | None) -> list[str]:
    if host == instances.NODE:  # an address without a pod is nowhere, not on the default route
        lines = [f"route replace unreachable {instances.POD_NETWORK}"]
    elif instance.has_overlay and host != instances.INTERNET:
        lines = []
    else:
        lines = [f"route replace {instances.POD_NETWORK} via {instances.NODE_ADDRESS}"]
    if host != instances.PLATFORM:
        lines += [
            f"route replace {address}/32 via {instances.PLATFORM_ADDRESS}"
            for address in (instances.RESOLVER_ADDRESS, instances.METADATA_ADDRESS)
        ]
    if default_via is not None:
        lines.append(f"route replace default via {default_via}")
    return lines


def _mark(instance: instances.Instance) -> str:
    return str(instance.state)


def refuse_foreign(instance: instances.Instance) -> None:
    """Raise :class:`LabError` when a lab of that name exists whose state is in another folder."""
    namespace = instance.namespace(instances.FABRIC)
    if not namespaces.is_there(namespace):
        return
    done = process.run(["ip", "-n", namespace, "-json", "link", "show"], timeout_s=_TIMEOUT_S)
    owner = {link["ifname"]: link.get("ifalias", "") for link in json.loads(done.stdout)}.get(BRIDGE, "")
    is_unfinished = not owner and instances.FABRIC in hosts(instance)
    if owner != _mark(instance) and not is_unfinished:
        there = Path(owner).parents[1] if owner else "an unknown folder"
        msg = (
            f"a lab named {instance.name} is there already, with its state below {there}, not {_mark(instance)}; "
            f"take it down with `SLIPWAY_STATE={there} slipway lab down {instance.name}`, or choose another name"
        )
        raise instances.LabError(msg)


def _records(instance: instances.Instance) -> Path:
    return instance.state / "network"


def _record(instance: instances.Instance, host: str) -> None:
    _records(instance).mkdir(parents=True, exist_ok=True)
    (_records(instance) / host).touch()
