"""The parts of the benchmark `scope` that need no lab: the load, the shapes of policies, the mesh of a size."""

import http.server
import json
import socketserver
import threading

import pytest

from benchmarks.scope import callers, load, size


class _Server(socketserver.ThreadingTCPServer):
    daemon_threads = True
    allow_reuse_address = True
    connections = 0

    def process_request(self, request, client_address) -> None:
        self.connections += 1
        super().process_request(request, client_address)


class _Answers(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        refused = self.headers["host"] == "refused"
        self.send_response(403 if refused else 200)
        self.send_header("content-length", "3")
        self.end_headers()
        self.wfile.write(b"ok\n")

    def log_message(self, *_: object) -> None: ...


@pytest.fixture
def server():
    with _Server(("127.0.0.1", 0), _Answers) as found:
        threading.Thread(target=found.serve_forever, daemon=True).start()
        yield found
        found.shutdown()


@pytest.mark.parametrize(("host", "status"), [("server", 200), ("refused", 403)])
def test_the_load_sends_as_often_as_asked_over_connections_that_stay(server, host, status):
    address, port = server.server_address
    assert load.send(address, port, host, count=50, connections=4) == {status: 50}
    assert server.connections == 4


def test_the_load_takes_no_end_for_an_answer():
    class Silent(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            self.request.recv(100)

    with _Server(("127.0.0.1", 0), Silent) as found:
        threading.Thread(target=found.serve_forever, daemon=True).start()
        with pytest.raises(ConnectionError, match="after 0 of 3 answers"):
            load.send(*found.server_address, "server", count=3, connections=1)
        found.shutdown()


@pytest.mark.parametrize("shape", callers.SHAPES, ids=lambda shape: shape.name)
def test_every_shape_allows_each_caller_once_and_in_order(shape):
    allowed = callers.principals(12)
    assert len(set(allowed)) == 12
    text = json.dumps(shape.objects("shop", allowed))
    places = [text.find(f'{item}"') for item in allowed]
    assert places == (sorted(places) if shape is not callers.NONE else [-1] * 12)
    assert all(text.count(f'{item}"') == 1 for item in allowed) or shape is callers.NONE


def test_the_mesh_has_its_services_and_endpoints_and_scopes_apart():
    mesh = size.Mesh(60 * 10)
    found = mesh.objects()
    kinds = [item["kind"] for item in found]
    assert kinds.count("Service") == 600
    assert "Sidecar" not in kinds
    real = {(item.namespace, item.name) for item in mesh.real}
    by_hand = [item for item in found if item["kind"] == "EndpointSlice"]
    named = {(i["metadata"]["namespace"], i["metadata"]["labels"]["kubernetes.io/service-name"]) for i in by_hand}
    assert not named & real
    assert len(named) == 600 - 10 - len(real)  # ten run on machines
    addresses = [address for item in by_hand for end in item["endpoints"] for address in end["addresses"]]
    assert len(set(addresses)) == len(addresses) == 2 * len(by_hand)
    spaces = {item["metadata"]["name"] for item in mesh.namespaces()}
    assert {item["metadata"]["namespace"] for item in [*found, *mesh.scopes]} <= spaces
