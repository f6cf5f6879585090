"""Doors from this computer's loopback interface into the lab: the API server, the ingress gateway, Zipkin.

Listening sockets are opened here, then the process enters the lab's namespace and connects from there: a socket
stays in the namespace in which it was made.
"""

import asyncio
import contextlib
import json
import os
import socket
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from slipway.lab import instance as instances
from slipway.lab import network, supervision, texts

API_SERVER, INGRESS_HTTP, INGRESS_HTTPS, ZIPKIN = "apiserver", "ingress-http", "ingress-https", "zipkin"
_CHUNK_BYTES = 65536
_CONNECT_TIMEOUT_S = 5.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Forward:
    """One door: connections to the loopback port go on from ``host`` to ``address``:``port``."""

    name: str
    host: str
    address: str
    port: int


FORWARDS = (
    Forward(name=API_SERVER, host=instances.NODE, address=instances.NODE_ADDRESS, port=6443),
    Forward(name=ZIPKIN, host=instances.NODE, address=instances.ZIPKIN_SERVICE_ADDRESS, port=9411),
    Forward(name=INGRESS_HTTP, host=instances.INTERNET, address=instances.INGRESS_ADDRESS, port=80),
    Forward(name=INGRESS_HTTPS, host=instances.INTERNET, address=instances.INGRESS_ADDRESS, port=443),
)


def ports(instance: instances.Instance) -> dict[str, int]:
    """Return the loopback port of each door by name; empty before the first `up`."""
    path = instance.state / "forwards.json"
    return json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}


def choose(instance: instances.Instance) -> dict[str, int]:
    """Return the ports, chosen at the first call; while no door is open, a port that somebody took is replaced."""
    known = ports(instance)
    if known and supervision.is_running(instance):
        return known
    chosen: dict[str, int] = {}
    for forward in FORWARDS:
        port = known.get(forward.name)
        while port is None or port in chosen.values() or not _is_free(port):
            port = instances.free_port()
        chosen[forward.name] = port
    texts.write(instance.state / "forwards.json", json.dumps(chosen, indent=1) + "\n")
    return chosen


def services(instance: instances.Instance, chosen: Mapping[str, int]) -> tuple[supervision.Service, ...]:
    """Return one program per namespace that doors lead into."""
    return tuple(
        supervision.Service(
            name=f"forwards-{host}",
            host=host,
            enters_itself=True,
            argv=supervision.python_module(
                "slipway.lab.forwards",
                instance.namespace(host),
                *(f"{chosen[item.name]}:{item.address}:{item.port}" for item in FORWARDS if item.host == host),
            ),
        )
        for host in (instances.NODE, instances.INTERNET)
    )


def _is_free(port: int) -> bool:
    with socket.socket() as probe, contextlib.suppress(OSError):
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        probe.bind(("127.0.0.1", port))
        return True
    return False


def _enter(namespace: str, doors: Sequence[str]) -> None:
    """Open the listening sockets, then become the process that serves them from inside ``namespace``."""
    words: list[str] = []
    for door in doors:
        port, target = door.split(":", 1)
        listening = socket.create_server(("127.0.0.1", int(port)), backlog=512)
        os.set_inheritable(listening.fileno(), True)  # noqa: FBT003 - so says os
        words.append(f"{listening.detach()}:{target}")
    path = network.NAMESPACE_FOLDER / namespace
    argv = ["nsenter", f"--net={path}", "--", *supervision.python_module("slipway.lab.forwards", "--serve", *words)]
    os.execvp(argv[0], argv)  # noqa: S606 - becomes the server; supervisord keeps the process


async def _serve(doors: Sequence[str]) -> None:
    servers: list[asyncio.Server] = []
    for door in doors:
        descriptor, address, port = door.split(":")
        listening = socket.socket(fileno=int(descriptor))

        async def connected(
            reader: asyncio.StreamReader,
            writer: asyncio.StreamWriter,
            target: tuple[str, int] = (address, int(port)),
        ) -> None:
            await _join(reader, writer, target)

        servers.append(await asyncio.start_server(connected, sock=listening))
    await asyncio.gather(*(server.serve_forever() for server in servers))


async def _join(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, target: tuple[str, int]) -> None:
    try:
        opening = asyncio.open_connection(*target)
        far_reader, far_writer = await asyncio.wait_for(opening, timeout=_CONNECT_TIMEOUT_S)
    except (OSError, TimeoutError):
        writer.transport.abort()  # a reset says what the far end said: nobody is there
        return
    try:
        await asyncio.gather(_copy(reader, far_writer), _copy(far_reader, writer))
    finally:
        far_writer.close()
        writer.close()


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while data := await reader.read(_CHUNK_BYTES):
            writer.write(data)
            await writer.drain()
        if writer.can_write_eof():
            writer.write_eof()
    except (ConnectionError, TimeoutError):
        writer.transport.abort()


def main(arguments: Sequence[str]) -> None:
    """Serve doors: ``NAMESPACE PORT:ADDRESS:PORT...``; with ``--serve``, from inside, on open sockets."""
    if arguments[0] == "--serve":
        asyncio.run(_serve(arguments[1:]))
    else:
        _enter(arguments[0], arguments[1:])


if __name__ == "__main__":
    main(sys.argv[1:])
