"""Fields of admitted kinds: the API server drops a misspelt one in silence, and a policy without it means more.

Source: istio/api 1.29 security/v1, networking/v1, telemetry/v1; Kubernetes 1.34 networking.k8s.io/v1.
"""

from collections.abc import Mapping
from typing import Any

from slipway.diagnostics import Collector, catalogue, wording
from slipway.manifests import scalars
from slipway.manifests.nodes import MappingNode, Node, ScalarNode, SequenceNode

# What stands below a field: a map of its fields, or None for anything. Lists are of what is said.
_Fields = Mapping[str, Any]


def _any(*names: str) -> dict[str, Any]:
    return dict.fromkeys(names)


def _both(*names: str) -> dict[str, Any]:
    """Return fields with their negated forms, as conditions of an AuthorizationPolicy have them."""
    return _any(*names, *(f"not{name[0].upper()}{name[1:]}" for name in names))


_SELECTOR: _Fields = {"matchLabels": None}
_TARGETED: _Fields = {"selector": _SELECTOR, "targetRef": None, "targetRefs": None}
_SOURCE = _both("principals", "requestPrincipals", "namespaces", "serviceAccounts", "ipBlocks", "remoteIpBlocks")
_RULE: _Fields = {
    "from": {"source": _SOURCE},
    "to": {"operation": _both("hosts", "ports", "methods", "paths")},
    "when": _any("key", "values", "notValues"),
}
_JWT = _any(
    *("issuer", "audiences", "jwksUri", "jwks", "fromHeaders", "fromParams", "fromCookies"),
    *("outputPayloadToHeader", "forwardOriginalToken", "outputClaimToHeaders", "timeout", "spaceDelimitedClaims"),
)
_LISTENER = _any("port", "bind", "captureMode", "hosts")
_PEER: _Fields = {
    "ipBlock": _any("cidr", "except"),
    **dict.fromkeys(("podSelector", "namespaceSelector"), _any("matchLabels", "matchExpressions")),
}
_PORTS = _any("port", "endPort", "protocol")
_SPECS: Mapping[str, _Fields] = {
    "AuthorizationPolicy": {**_TARGETED, "rules": _RULE, "action": None, "provider": _any("name")},
    "PeerAuthentication": {"selector": _SELECTOR, "mtls": _any("mode"), "portLevelMtls": None},
    "RequestAuthentication": {**_TARGETED, "jwtRules": _JWT},
    "Telemetry": {**_TARGETED, **_any("tracing", "metrics", "accessLogging")},
    "Sidecar": {
        "workloadSelector": _any("labels"),
        "ingress": _any("port", "bind", "captureMode", "defaultEndpoint", "tls", "connectionPool"),
        "egress": _LISTENER,
        "inboundConnectionPool": None,
        "outboundTrafficPolicy": _any("mode", "egressProxy"),
    },
    "ServiceEntry": {
        **_any("hosts", "addresses", "location", "resolution", "endpoints", "exportTo", "subjectAltNames"),
        "ports": _any("number", "name", "protocol", "targetPort"),
        "workloadSelector": _any("labels"),
    },
    "VirtualService": _any("hosts", "gateways", "http", "tls", "tcp", "exportTo"),
    "DestinationRule": {
        **_any("host", "trafficPolicy", "subsets", "exportTo"),
        "workloadSelector": _SELECTOR,
    },
    "Gateway": {
        "selector": None,
        "servers": _any("port", "bind", "hosts", "tls", "defaultEndpoint", "name"),
    },
    "WorkloadEntry": _any("address", "ports", "labels", "network", "locality", "weight", "serviceAccount"),
    "WorkloadGroup": _any("metadata", "template", "probe"),
    "ProxyConfig": {"selector": _SELECTOR, **_any("concurrency", "environmentVariables", "image")},
    "NetworkPolicy": {
        **_any("podSelector", "policyTypes"),
        "ingress": {"from": _PEER, "ports": _PORTS},
        "egress": {"to": _PEER, "ports": _PORTS},
    },
}
_HEAD = _any("apiVersion", "kind", "metadata", "spec", "status")


def check(node: Node, kind: str, collector: Collector) -> None:
    """Report every field of an object that its kind does not have (MESH0201), at its place with the nearest name.

    A field with nothing in it is reported too (MESH0203): the API server takes it for one that is not there, and no
    `rules` means something else than an empty list of them.
    """
    _check(node, {**_HEAD, "spec": _SPECS.get(kind)}, "", collector)


def _check(node: Node, known: _Fields | None, path: str, collector: Collector) -> None:
    if isinstance(node, ScalarNode) and node.plain and scalars.resolve(node.text) is None:
        collector.report(
            catalogue.WRONG_TYPE,
            f"nothing stands in {wording.quoted(path)}, and the API server drops it in silence",
            span=node.span,
            path=path,
            found="nothing",
            hint="remove the field, or give it a value: `{}` or `[]` where it is meant to be empty",
        )
    if known is None:
        return
    if isinstance(node, SequenceNode):
        for index, item in enumerate(node.items):
            _check(item, known, f"{path}[{index}]", collector)
    for entry in node.entries if isinstance(node, MappingNode) else ():
        key = entry.key.text
        below = f"{path}.{wording.shown(key)}".removeprefix(".")
        if key in known:
            _check(entry.value, known[key], below, collector)
            continue
        near = collector.nearest(key, known)
        hint = f"did you mean {wording.quoted(near)}?" if near else f"fields there: {wording.listed(known)}"
        collector.report(
            catalogue.UNKNOWN_KEY,
            f"there is no field {wording.quoted(key)} here, and the API server would drop it in silence",
            span=entry.key.span,
            path=below,
            found=key,
            hint=hint,
        )
