"""Stand-ins for Azure's instance metadata (who am I) and Key Vault (my secret), told apart by source address.

Access tokens and secrets live in memory only and appear in no log. A restart forgets the access tokens; a machine
then asks for a new one, as it does when one has expired.
"""

import base64
import hashlib
import http.server
import json
import secrets
import socketserver
import ssl
import sys
import threading
import time
import urllib.parse
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import kubernetes.client
import kubernetes.config

from slipway.lab import instance as instances
from slipway.lab import platform
from slipway.mesh.azure_plan import VAULT_RESOURCE

AUDIENCE = "istio-ca"
SECRET_SUFFIX = "-istio"  # noqa: S105 - a name
ACCESS_TOKEN_LIFETIME_S = 3600
SERVICE_ACCOUNT_TOKEN_LIFETIME_S = 3600
_REQUEST_TIMEOUT_S = 10.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """A status and a JSON document."""

    status: int
    body: dict[str, Any]


def refused(status: int, code: str, message: str) -> Answer:
    """Return a refusal as Azure's services write it."""
    return Answer(status=status, body={"error": {"code": code, "message": message}})


class Identities:
    """Access tokens that were given out: only their hashes are kept."""

    def __init__(self, machines: Path, clock: Callable[[], float] = time.time) -> None:
        self._machines = machines
        self._clock = clock
        self._given: dict[str, tuple[str, float]] = {}
        self._lock = threading.Lock()

    def machine_at(self, address: str) -> platform.Machine | None:
        """Return the machine that was registered with ``address``."""
        return platform.registered(self._machines).get(address)

    def give(self, machine: platform.Machine) -> tuple[str, int]:
        """Return a new access token of ``machine`` and the second since the epoch at which it expires."""
        token = secrets.token_urlsafe(32)
        expires = int(self._clock()) + ACCESS_TOKEN_LIFETIME_S
        with self._lock:
            self._given = {key: value for key, value in self._given.items() if value[1] > self._clock()}
            self._given[_hash(token)] = (machine.name, expires)
        return token, expires

    def holder(self, token: str) -> platform.Machine | None:
        """Return the machine to which ``token`` was given, while it is registered and the token has not expired."""
        with self._lock:
            name, expires = self._given.get(_hash(token), ("", 0.0))
        if expires <= self._clock():
            return None
        return next((item for item in platform.registered(self._machines).values() if item.name == name), None)


def metadata(identities: Identities, *, address: str, path: str, marked: bool) -> Answer:
    """Answer as Azure's instance metadata service; ``marked`` says whether the header `Metadata: true` came.

    Source: Azure documentation, entra/identity/managed-identities-azure-resources/how-to-use-vm-token and
    virtual-machines/instance-metadata-service.
    """
    parts = urllib.parse.urlsplit(path)
    query = dict(urllib.parse.parse_qsl(parts.query))
    if not marked:
        return refused(400, "invalid_request", "Required metadata header not specified")
    if "api-version" not in query:
        return refused(400, "invalid_request", "Required query variable 'api-version' is missing")
    machine = identities.machine_at(address)
    if machine is None:
        return refused(400, "invalid_request", "Identity not found")
    if parts.path == "/metadata/identity/oauth2/token":
        return _access_token(identities, machine, resource=query.get("resource", ""))
    if parts.path in {"/metadata/instance", "/metadata/instance/compute"}:
        compute = {"name": machine.name, "location": "lab", "osType": "Linux", "provider": "Slipway", "tags": ""}
        return Answer(status=200, body=compute if parts.path.endswith("compute") else {"compute": compute})
    return refused(404, "not_found", "The lab's metadata service has no such resource")


def _access_token(identities: Identities, machine: platform.Machine, *, resource: str) -> Answer:
    if resource.rstrip("/") != VAULT_RESOURCE:
        return refused(400, "invalid_resource", f"The lab has tokens for {VAULT_RESOURCE} only")
    token, expires = identities.give(machine)
    fields = {"access_token": token, "expires_on": str(expires), "resource": VAULT_RESOURCE, "token_type": "Bearer"}
    return Answer(status=200, body={**fields, "expires_in": str(ACCESS_TOKEN_LIFETIME_S)})


