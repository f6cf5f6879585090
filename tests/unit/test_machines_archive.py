"""The archive of a database's log, run from its text as the machine runs it, against a storage of the test's own."""

import gzip
import hashlib
import http.server
import importlib.resources
import json
import socket
import struct
import threading
import types
from pathlib import Path

import pytest

SEGMENT = "0000000100000000000000A1"
URL = "https://wal.blob.core.windows.net/db-vm-log"
CONTENT = b"one segment" * 1000
SYSTEM = 7_311_223_344_556_677_889


class Storage:
    """Answers as Azure does: blobs by address, nothing overwritten; `busy` answers nothing else."""

    def __init__(self) -> None:
        self.blobs, self.asked, self.busy, self.metadata = {}, [], False, 200

    def ask(self, method, url, headers, body=None):
        if "/metadata/" in url:
            assert headers == {"Metadata": "true"}
            return self.metadata, {}, b'{"access_token": "identity-secret"}'
        self.asked.append((method, url, headers))
        assert headers["Authorization"] == "Bearer identity-secret"
        if self.busy:
            return 503, {"x-ms-error-code": "ServerBusy"}, b""
        if method == "PUT":
            if url in self.blobs:
                return 409, {"x-ms-error-code": "BlobAlreadyExists"}, b""
            self.blobs[url] = ({"x-ms-meta-sha256": headers["x-ms-meta-sha256"]}, body)
            return 201, {}, b""
        if url not in self.blobs:
            return 404, {"x-ms-error-code": "BlobNotFound"}, b""
        known, content = self.blobs[url]
        return 200, known, content if method == "GET" else b""


@pytest.fixture
def script(tmp_path, monkeypatch):
    """Return the script with its service listening, in the folder of a database cluster."""
    source = importlib.resources.files("slipway.machines").joinpath("files", "archive.py")
    module = types.ModuleType("archive")
    exec(compile(source.read_text(), "archive.py", "exec"), module.__dict__)  # noqa: S102 - our own text, as the machine runs it
    module.SETTINGS = tmp_path / "archive.json"
    settings = {"metadata_url": "http://127.0.0.1:1", "resource": "https://storage.azure.com", "client_id": ""}
    module.SETTINGS.write_text(json.dumps({**settings, "url": URL}))
    module.SOCKET = str(tmp_path / "s")
    module.really_ask = module.ask
    module.storage = Storage()
    module.ask = module.storage.ask
    data = tmp_path / "data"
    (data / "global").mkdir(parents=True)
    (data / "global/pg_control").write_bytes(struct.pack("=Q", SYSTEM) + bytes(100))
    (data / "segment").write_bytes(CONTENT)
    monkeypatch.chdir(data)
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(module.SOCKET)
        listening.listen()
        thread = threading.Thread(target=accept, args=(module, listening))
        thread.start()
        yield module
        listening.shutdown(socket.SHUT_RDWR)
        thread.join(timeout=5)


def accept(module, listening):
    """Serve each connection as systemd starts the service for it."""
    while True:
        try:
            connection, _ = listening.accept()
        except OSError:
            return
        with connection, connection.makefile("rb") as source, connection.makefile("wb") as target:
            module.serve(source, target)


def blob(script):
    ((url, (known, content)),) = script.storage.blobs.items()
    return url, known, content


def test_a_segment_is_stored_whole_below_its_cluster_and_comes_back(script, tmp_path):
    assert script.main(["put", "segment", SEGMENT]) == 0
    url, known, content = blob(script)
    assert url == f"{URL}/{SYSTEM}/{SEGMENT}.gz"
    assert gzip.decompress(content) == CONTENT
    assert known["x-ms-meta-sha256"] == hashlib.sha256(CONTENT).hexdigest()
    (_, _, headers) = script.storage.asked[0]
    assert headers["If-None-Match"] == "*"
    assert headers["Content-MD5"]
    assert script.main(["get", SEGMENT, str(tmp_path / "back")]) == 0
    assert (tmp_path / "back").read_bytes() == CONTENT


