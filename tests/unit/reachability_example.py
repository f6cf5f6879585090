"""A small world to ask: two callers and a callee with a port each for HTTP, TCP and what nobody declares."""

from typing import Any

import yaml

from slipway import reachability
from slipway.manifests import kubernetes_reader

_WORLD = """
apiVersion: v1
kind: Namespace
metadata: {name: shop, labels: {istio-injection: enabled}}
---
apiVersion: v1
kind: Namespace
metadata: {name: back, labels: {istio-injection: enabled}}
---
apiVersion: v1
kind: Service
metadata: {name: callee, namespace: back}
spec:
  selector: {app: callee}
  ports:
  - {name: http, port: 80, targetPort: 8080}
  - {name: tcp-data, port: 5432}
  - {name: guess, port: 7000}
"""


def deployment(name, namespace, *, account=None, inject=True, annotations=None):
    metadata = {"labels": {"app": name}, "annotations": annotations or {}}
    if not inject:
        metadata["labels"]["sidecar.istio.io/inject"] = "false"
    template = {"metadata": metadata, "spec": {"serviceAccountName": account or name, "containers": []}}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": name, "namespace": namespace},
        "spec": {"template": template},
    }


def istio(kind, name, namespace, spec, *, annotations=None):
    group = "security" if kind.endswith(("Authentication", "Policy")) else "networking"
    metadata = {"name": name, "namespace": namespace, "annotations": annotations or {}}
    return {"apiVersion": f"{group}.istio.io/v1", "kind": kind, "metadata": metadata, "spec": spec}


def policy(rules, *, action="ALLOW", name="policy", namespace="back", selector=None, annotations=None):
    spec = {"action": action}
    if rules is not None:
        spec["rules"] = rules
    if selector:
        spec["selector"] = {"matchLabels": selector}
    return istio("AuthorizationPolicy", name, namespace, spec, annotations=annotations)


def mtls(mode, *, name="mode", namespace="back", **spec: Any):
    return istio("PeerAuthentication", name, namespace, {"mtls": {"mode": mode}, **spec})


def world(*objects: Any, mesh_config=None, callee=None, **options: Any):
    found = [
        deployment("good", "shop"),
        deployment("bad", "shop"),
        deployment("bare", "shop", inject=False),
        callee or deployment("callee", "back"),
        *objects,
    ]
    text = _WORLD + "".join(f"---\n{yaml.safe_dump(item)}" for item in found)
    manifests = kubernetes_reader.read_manifests(text, file="world.yaml")
    return reachability.read(manifests, mesh_config=mesh_config or {}, **options)


def ask(found, source="good", *, port=80, host="callee.back.svc.cluster.local", **request: Any):
    question = reachability.Question(
        source=reachability.Workload(namespace="shop", name=source),
        destination=reachability.Host(name=host),
        port=port,
        **request,
    )
    return reachability.decide(found, question)


def outcome(found, source="good", **request: Any):
    return ask(found, source, **request).outcome.value
