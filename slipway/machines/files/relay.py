# ruff: noqa: INP001 - a script for a pod of the cluster, not a module
"""Keep a fresh token of every machine in the key vault, and the ingress gateway's certificates in the cluster.

Runs in a pod. The pod's own ServiceAccount may ask for tokens of the machines' accounts and nothing else of the kind;
for Azure it shows the token that Kubernetes projects for it (workload identity). A token lives for an hour and is
replaced every twenty minutes. Nothing of what passes through is printed or written to a disk.

Source: Kubernetes API, TokenRequest; Microsoft identity platform, client credentials with a federated credential; Key
Vault REST API 7.4, "Set Secret" and "Get Secret".
"""

import base64
import http.client
import json
import os
import pathlib
import re
import ssl
import sys
import time
import urllib.error
import urllib.parse
import urllib.request
from typing import Any

SETTINGS = pathlib.Path("/etc/slipway/relay.json")
ACCOUNT = pathlib.Path("/var/run/secrets/kubernetes.io/serviceaccount")
DELIVERED = pathlib.Path("/run/slipway/delivered")
AUDIENCE = "istio-ca"
LIFETIME_S = 3600
PERIOD_S = 1200
RETRY_S = 15
TIMEOUT_S = 20
MANAGER = "slipway-relay"
PEM = re.compile(r"-----BEGIN ([A-Z ]+)-----.+?-----END \1-----\n?", re.DOTALL)


class Refused(Exception):  # noqa: N818 - reads as the sentence that it is
    """An answer that is not what was asked for; the text holds nothing of its body."""


def ask(
    method: str, url: str, *, body: Any = None, token: str = "", kind: str = "application/json", authority: str = ""
) -> Any:
    """Return the JSON document that ``url`` answers with; ``authority`` is a file with the server's authorities."""
    data = None if body is None else body if isinstance(body, bytes) else json.dumps(body).encode()
    headers = {"Content-Type": kind, **({"Authorization": f"Bearer {token}"} if token else {})}
    request = urllib.request.Request(url, data=data, headers=headers, method=method)  # noqa: S310 - our own settings
    context = ssl.create_default_context(cafile=authority or None)
    handlers = (urllib.request.ProxyHandler({}), urllib.request.HTTPSHandler(context=context))
    host = urllib.parse.urlsplit(url).netloc
    try:
        with urllib.request.build_opener(*handlers).open(request, timeout=TIMEOUT_S) as answer:
            return json.loads(answer.read(1_000_000))
    except urllib.error.HTTPError as error:
        error.close()
        raise Refused(f"{method} {host} answered {error.code}") from None
    except (OSError, http.client.HTTPException) as error:
        raise Refused(f"{host}: {getattr(error, 'reason', error)}") from None
    except ValueError:
        raise Refused(f"{host} answered with something that is not JSON") from None


def cluster(method: str, path: str, *, body: Any = None, kind: str = "application/json") -> Any:
    """Ask the cluster's API as the pod's own account."""
    host = f"{os.environ['KUBERNETES_SERVICE_HOST']}:{os.environ['KUBERNETES_SERVICE_PORT']}"
    token = (ACCOUNT / "token").read_text(encoding="utf-8")
    return ask(method, f"https://{host}{path}", body=body, token=token, kind=kind, authority=str(ACCOUNT / "ca.crt"))


def azure_token() -> str:
    """Return an access token for the key vault, for the token that Kubernetes gave this pod."""
    assertion = pathlib.Path(os.environ["AZURE_FEDERATED_TOKEN_FILE"]).read_text(encoding="utf-8")
    form = {
        "client_id": os.environ["AZURE_CLIENT_ID"],
        "client_assertion": assertion,
        "client_assertion_type": "urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
        "grant_type": "client_credentials",
        "scope": "https://vault.azure.net/.default",
    }
    url = f"{os.environ['AZURE_AUTHORITY_HOST'].rstrip('/')}/{os.environ['AZURE_TENANT_ID']}/oauth2/v2.0/token"
    body = urllib.parse.urlencode(form).encode()
    return ask("POST", url, body=body, kind="application/x-www-form-urlencoded")["access_token"]


