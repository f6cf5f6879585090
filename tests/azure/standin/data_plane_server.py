"""Serve the data plane: metadata over HTTP; login, key vaults and storage over TLS, told apart by name.

What a person would do comes in over standard input, a JSON object a line: `secrets` with values by id, and `storage`
as `away` or `back`. The process ends with it.
"""

import argparse
import http.server
import json
import ssl
import sys
import threading
import urllib.parse
from pathlib import Path
from typing import Any

import kubernetes.client
import kubernetes.config

from standin import data_plane

LOGIN_HOST = "login.microsoftonline.com"
STORAGE = ".blob.core.windows.net"
METADATA = ("169.254.169.254", 80)
_TIMEOUT_S = 10.0


def _account(token: str, audience: str) -> str:
    """Return who the cluster says a token is. Source: Kubernetes API, TokenReview."""
    wanted: Any = {"spec": {"token": token, "audiences": [audience]}}
    found: Any = kubernetes.client.AuthenticationV1Api().create_token_review(wanted, _request_timeout=_TIMEOUT_S)
    return found.status.user.username if found.status.authenticated else ""


def _nobody(token: str, audience: str) -> str:
    return ""


class _Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    timeout = _TIMEOUT_S
    plane: data_plane.DataPlane
    is_metadata = False

    def do_GET(self) -> None:
        self._respond()

    def do_POST(self) -> None:
        self._respond()

    def do_PUT(self) -> None:
        self._respond()

    def do_HEAD(self) -> None:
        self._respond()

    def log_message(self, format: str, *arguments: object) -> None:  # noqa: A002 - the base's own name
        sys.stderr.write(f"{self.client_address[0]} {self.headers.get('Host')} {format % arguments}\n")

    def _respond(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        if self.headers.get("Host", "").endswith(STORAGE):
            self._respond_with_blob(body)
            return
        answer = self._answer(body)
        data = json.dumps(answer.body).encode()
        self.send_response(answer.status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def _respond_with_blob(self, body: bytes) -> None:
        headers = {name.lower(): value for name, value in self.headers.items()}
        answer = self.plane.blob(
            host=self.headers["Host"], method=self.command, path=self.path, headers=headers, body=body
        )
        self.send_response(answer.status)
        for name, value in answer.headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(answer.body)))
        self.end_headers()
        self.wfile.write(answer.body)

    def _answer(self, body: bytes) -> data_plane.Answer:
        host = self.headers.get("Host", "")
        if self.is_metadata:
            marked = self.headers.get("Metadata", "").lower() == "true"
            return self.plane.metadata(address=self.client_address[0], path=self.path, marked=marked)
        if host == LOGIN_HOST:
            return self.plane.login(path=self.path, form=dict(urllib.parse.parse_qsl(body.decode())))
        return self.plane.vault(
            host=host,
            method=self.command,
            path=self.path,
            authorization=self.headers.get("Authorization", ""),
            body=data_plane.parsed(body),
        )


def main(arguments: list[str]) -> None:
    """Serve until standard input closes."""
    parser = argparse.ArgumentParser(prog="python -m standin.data_plane_server")
    parser.add_argument("--cloud", type=Path, required=True, help="the stand-in's file")
    parser.add_argument("--kubeconfig", help="the cluster whose ServiceAccounts log in; default: none do")
    parser.add_argument("--address", action="append", required=True, help="where login, vaults and storage are")
    parser.add_argument("--blobs", type=Path, required=True, help="the folder of blobs")
    parser.add_argument("--certificate", required=True, help="certificate and key for their names, PEM")
    options = parser.parse_args(arguments)
    if options.kubeconfig:
        kubernetes.config.load_kube_config(options.kubeconfig)
    account = _account if options.kubeconfig else _nobody
    plane = data_plane.DataPlane(options.cloud, account=account, blobs=options.blobs)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(options.certificate)
    servers = [_secured((address, 443), plane, context) for address in options.address]
    metadata = http.server.ThreadingHTTPServer(
        METADATA, type("Metadata", (_Handler,), {"plane": plane, "is_metadata": True})
    )
    for server in (*servers, metadata):
        threading.Thread(target=server.serve_forever, daemon=True).start()
    sys.stdout.write("serving\n")
    sys.stdout.flush()
    for line in sys.stdin:
        told = json.loads(line)
        for secret, value in told.get("secrets", {}).items():
            plane.keep(secret, value)
        plane.away(is_away=told.get("storage") == "away")
        sys.stdout.write("done\n")
        sys.stdout.flush()


def _secured(
    address: tuple[str, int], plane: data_plane.DataPlane, context: ssl.SSLContext
) -> http.server.ThreadingHTTPServer:
    server = http.server.ThreadingHTTPServer(address, type("Secured", (_Handler,), {"plane": plane}))
    server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
    return server


if __name__ == "__main__":
    main(sys.argv[1:])