def test_the_same_segment_again_is_well_and_another_of_its_name_is_refused(script, capsys):
    assert script.main(["put", "segment", SEGMENT]) == 0
    before = blob(script)
    assert script.main(["put", "segment", SEGMENT]) == 0
    Path("segment").write_bytes(CONTENT + b"other")
    assert script.main(["put", "segment", SEGMENT]) == 1
    assert blob(script) == before
    said = capsys.readouterr().err
    assert "in the archive already, with other content; nothing is overwritten" in said
    assert "identity-secret" not in said


def test_a_storage_that_fails_keeps_the_segment_with_the_database_and_says_so(script, capsys):
    script.storage.busy = True
    assert script.main(["put", "segment", SEGMENT]) == 1
    assert "<3>the storage answered 503 ServerBusy" in capsys.readouterr().err
    script.storage.busy = False
    script.storage.metadata = 400
    assert script.main(["put", "segment", SEGMENT]) == 1
    assert not script.storage.blobs


def test_what_is_not_there_ends_a_recovery_and_what_nobody_knows_stops_it(script, tmp_path):
    assert script.main(["get", SEGMENT, str(tmp_path / "back")]) == 1
    script.storage.busy = True
    assert script.main(["get", SEGMENT, str(tmp_path / "back")]) > 125
    assert not (tmp_path / "back").exists()


def test_a_segment_that_came_to_harm_is_no_segment(script, tmp_path):
    assert script.main(["put", "segment", SEGMENT]) == 0
    url, known, _ = blob(script)
    for harmed in (gzip.compress(b"other"), b"no gzip"):
        script.storage.blobs[url] = (known, harmed)
        assert script.main(["get", SEGMENT, str(tmp_path / "back")]) > 125
    assert not (tmp_path / "back").exists()


@pytest.mark.parametrize("name", ["../billing-vm-log/x", "segment", "0000000100000000000000A1/..", ""])
def test_nothing_but_a_log_is_archived(script, name):
    assert script.main(["put", "segment", name]) == 1
    assert not script.storage.asked


@pytest.mark.parametrize("name", ["00000002.history", f"{SEGMENT}.00000028.backup", f"{SEGMENT}.partial"])
def test_everything_that_postgresql_archives_is(script, name):
    assert script.main(["put", "segment", name]) == 0


def test_without_the_service_nothing_is_archived(script, tmp_path):
    script.SOCKET = str(tmp_path / "nobody")
    assert script.main(["put", "segment", SEGMENT]) == 1
    assert script.main(["get", SEGMENT, "back"]) > 125


def test_half_a_segment_is_none(script):
    with socket.socket(socket.AF_UNIX) as connection:
        connection.connect(script.SOCKET)
        wanted = {"do": "put", "system": "7", "name": SEGMENT, "length": 100}
        connection.sendall(json.dumps(wanted).encode() + b"\nhalf")
        connection.shutdown(socket.SHUT_WR)
        assert json.loads(connection.makefile("rb").readline())["failed"] == "4 of 100 bytes came"
    assert not script.storage.asked


def test_a_redirect_is_not_followed_and_a_closed_port_is_told(script):
    class Elsewhere(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(302)
            self.send_header("Location", "http://127.0.0.1:1/")
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *arguments) -> None:
            """Say nothing."""

    with http.server.HTTPServer(("127.0.0.1", 0), Elsewhere) as server:
        thread = threading.Thread(target=server.handle_request)
        thread.start()
        status, headers, _ = script.really_ask("GET", f"http://127.0.0.1:{server.server_port}/a?b=c", {})
        thread.join(timeout=5)
    assert (status, headers["location"]) == (302, "http://127.0.0.1:1/")
    with pytest.raises(script.Failed, match=r"127\.0\.0\.1:1: "):
        script.really_ask("GET", "http://127.0.0.1:1/", {})