def vault_url(settings: dict[str, Any], secret: str) -> str:
    """Return where a secret is."""
    return f"{settings['vault_url']}/secrets/{urllib.parse.quote(secret)}?api-version=7.4"


def deliver(settings: dict[str, Any], machine: dict[str, str], access: str) -> None:
    """Put a fresh token of one machine and the mesh's root certificate into its secret."""
    space = f"/api/v1/namespaces/{machine['namespace']}"
    wanted = {"spec": {"audiences": [AUDIENCE], "expirationSeconds": LIFETIME_S}}
    request = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", **wanted}
    granted = cluster("POST", f"{space}/serviceaccounts/{machine['service_account']}/token", body=request)
    root = cluster("GET", f"{space}/configmaps/istio-ca-root-cert")["data"]["root-cert.pem"]
    value = json.dumps({"token": granted["status"]["token"], "rootCertificate": root})
    attributes = {"exp": int(time.time()) + LIFETIME_S}
    body = {"value": value, "contentType": "application/json", "attributes": attributes}
    ask("PUT", vault_url(settings, machine["secret"]), body=body, token=access)


def certify(settings: dict[str, Any], certificate: dict[str, str], access: str) -> None:
    """Bring one certificate with its key (PEM) from the key vault into the cluster."""
    pem = ask("GET", vault_url(settings, certificate["secret"]), token=access)["value"]
    blocks = [(found[1], found[0]) for found in PEM.finditer(pem)]
    key = "".join(text for kind, text in blocks if kind.endswith("PRIVATE KEY"))
    chain = "".join(text for kind, text in blocks if kind == "CERTIFICATE")
    if not key or not chain:
        raise Refused(f"the secret {certificate['secret']} has no certificate with its key in PEM")
    data = {name: base64.b64encode(text.encode()).decode() for name, text in (("tls.crt", chain), ("tls.key", key))}
    metadata = {"name": certificate["name"], "namespace": certificate["namespace"]}
    body = {"apiVersion": "v1", "kind": "Secret", "type": "kubernetes.io/tls", "metadata": metadata, "data": data}
    path = f"/api/v1/namespaces/{certificate['namespace']}/secrets/{certificate['name']}"
    query = f"?fieldManager={MANAGER}&force=true"
    cluster("PATCH", f"{path}{query}", body=body, kind="application/apply-patch+yaml")


def attempt(what: str, action: Any, *arguments: Any) -> bool:
    """Do one thing and say in one line what became of it."""
    try:
        action(*arguments)
    except Refused as error:
        say(f"{what}: {error}")
    except (KeyError, TypeError) as error:
        say(f"{what}: an answer of another shape ({type(error).__name__})")
    else:
        say(f"{what}: delivered")
        return True
    return False


def go_round(settings: dict[str, Any]) -> bool:
    """Serve every machine and every certificate; return whether each machine has a fresh token."""
    try:
        access = azure_token()
    except (Refused, KeyError, OSError) as error:
        say(f"no access to the key vault: {error}")
        return False
    served = [attempt(item["secret"], deliver, settings, item, access) for item in settings["machines"]]
    for item in settings["certificates"]:
        attempt(item["secret"], certify, settings, item, access)
    return all(served)


def say(text: str) -> None:
    """Write one line into the pod's log."""
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def is_healthy() -> bool:
    """Whether every machine got a token so lately that the next round is not overdue."""
    return DELIVERED.exists() and time.time() - DELIVERED.stat().st_mtime < LIFETIME_S


def main(arguments: list[str]) -> int:
    """Go round for ever; with ``--healthy`` say whether the last rounds went well."""
    if arguments == ["--healthy"]:
        return 0 if is_healthy() else 1
    while True:
        complete = go_round(json.loads(SETTINGS.read_text(encoding="utf-8")))
        if complete:
            DELIVERED.touch()
        time.sleep(PERIOD_S if complete else RETRY_S)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
