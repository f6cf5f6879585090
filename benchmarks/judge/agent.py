"""One application of the fleet, run in a pod's network namespace with the standard library alone.

Usage: agent.py PLACE PORTS CERTIFICATE KEY TLS_PORT. Serves its ports, the last one with TLS for those that begin it.
For each line on standard input, a JSON list of requests, it prints one line with the list of what came of them.
"""

import asyncio
import json
import socket
import ssl
import sys
import urllib.parse
import urllib.request
from typing import Any

_METHODS = (b"GET ", b"POST ", b"PUT ", b"DELETE ", b"HEAD ", b"PATCH ", b"OPTIONS ", b"OTHER ")
_AT_ONCE = 24
_FIRST_BYTES_S = 5.0
_ADMIN = "http://127.0.0.1:15000"
_LISTENERS = "virtualInbound|0.0.0.0_1[789][0-9]+"  # of sidecars, and those of gateways
_LONGEST = 1 << 16
_HANDSHAKE = b"\x16"  # Source: RFC 8446 5.1, ContentType


async def _serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        first = await asyncio.wait_for(reader.read(_LONGEST), _FIRST_BYTES_S)
        port = (writer.get_extra_info("sockname") or ("", 0))[1]  # nothing when the client has gone already
        if first.startswith(_METHODS):
            while b"\r\n\r\n" not in first and (more := await reader.read(_LONGEST)):
                first += more
            writer.write(_answer(first, port))
        elif first:
            writer.write(json.dumps({"place": sys.argv[1], "port": port}).encode() + b"\n")
        await writer.drain()
    except (OSError, TimeoutError, ssl.SSLError):
        pass  # the client's end tells what came of it
    finally:
        writer.close()


async def _listen(server: socket.socket, context: ssl.SSLContext) -> None:
    """Serve whatever clients begin with: nothing then depends on what an application expects."""
    loop, tasks = asyncio.get_running_loop(), set[asyncio.Task[None]]()
    while True:
        connection, _ = await loop.sock_accept(server)
        task = loop.create_task(_accepted(connection, context))
        tasks.add(task)
        task.add_done_callback(tasks.discard)


async def _accepted(connection: socket.socket, context: ssl.SSLContext) -> None:
    loop, begun = asyncio.get_running_loop(), asyncio.Event()
    loop.add_reader(connection, begun.set)
    try:
        await asyncio.wait_for(begun.wait(), _FIRST_BYTES_S)
        first = connection.recv(1, socket.MSG_PEEK)
    except (OSError, TimeoutError):
        connection.close()
        return
    finally:
        loop.remove_reader(connection)
    reader = asyncio.StreamReader()
    protocol = asyncio.StreamReaderProtocol(reader, _serve)
    try:
        await loop.connect_accepted_socket(lambda: protocol, connection, ssl=context if first == _HANDSHAKE else None)
    except (OSError, ssl.SSLError):
        connection.close()  # the client's end tells what came of it


def _answer(request: bytes, port: int) -> bytes:
    head = request.partition(b"\r\n\r\n")[0].decode("latin-1").split("\r\n")
    headers = [line.partition(":")[::2] for line in head[1:]]
    body = json.dumps(
        {
            "place": sys.argv[1],
            "port": port,
            "request": head[0],
            "identified": any(name.lower() == "x-forwarded-client-cert" for name, _ in headers),
        }
    )
    return f"HTTP/1.1 200 OK\r\ncontent-length: {len(body)}\r\nconnection: close\r\n\r\n{body}".encode("latin-1")


