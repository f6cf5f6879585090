"""Objects of a cluster, programs in its pods and their logs: typed, bounded in time, errors told whole."""

import json
import ssl
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, cast
from urllib.parse import urlencode

import tenacity
import urllib3
import websocket
from kubernetes import client, config
from kubernetes.stream import ws_client

REQUEST_TIMEOUT_S = 15.0
_NOT_FOUND = 404
_OK = range(200, 300)

Object = dict[str, Any]


class KubernetesError(Exception):
    """The cluster could not be asked, or refused: says which cluster, what was asked and what came back.

    ``status`` is the HTTP status, or ``None`` when no answer came.
    """

    def __init__(self, message: str, *, status: int | None = None) -> None:
        super().__init__(message)
        self.status = status


class NotMetError(KubernetesError):
    """A condition that was waited for did not hold in time."""


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class Kind:
    """A kind of object: ``api_version`` as in manifests (``v1``, ``apps/v1``)."""

    api_version: str
    kind: str


POD = Kind(api_version="v1", kind="Pod")
SERVICE = Kind(api_version="v1", kind="Service")
NAMESPACE = Kind(api_version="v1", kind="Namespace")
SIDECAR = Kind(api_version="networking.istio.io/v1", kind="Sidecar")


@dataclass(frozen=True, slots=True, kw_only=True)
class Execution:
    """A program that ended in a pod."""

    exit_status: int
    stdout: str
    stderr: str


class Kubernetes(Protocol):
    """What Slipway asks of a cluster. The public fake is :class:`slipway.world.kubernetes_fake.FakeKubernetes`."""

    def get(self, kind: Kind, name: str, *, namespace: str = "") -> Object | None:
        """Return the object, or ``None`` when there is none (or not even its kind)."""
        ...

    def list(self, kind: Kind, *, namespace: str = "", labels: str = "") -> Sequence[Object]:
        """Return the objects that the label selector ``labels`` matches; in every namespace when it is empty."""
        ...

    def apply(self, body: Mapping[str, Any], *, manager: str = "slipway") -> Object:
        """Create or change an object by server-side apply; fields of others are taken over."""
        ...

    def delete(self, kind: Kind, name: str, *, namespace: str = "", grace_s: int | None = None) -> bool:
        """Delete an object and say whether it was there; its dependents go in the background."""
        ...

    def execute(
        self, namespace: str, pod: str, container: str, argv: Sequence[str], *, stdin: bytes = b"", timeout_s: float
    ) -> Execution:
        """Run a program in a container and return its end; ``stdin`` is not closed after it."""
        ...

    def logs(self, namespace: str, pod: str, container: str, *, since_s: int | None = None) -> str:
        """Return a container's log, of the last ``since_s`` seconds when given."""
        ...


def wait_until(told: str, holds: Callable[[], str], *, timeout_s: float, pause_s: float = 0.25) -> None:
    """Ask ``holds`` again and again until it returns an empty string.

    What it returns says what is still missing; :class:`NotMetError` repeats it when ``timeout_s`` is over.
    """
    retrying = tenacity.Retrying(
        stop=tenacity.stop_after_delay(timeout_s),
        wait=tenacity.wait_fixed(pause_s),
        retry=tenacity.retry_if_result(bool),
        retry_error_callback=lambda state: None if state.outcome is None else state.outcome.result(),
    )
    missing = retrying(holds)
    if missing:
        raise NotMetError(f"{told}: not after {timeout_s:g} s: {missing}")


def pod_missing(pod: Object | None) -> str:
    """Say what a pod lacks until it is ready, in Kubernetes' words; an empty string when it is."""
    if pod is None:
        return "it does not exist"
    status = pod.get("status", {})
    conditions = {item["type"]: item for item in status.get("conditions", [])}
    if conditions.get("Ready", {}).get("status") == "True":
        return ""
    states = [
        f"{item['name']}: {waiting.get('reason', '')} {waiting.get('message', '')}".strip()
        for item in [*status.get("initContainerStatuses", []), *status.get("containerStatuses", [])]
        if (waiting := item.get("state", {}).get("waiting"))
    ]
    return "; ".join([f"phase {status.get('phase', 'unknown')}", *states])