def vault(
    identities: Identities, *, path: str, authorization: str, value: Callable[[platform.Machine], str]
) -> Answer:
    """Answer as Azure's Key Vault: ``value`` makes the secret of a machine that proved who it is.

    Source: Azure documentation, rest/api/keyvault/secrets/get-secret (api-version 7.4).
    """
    parts = urllib.parse.urlsplit(path)
    words = parts.path.strip("/").split("/")
    scheme, _, token = authorization.partition(" ")
    machine = identities.holder(token.strip()) if scheme == "Bearer" else None
    if machine is None:
        return refused(401, "Unauthorized", "AKV10000: Request is missing a Bearer or PoP token, or it is not valid.")
    if "api-version" not in dict(urllib.parse.parse_qsl(parts.query)):
        return refused(400, "BadParameter", "api-version must be specified")
    if words[0] != "secrets" or not 2 <= len(words) <= 3:  # noqa: PLR2004 - secrets/NAME[/VERSION]
        return refused(404, "NotFound", "The lab's key vault has secrets only")
    if words[1] != f"{machine.name}{SECRET_SUFFIX}":
        return refused(403, "Forbidden", f"The identity of {machine.name} has no permission to get {words[1]}")
    identifier = f"https://{instances.VAULT_HOST}/secrets/{words[1]}/lab"
    return Answer(status=200, body={"value": value(machine), "id": identifier, "attributes": {"enabled": True}})


def bootstrap_value(machine: platform.Machine) -> str:
    """Return the JSON of a machine's secret: a fresh token of its ServiceAccount and the mesh's root certificate.

    Raises kubernetes.client.ApiException when the ServiceAccount or the ConfigMap is not there.
    """
    core = kubernetes.client.CoreV1Api()
    specification = {"audiences": [AUDIENCE], "expirationSeconds": SERVICE_ACCOUNT_TOKEN_LIFETIME_S}
    request: Any = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": specification}
    granted: Any = core.create_namespaced_service_account_token(
        machine.service_account, machine.namespace, request, _request_timeout=_REQUEST_TIMEOUT_S
    )
    # Source: istio/istio 1.29.1 pilot/pkg/... namespacecontroller writes `root-cert.pem` into each namespace.
    root: Any = core.read_namespaced_config_map(
        "istio-ca-root-cert", machine.namespace, _request_timeout=_REQUEST_TIMEOUT_S
    )
    return json.dumps({"token": granted.status.token, "rootCertificate": root.data["root-cert.pem"]})


def _hash(token: str) -> str:
    return base64.b16encode(hashlib.sha256(token.encode()).digest()).decode()


class _Handler(http.server.BaseHTTPRequestHandler):
    timeout = _REQUEST_TIMEOUT_S
    protocol_version = "HTTP/1.1"
    identities: Identities
    is_vault: bool

    def do_GET(self) -> None:
        try:
            answer = self._answer()
        except kubernetes.client.ApiException as error:
            answer = refused(503, "ServiceUnavailable", f"the cluster says {error.status} {error.reason}")
        except OSError as error:
            answer = refused(503, "ServiceUnavailable", f"the cluster cannot be reached: {type(error).__name__}")
        data = json.dumps(answer.body).encode()
        self.send_response(answer.status)
        self.send_header("Content-Type", "application/json; charset=utf-8")
        self.send_header("Content-Length", str(len(data)))
        self.send_header("Cache-Control", "no-store")
        self.end_headers()
        self.wfile.write(data)

    def _answer(self) -> Answer:
        if self.is_vault:
            authorization = self.headers.get("Authorization", "")
            return vault(self.identities, path=self.path, authorization=authorization, value=bootstrap_value)
        marked = self.headers.get("Metadata", "").lower() == "true"
        return metadata(self.identities, address=self.client_address[0], path=self.path, marked=marked)


class _Server(socketserver.ThreadingMixIn, http.server.HTTPServer):
    daemon_threads = True
    request_queue_size = 128


class _TlsServer(_Server):
    context: ssl.SSLContext

    def finish_request(self, request: Any, client_address: Any) -> None:
        request.settimeout(_REQUEST_TIMEOUT_S)  # the handshake happens in the request's thread, not while accepting
        with self.context.wrap_socket(request, server_side=True) as secured:
            super().finish_request(secured, client_address)


def main(arguments: Sequence[str]) -> None:
    """Serve both: MACHINES_FOLDER KUBECONFIG VAULT_CERTIFICATE VAULT_KEY."""
    machines, kubeconfig, certificate, key = arguments
    kubernetes.config.load_kube_config(kubeconfig)
    identities = Identities(Path(machines))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    metadata_handler = type("MetadataHandler", (_Handler,), {"identities": identities, "is_vault": False})
    vault_handler = type("VaultHandler", (_Handler,), {"identities": identities, "is_vault": True})
    vault_server = _TlsServer((instances.VAULT_ADDRESS, 443), vault_handler)
    vault_server.context = context
    metadata_server = _Server((instances.METADATA_ADDRESS, 80), metadata_handler)
    thread = threading.Thread(target=vault_server.serve_forever, name="vault", daemon=True)
    thread.start()
    metadata_server.serve_forever()


if __name__ == "__main__":
    main(sys.argv[1:])