async def _send(item: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = {"id": item["id"]}
    try:
        await asyncio.wait_for(_exchange(item, found), item["timeout_s"])
    except TimeoutError:
        found["end"] = "timeout"
    except ConnectionRefusedError:
        found["end"] = "refused"
    except (ConnectionResetError, BrokenPipeError):
        found["end"] = "reset"
    except ssl.SSLError as error:
        found.update(end="tls", detail=str(error))
    except OSError as error:
        found.update(end="unreachable", detail=str(error))
    return found


async def _exchange(item: dict[str, Any], found: dict[str, Any]) -> None:
    context = None
    if item.get("tls"):
        context = ssl.create_default_context()
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    name = item.get("sni") or None
    reader, writer = await asyncio.open_connection(item["address"], item["port"])
    found["local"] = ":".join(map(str, writer.get_extra_info("sockname")[:2]))
    try:
        if context is not None:
            await writer.start_tls(context, server_hostname=name)
        writer.write(_bytes(item))
        await writer.drain()
        reply = await _reply(reader, http=item["http"] is not None)
    finally:
        writer.close()
    found["end"] = "bytes" if reply else "eof"
    found["reply"] = reply.decode("latin-1")


def _bytes(item: dict[str, Any]) -> bytes:
    http = item["http"]
    if http is None:
        return f"\0judge {item['id']}\n".encode()  # nothing that could be the first line of an HTTP request
    lines = [f"{http['method']} {http['path']} HTTP/1.1", f"host: {http['host']}", f"user-agent: judge-{item['id']}"]
    lines += [f"{name}: {value}" for name, value in http["headers"]]
    return ("\r\n".join([*lines, "connection: close", "", ""])).encode("latin-1")


async def _reply(reader: asyncio.StreamReader, *, http: bool) -> bytes:
    """Return the whole HTTP answer, or the first bytes of anything else."""
    found = await reader.read(_LONGEST)
    while http and found and (more := await reader.read(_LONGEST)):
        found += more
    return found


def _settled(mark: str) -> dict[str, Any]:
    """Say what the sidecar beside this application lacks until it works by a round's configuration alone."""
    query = "config_dump?resource=dynamic_listeners&name_regex=" + urllib.parse.quote(_LISTENERS)
    listeners = _admin(query).get("configs", [])
    found = listening(listeners, mark)
    if found["missing"] or found["refused"]:
        return found
    if any(item["name"] != "virtualInbound" for item in listeners):
        routes = _admin("config_dump?resource=dynamic_route_configs")
        if mark not in json.dumps(routes):
            return {"missing": f"the routes do not show {mark}", "refused": ""}
    return {"missing": ", ".join(_busy()), "refused": ""}


def _admin(query: str) -> Any:
    with urllib.request.urlopen(f"{_ADMIN}/{query}", timeout=5) as answer:  # noqa: S310 - Envoy's own administration
        return json.load(answer)


def _busy() -> list[str]:
    """Return what the proxy still makes ready or ends."""
    pattern = "listener_manager.(total_filter_chains_draining|total_listeners_draining|total_listeners_warming)"
    found = _admin(f"stats?format=json&filter={pattern}")["stats"]
    return [f"{item['name']}: {item['value']}" for item in found if item.get("value")]


def listening(listeners: list[dict[str, Any]], mark: str) -> dict[str, str]:
    """Return what a proxy lacks of a round's listeners, and what it refused of them.

    Source: envoyproxy/envoy 1.37 api/envoy/admin/v3/config_dump_shared.proto, ListenersConfigDump.DynamicListener:
    ``error_state`` is that of the last update, of every listener.
    """
    failed = [item["error_state"] for item in listeners if "error_state" in item]
    seen = any(mark in json.dumps(item.get("active_state")) for item in listeners)
    if not seen and not any(mark in json.dumps(item.get("failed_configuration")) for item in failed):
        return {"missing": f"the listener does not show {mark}", "refused": ""}
    return {"missing": "", "refused": "; ".join(item.get("details", "without a reason") for item in failed)}


async def _obey(requests: Any) -> Any:
    if isinstance(requests, dict):
        return await asyncio.to_thread(_settled, requests["mark"])
    free = asyncio.Semaphore(_AT_ONCE)

    async def one(item: dict[str, Any]) -> dict[str, Any]:
        async with free:
            return await _send(item)

    return await asyncio.gather(*(one(item) for item in requests))


async def _main() -> None:
    _, _, ports, certificate, key, tls_port = sys.argv
    servers = [await asyncio.start_server(_serve, "0.0.0.0", int(port)) for port in ports.split(",")]  # noqa: S104
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    server = socket.create_server(("0.0.0.0", int(tls_port)))  # noqa: S104
    server.settimeout(0)
    accepting = asyncio.create_task(_listen(server, context))
    print("ready", flush=True)  # noqa: T201 - what the other side waits for
    while line := await asyncio.to_thread(sys.stdin.readline):
        try:
            found = await _obey(json.loads(line))
        except OSError as error:
            found = {"missing": str(error), "refused": ""}
        print(json.dumps(found), flush=True)  # noqa: T201
    accepting.cancel()
    for item in servers:
        item.close()


if __name__ == "__main__":
    asyncio.run(_main())