class Cluster:
    """The real one: a cluster by its kubeconfig file and context. Its methods may be called from several threads."""

    def __init__(self, kubeconfig: Path, *, context: str | None = None) -> None:
        """Read the kubeconfig; nothing is sent. Raises :class:`KubernetesError` when it cannot be used."""
        try:
            self._client: client.ApiClient = config.new_client_from_config(str(kubeconfig), context=context)
            active: Any = config.list_kube_config_contexts(config_file=str(kubeconfig))[1]
            self._name = f"context {context or active['name']} of {kubeconfig}"
        except (config.ConfigException, OSError) as error:
            raise KubernetesError(f"the kubeconfig {kubeconfig} cannot be used: {error}") from error
        self._resources: dict[Kind, tuple[str, bool]] = {}
        self._lock = threading.Lock()

    @property
    def address(self) -> str:
        """The API server's URL."""
        return cast("str", self._client.configuration.host)

    def get(self, kind: Kind, name: str, *, namespace: str = "") -> Object | None:
        """See :meth:`Kubernetes.get`."""
        try:
            return json.loads(self._ask("GET", f"{self._path(kind, namespace)}/{name}"))
        except KubernetesError as error:
            if error.status == _NOT_FOUND:
                return None
            raise

    def list(self, kind: Kind, *, namespace: str = "", labels: str = "") -> Sequence[Object]:
        """See :meth:`Kubernetes.list`."""
        query = f"?{urlencode({'labelSelector': labels})}" if labels else ""
        found = json.loads(self._ask("GET", self._path(kind, namespace) + query))
        return [{"apiVersion": kind.api_version, "kind": kind.kind, **item} for item in found["items"]]

    def apply(self, body: Mapping[str, Any], *, manager: str = "slipway") -> Object:
        """See :meth:`Kubernetes.apply`."""
        kind = Kind(api_version=body["apiVersion"], kind=body["kind"])
        metadata = body["metadata"]
        query = urlencode({"fieldManager": manager, "force": "true"})
        path = f"{self._path(kind, metadata.get('namespace', ''))}/{metadata['name']}?{query}"
        return json.loads(self._ask("PATCH", path, body=body, content_type="application/apply-patch+yaml"))

    def examine(self, body: Mapping[str, Any], *, manager: str = "slipway") -> None:
        """Ask the API server whether it would take an object as it is; nothing is stored.

        Its schema is strict here, a field that nobody knows is refused, and admission webhooks are asked. Raises
        KubernetesError with the reason. Source: Kubernetes, API concepts, "Field validation", "Dry-run".
        """
        kind = Kind(api_version=body["apiVersion"], kind=body["kind"])
        metadata = body["metadata"]
        words = {"fieldManager": manager, "force": "true", "dryRun": "All", "fieldValidation": "Strict"}
        path = f"{self._path(kind, metadata.get('namespace', ''))}/{metadata['name']}?{urlencode(words)}"
        self._ask("PATCH", path, body=body, content_type="application/apply-patch+yaml")

    def through(self, namespace: str, pod: str, port: int, path: str) -> str:
        """Return what a pod answers to GET on one of its ports, through the API server. Raises KubernetesError."""
        return self._ask("GET", f"/api/v1/namespaces/{namespace}/pods/{pod}:{port}/proxy{path}")

    def issue_token(self, account: str, *, namespace: str, audience: str, lifetime_s: int) -> str:
        """Return a token of a ServiceAccount for one audience. Raises KubernetesError.

        Source: Kubernetes API, TokenRequest; the server may shorten or lengthen ``lifetime_s``.
        """
        wanted = {"audiences": [audience], "expirationSeconds": lifetime_s}
        body = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": wanted}
        path = f"/api/v1/namespaces/{namespace}/serviceaccounts/{account}/token"
        return json.loads(self._ask("POST", path, body=body))["status"]["token"]

    def delete(self, kind: Kind, name: str, *, namespace: str = "", grace_s: int | None = None) -> bool:
        """See :meth:`Kubernetes.delete`."""
        options: Object = {"apiVersion": "v1", "kind": "DeleteOptions", "propagationPolicy": "Background"}
        if grace_s is not None:
            options["gracePeriodSeconds"] = grace_s
        try:
            self._ask("DELETE", f"{self._path(kind, namespace)}/{name}", body=options)
        except KubernetesError as error:
            if error.status == _NOT_FOUND:
                return False
            raise
        return True

    def logs(self, namespace: str, pod: str, container: str, *, since_s: int | None = None) -> str:
        """See :meth:`Kubernetes.logs`."""
        query: dict[str, str] = {"container": container}
        if since_s is not None:
            query["sinceSeconds"] = str(since_s)
        return self._ask("GET", f"/api/v1/namespaces/{namespace}/pods/{pod}/log?{urlencode(query)}")

    def execute(
        self, namespace: str, pod: str, container: str, argv: Sequence[str], *, stdin: bytes = b"", timeout_s: float
    ) -> Execution:
        """See :meth:`Kubernetes.execute`."""
        told = f"run {' '.join(argv)} in {namespace}/{pod} ({container})"
        streams = {"container": container, "stdin": "true" if stdin else "false", "stdout": "true", "stderr": "true"}
        query = urlencode([*streams.items(), *(("command", word) for word in argv)])
        path = f"/api/v1/namespaces/{namespace}/pods/{pod}/exec?{query}"
        url = self.address.replace("http", "ws", 1) + path  # https becomes wss
        try:
            session = ws_client.WSClient(self._client.configuration, url, self._headers(), capture_all=False)
            try:
                if stdin:
                    session.write_stdin(stdin)
                session.run_forever(timeout=timeout_s)
                if session.is_open():
                    raise NotMetError(f"{self._name}: {told}: no end after {timeout_s:g} s")
                streams_read = [
                    cast("str", session.read_channel(number)) for number in (1, 2, ws_client.ERROR_CHANNEL)
                ]
            finally:
                session.close()
                session.sock.shutdown()  # which `close` leaves out when the other side ended the session first
        except (websocket.WebSocketException, client.ApiException, OSError, ssl.SSLError) as error:
            raise KubernetesError(f"{self._name} ({self.address}): {told}: {error}") from error
        stdout, stderr, ended = streams_read
        return Execution(exit_status=self._exit_status(ended, told=told), stdout=stdout, stderr=stderr)

    def _exit_status(self, ended: str, *, told: str) -> int:
        if not ended:
            raise KubernetesError(f"{self._name}: {told}: the connection ended before the program did")
        status = json.loads(ended)
        if status["status"] == "Success":
            return 0
        causes = status.get("details", {}).get("causes", [])
        codes = [int(cause["message"]) for cause in causes if cause.get("reason") == "ExitCode"]
        if not codes:
            raise KubernetesError(f"{self._name}: {told}: {status.get('message', ended)}")
        return codes[0]

    def _path(self, kind: Kind, namespace: str) -> str:
        plural, namespaced = self._resource(kind)
        inside = f"namespaces/{namespace}/" if namespaced and namespace else ""
        return f"{_group_path(kind)}/{inside}{plural}"

    def _resource(self, kind: Kind) -> tuple[str, bool]:
        """Return the plural of a kind, as the cluster spells it, and whether it lives in namespaces."""
        with self._lock:
            if kind not in self._resources:
                for item in json.loads(self._ask("GET", _group_path(kind)))["resources"]:
                    if "/" not in item["name"]:
                        found = Kind(api_version=kind.api_version, kind=item["kind"])
                        self._resources[found] = (item["name"], item["namespaced"])
            if kind not in self._resources:
                message = f"{self._name} ({self.address}): there is no kind {kind.kind} in {kind.api_version}"
                raise KubernetesError(message, status=_NOT_FOUND)
            return self._resources[kind]

    def _headers(self) -> dict[str, str]:
        settings = cast("Mapping[str, Mapping[str, str]]", self._client.configuration.auth_settings())
        return {item["key"]: item["value"] for item in settings.values() if item["in"] == "header" and item["value"]}

    def _ask(
        self, method: str, path: str, *, body: Mapping[str, Any] | None = None, content_type: str = "application/json"
    ) -> str:
        headers = {"Accept": "application/json", "Content-Type": content_type, **self._headers()}
        told = f"{self._name}: {method} {self.address}{path}"
        payload = body if body is None or content_type == "application/json" else json.dumps(body)
        try:
            answer = self._client.call_api(
                method, self.address + path, headers, payload, _request_timeout=REQUEST_TIMEOUT_S
            )
            text = cast("bytes", answer.read()).decode()
        except (client.ApiException, urllib3.exceptions.HTTPError, OSError) as error:
            raise KubernetesError(f"{told}: {error}") from error
        if answer.status not in _OK:
            raise KubernetesError(f"{told}: {answer.status} {_message(text)}", status=answer.status)
        return text


def _group_path(kind: Kind) -> str:
    return f"/apis/{kind.api_version}" if "/" in kind.api_version else f"/api/{kind.api_version}"


def _message(text: str) -> str:
    """Return the sentence of a Kubernetes ``Status``, or the text itself."""
    try:
        return json.loads(text)["message"]
    except (json.JSONDecodeError, KeyError, TypeError):
        return text[:500]


def connect(kubeconfig: Path, *, context: str | None = None) -> Cluster:
    """Return the cluster of a kubeconfig; nothing is sent yet. Raises KubernetesError when it cannot be used."""
    return Cluster(kubeconfig, context=context)
