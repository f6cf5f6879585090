# ruff: noqa: INP001 - part of a program for another computer, not of the toolkit
"""TCP connections of this computer: which there are, and how the kernel's connection tracking learns of them.

A kernel tracks connections only from the moment that some rule asks for it. One that is older would look like a new
one to the first rule that sees it in its middle: redirected to the sidecar, which knows nothing of it, or refused by
the guard. So those that are open are told to the tracking, as established ones, before any such rule is loaded.

Source: Linux, Documentation/networking/proc_net_tcp.rst; include/uapi/linux/netfilter/nfnetlink_conntrack.h;
conntrack(8), "--create".
"""

import socket
import struct
from dataclasses import dataclass
from pathlib import Path

PROC = Path("/proc/net")
ESTABLISHED, LISTENING = 0x01, 0x0A
_UNCONNECTED = 0x07  # UDP
_MAPPED = "::ffff:"
_NETLINK_NETFILTER = 12
_CREATE = (1 << 8) | 0  # NFNL_SUBSYS_CTNETLINK, IPCTNL_MSG_CT_NEW
_REQUEST, _ACK, _CREATE_OR_CHANGE = 0x1, 0x4, 0x400
_NESTED = 0x8000
_TUPLE_ORIGINAL, _TUPLE_REPLY, _STATUS, _PROTOCOL_INFO, _TIMEOUT = 1, 2, 3, 4, 7
_SEEN_REPLY, _ASSURED, _CONFIRMED = 1 << 1, 1 << 2, 1 << 3
_STATE_ESTABLISHED = 3
_LIBERAL = 0x08  # its sequence numbers were never seen: IP_CT_TCP_FLAG_BE_LIBERAL
_TIMEOUT_S = 432_000  # as every established connection: net.netfilter.nf_conntrack_tcp_timeout_established
_ERROR = 2  # NLMSG_ERROR


@dataclass(frozen=True)
class Socket:
    """One line of /proc/net: addresses as text, IPv4 ones also where the socket itself is of IPv6."""

    protocol: str
    local: str
    port: int
    remote: str
    remote_port: int
    state: int
    inode: int


def sockets() -> list[Socket]:
    """Return every TCP and UDP socket of this computer's network."""
    found = []
    for name in ("tcp", "tcp6", "udp", "udp6"):
        path = PROC / name
        lines = path.read_text().splitlines()[1:] if path.exists() else []
        found += [read_line(name[:3], line) for line in lines]
    return found


def read_line(protocol: str, line: str) -> Socket:
    """Return one line of /proc/net/tcp and its siblings."""
    words = line.split()
    local, port = _end(words[1])
    remote, remote_port = _end(words[2])
    return Socket(protocol, local, port, remote, remote_port, int(words[3], 16), int(words[9]))


def listening(found: list[Socket]) -> list[Socket]:
    """Return those that wait for others."""
    return [
        item
        for item in found
        if (item.protocol == "tcp" and item.state == LISTENING)
        or (item.protocol == "udp" and item.state == _UNCONNECTED)
    ]


def established(found: list[Socket]) -> list[Socket]:
    """Return the TCP connections with other computers."""
    return [
        item
        for item in found
        if item.protocol == "tcp" and item.state == ESTABLISHED and not is_loopback(item.remote)
    ]


def is_loopback(address: str) -> bool:
    """Whether an address never leaves this computer."""
    return address.startswith("127.") or address == "::1"


def adopt(found: list[Socket]) -> int:
    """Tell the kernel's connection tracking of every IPv4 connection of ``found``; return how many there were.

    The listener's side is the one that answers. One that it knows already is set to the same. Raises OSError.
    """
    ports = {item.port for item in listening(found) if item.protocol == "tcp"}
    known = [item for item in established(found) if ":" not in item.remote]
    if not known:
        return 0
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, _NETLINK_NETFILTER) as kernel:
        kernel.bind((0, 0))
        for number, item in enumerate(known, start=1):
            here, there = (item.local, item.port), (item.remote, item.remote_port)
            opened_there = item.port in ports
            kernel.send(message(number, *((there, here) if opened_there else (here, there))))
            _acknowledged(kernel.recv(65536), item)
    return len(known)


def message(number: int, client: tuple[str, int], server: tuple[str, int]) -> bytes:
    """Return the request that makes a connection from ``client`` to ``server`` known as established."""
    flags = _attribute(2, struct.pack("BB", _LIBERAL, _LIBERAL)), _attribute(3, struct.pack("BB", _LIBERAL, _LIBERAL))
    state = _attribute(1, struct.pack("B", _STATE_ESTABLISHED)) + flags[0] + flags[1]
    body = b"".join(
        (
            struct.pack("!BBH", socket.AF_INET, 0, 0),
            _tuple(_TUPLE_ORIGINAL, client, server),
            _tuple(_TUPLE_REPLY, server, client),
            _attribute(_STATUS, struct.pack("!I", _SEEN_REPLY | _ASSURED | _CONFIRMED)),
            _attribute(_PROTOCOL_INFO | _NESTED, _attribute(1 | _NESTED, state)),
            _attribute(_TIMEOUT, struct.pack("!I", _TIMEOUT_S)),
        )
    )
    return struct.pack("=IHHII", 16 + len(body), _CREATE, _REQUEST | _ACK | _CREATE_OR_CHANGE, number, 0) + body


def _tuple(kind: int, source: tuple[str, int], destination: tuple[str, int]) -> bytes:
    addresses = _attribute(1, socket.inet_aton(source[0])) + _attribute(2, socket.inet_aton(destination[0]))
    ports = b"".join(
        (
            _attribute(1, struct.pack("B", socket.IPPROTO_TCP)),
            _attribute(2, struct.pack("!H", source[1])),
            _attribute(3, struct.pack("!H", destination[1])),
        )
    )
    return _attribute(kind | _NESTED, _attribute(1 | _NESTED, addresses) + _attribute(2 | _NESTED, ports))


def _attribute(kind: int, value: bytes) -> bytes:
    return struct.pack("=HH", 4 + len(value), kind) + value + b"\0" * (-len(value) % 4)


def _acknowledged(answer: bytes, item: Socket) -> None:
    kind = struct.unpack_from("=H", answer, 4)[0]
    error = -struct.unpack_from("=i", answer, 16)[0] if kind == _ERROR else 0
    if error:
        raise OSError(error, f"connection tracking refuses {item.remote}:{item.remote_port} to port {item.port}")


def _end(text: str) -> tuple[str, int]:
    address, _, port = text.partition(":")
    words = struct.pack(
        f"<{len(address) // 8}I", *(int(address[at : at + 8], 16) for at in range(0, len(address), 8))
    )
    family = socket.AF_INET if len(words) == 4 else socket.AF_INET6  # noqa: PLR2004 - bytes of an IPv4 address
    return socket.inet_ntop(family, words).removeprefix(_MAPPED), int(port, 16)
