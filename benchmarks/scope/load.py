"""Requests one after another on connections that stay open, with the standard library alone.

Usage: load.py ADDRESS PORT HOST COUNT CONNECTIONS. Prints how often each status was answered, as JSON. A connection
that ends is an error: the load is meant for warm ones.
"""

import contextlib
import json
import selectors
import socket
import sys
from collections import Counter

_LONGEST = 1 << 16
_SILENT_S = 20.0


def _length(answer: bytes) -> int | None:
    """Return the length of the whole answer, once its head is there."""
    head, end, _ = answer.partition(b"\r\n\r\n")
    if not end:
        return None
    for line in head.split(b"\r\n"):
        name, _, value = line.partition(b":")
        if name.lower() == b"content-length":
            return len(head) + len(end) + int(value)
    raise ValueError(f"an answer without a length: {head!r}")


def send(address: str, port: int, host: str, *, count: int, connections: int) -> Counter[int]:
    """Send ``count`` requests over so many connections, and return how often each status was answered."""
    request = f"GET /healthz HTTP/1.1\r\nhost: {host}\r\n\r\n".encode()
    with contextlib.ExitStack() as opened:
        sockets = [
            opened.enter_context(socket.create_connection((address, port))) for _ in range(min(connections, count))
        ]
        selector = opened.enter_context(selectors.DefaultSelector())
        for one in sockets:
            one.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            selector.register(one, selectors.EVENT_READ, bytearray())
            one.sendall(request)
        return _answers(selector, request, count, begun=len(sockets))


def _answers(selector: selectors.BaseSelector, request: bytes, count: int, *, begun: int) -> Counter[int]:
    """Take answers and send the next request where one was answered, until ``count`` are answered."""
    found = Counter[int]()
    while found.total() < count:
        ready = selector.select(_SILENT_S)
        if not ready:
            raise TimeoutError(f"silence for {_SILENT_S:g} s after {found.total()} of {count} answers")
        for key, _ in ready:
            answer: bytearray = key.data
            one = key.fileobj
            assert isinstance(one, socket.socket)  # noqa: S101 - nothing else was registered
            more = one.recv(_LONGEST)
            if not more:
                raise ConnectionError(f"a connection ended after {found.total()} of {count} answers")
            answer += more
            length = _length(bytes(answer))
            if length is None or len(answer) < length:
                continue
            found[int(answer.split(b" ", 2)[1])] += 1
            answer.clear()
            if begun < count:
                one.sendall(request)
                begun += 1
    return found


if __name__ == "__main__":
    _, to, number, name, wanted, at_once = sys.argv
    print(json.dumps(send(to, int(number), name, count=int(wanted), connections=int(at_once))))  # noqa: T201
