"""The cluster from outside: is it there, does it have what every cluster has."""

import http
import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import urllib3

from slipway.lab import certificates, forwards, kubernetes, network, texts, waiting
from slipway.lab import instance as instances
from slipway.world import process

FIELD_MANAGER = "slipway-lab"
_CALL_TIMEOUT_S = 20.0
_ASK_TIMEOUT_S = 10.0
_API_LIMIT_S = 60.0
_NODE_LIMIT_S = 60.0
_DEPLOYMENT_LIMIT_S = 90.0
DEPLOYMENTS = (("kube-system", "coredns"), ("observability", "zipkin"))


def kubectl(
    instance: instances.Instance,
    programs: Path,
    words: Sequence[str],
    *,
    stdin: bytes | None = None,
    timeout_s: float = _CALL_TIMEOUT_S,
) -> process.Completed:
    """Run kubectl of the folder ``programs`` as the administrator, from the node."""
    kubeconfig = instance.state / "kubeconfigs" / "admin"
    argv = [str(programs / "kubectl"), f"--kubeconfig={kubeconfig}", f"--cache-dir={instance.state}/kubectl", *words]
    return network.run(instance, instances.NODE, argv, timeout_s=timeout_s, stdin=stdin)


def await_api(instance: instances.Instance) -> None:
    """Return when the API server says that it is ready; limited to a minute."""
    ask = _asking(instance)

    def missing() -> str:
        complaint, _ = ask("/readyz")
        return complaint

    log = instance.log_folder / "kube-apiserver.log"
    waiting.until(missing, limit_s=_API_LIMIT_S, what="the API server", hint=f"its log is {log}")


def install(instance: instances.Instance, programs: Path, images: Mapping[str, str]) -> None:
    """Apply what every cluster has: DNS, the rights of the lab's controllers, Zipkin."""
    text = texts.render("cluster.yaml.j2", kubernetes.values(instance, images))
    words = ["apply", "--server-side", f"--field-manager={FIELD_MANAGER}", "--force-conflicts", "--filename=-"]
    kubectl(instance, programs, words, stdin=text.encode(), timeout_s=60)


def await_node(instance: instances.Instance) -> None:
    """Return when the node is Ready; limited to a minute."""
    ask = _asking(instance)

    def missing() -> str:
        complaint, body = ask(f"/api/v1/nodes/{instances.NODE}")
        return complaint or _condition(json.loads(body), "Ready")

    log = instance.log_folder / "kubelet.log"
    waiting.until(missing, limit_s=_NODE_LIMIT_S, what="the node", hint=f"kubelet's log is {log}")


def await_deployments(instance: instances.Instance) -> None:
    """Return when DNS and Zipkin serve; limited to 90 seconds each."""
    ask = _asking(instance)
    for namespace, name in DEPLOYMENTS:

        def missing(path: str = f"/apis/apps/v1/namespaces/{namespace}/deployments/{name}") -> str:
            complaint, body = ask(path)
            if complaint:
                return complaint
            found = json.loads(body)
            if found.get("status", {}).get("observedGeneration") != found["metadata"]["generation"]:
                return "its change was not seen yet"
            return _condition(found, "Available")

        hint = f"`kubectl --kubeconfig {instance.kubeconfig} describe pods --namespace {namespace}` says why"
        waiting.until(missing, limit_s=_DEPLOYMENT_LIMIT_S, what=f"{namespace}/{name}", hint=hint, pause_s=0.2)


def _asking(instance: instances.Instance) -> Callable[[str], tuple[str, str]]:
    """Return what asks the API server for a path: why there is no good answer (empty if there is one), and its text.

    Starting kubectl for each question would take half a processor while the cluster needs both.
    """
    pool = urllib3.PoolManager(
        ca_certs=str(certificates.certificate_path(instance, certificates.CLUSTER)),
        cert_file=str(certificates.certificate_path(instance, "admin")),
        key_file=str(certificates.key_path(instance, "admin")),
        retries=False,
        timeout=_ASK_TIMEOUT_S,
    )
    server = f"https://127.0.0.1:{forwards.ports(instance)[forwards.API_SERVER]}"

    def ask(path: str) -> tuple[str, str]:
        try:
            answer = pool.request("GET", f"{server}{path}")
        except urllib3.exceptions.HTTPError as error:
            return f"no answer ({type(error).__name__})", ""
        text = answer.data.decode(errors="replace")
        return ("" if answer.status == http.HTTPStatus.OK else f"{answer.status} {text[-200:]}"), text

    return ask


def _condition(found: Mapping[str, Any], kind: str) -> str:
    conditions = {item["type"]: item for item in found.get("status", {}).get("conditions", [])}
    if conditions.get(kind, {}).get("status") == "True":
        return ""
    return str(conditions.get(kind, {}).get("message", f"no condition {kind} yet"))
