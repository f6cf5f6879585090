"""Random AuthorizationPolicies, PeerAuthentications and RequestAuthentications."""

import json
import random
from collections.abc import Sequence
from typing import Any

from benchmarks.judge import fleet, words

ROOT = "istio-system"
# A public key whose private half nobody has kept; without any key a proxy refuses its whole configuration.
_MODULUS = (
    "5__SFfbyHtKLw_GeVFOU2N1efC6FgDRCFDidxSdvNQjKATuXjolqMDYGsZLEH4dzm9aiLIkZFkCETX2Iu-yy-goN1CQV2Ihjajrk"
    "USm1U8IxzjL3houCOtUw3YgrWWYOfdsP2wt6IgMJHcXqcslgWLmV7ZTfRpxLDS7trXmWru7d6qx5aUVvKWDgOTFFIoWL6cuuXIcd"
    "molfCWn61ljZyP-HmwkBrIyUz2K1lZVoIAK8RjFcY171eITlba-rxTcn6KQ-7iCYRuiGJqIWpOc8CUwdhA0LgMtYspqNw3iLNVMB"
    "OcupM65woCtayRSK1vfLYvLL3N9KezH0tg8kViBmIw"
)
JWKS = json.dumps({"keys": [{"kty": "RSA", "kid": "judge", "e": "AQAB", "n": _MODULUS}]})
_SOURCES = ("principals", "namespaces", "serviceAccounts", "ipBlocks", "remoteIpBlocks")
_OPERATIONS = ("methods", "paths", "hosts", "ports")
_NOT = {
    "principals": "notPrincipals", "namespaces": "notNamespaces", "serviceAccounts": "notServiceAccounts",
    "ipBlocks": "notIpBlocks", "remoteIpBlocks": "notRemoteIpBlocks", "methods": "notMethods", "paths": "notPaths",
    "hosts": "notHosts", "ports": "notPorts", "requestPrincipals": "notRequestPrincipals",
}  # fmt: skip
_CONDITIONS = (
    "source.ip", "remote.ip", "source.namespace", "source.principal", "source.serviceAccount", "destination.port",
    "destination.ip", "connection.sni", f"request.headers[{words.HEADER}]", f"request.headers[{words.HEADER}]",
    "request.auth.claims[group]", "request.auth.principal",
)  # fmt: skip


def istio(
    kind: str, name: str, namespace: str, spec: Any, annotations: dict[str, str] | None = None
) -> dict[str, Any]:
    """Return an object of Istio's."""
    group = "security" if kind.endswith(("Authentication", "Policy")) else "networking"
    metadata: dict[str, Any] = {"name": name, "namespace": namespace}
    if annotations:
        metadata["annotations"] = annotations
    return {"apiVersion": f"{group}.istio.io/v1", "kind": kind, "metadata": metadata, "spec": spec}


class Policies:
    """Makes the policies of one set."""

    def __init__(self, random_: random.Random, lot: fleet.Lot, addresses: Sequence[str]) -> None:
        self._random = random_
        self._lot = lot
        self._addresses = addresses

    def authorization(self, name: str, namespace: str) -> dict[str, Any]:
        """Return an AuthorizationPolicy of a namespace."""
        random_ = self._random
        action = random_.choices(("ALLOW", "DENY", "AUDIT", None), (6, 4, 0.3, 1))[0]
        spec: dict[str, Any] = {} if action is None else {"action": action}
        if words.chance(random_, 0.6):
            spec["selector"] = {"matchLabels": self._selector(namespace)}
        count = random_.choices((0, 1, 2, 3), (0.4, 5, 3, 1))[0]
        allowing = action in {"ALLOW", None}
        if count or action == "DENY":
            spec["rules"] = [self._rule(allowing=allowing) for _ in range(count or 1)]
        annotations = None
        if action in {"ALLOW", "DENY"} and words.chance(random_, 0.08):
            annotations = {"istio.io/dry-run": random_.choice(("true", "true", "false"))}
        return istio("AuthorizationPolicy", name, namespace, spec, annotations)

    def _selector(self, namespace: str) -> dict[str, str]:
        random_ = self._random
        own = [item for item in self._lot.applications if item.namespace == namespace]
        item = random_.choice(own or list(self._lot.applications))
        name = random_.choice(("app", "app", "tier"))
        if words.chance(random_, 0.05):
            return {name: "nobody"}
        return {name: item.labels[name]}

    def _rule(self, *, allowing: bool) -> dict[str, Any]:
        random_ = self._random
        rule: dict[str, Any] = {}
        if words.chance(random_, 0.65):
            rule["from"] = [{"source": self._source()} for _ in range(random_.choice((1, 1, 2)))]
        if words.chance(random_, 0.65 if allowing else 0.75):
            rule["to"] = [{"operation": self._operation()} for _ in range(random_.choice((1, 1, 2)))]
        if words.chance(random_, 0.3):
            rule["when"] = [self._condition() for _ in range(random_.choice((1, 1, 2)))]
        if not rule and words.chance(random_, 0.7):
            rule["to"] = [{"operation": self._operation()}]
        return rule

    def _values(self, name: str) -> list[str]:
        random_, lot = self._random, self._lot
        makers = {
            "principals": lambda: words.principals(random_, lot),
            "namespaces": lambda: words.namespaces(random_, lot),
            "serviceAccounts": lambda: words.accounts(random_, lot),
            "ipBlocks": lambda: words.blocks(random_, self._addresses),
            "remoteIpBlocks": lambda: words.blocks(random_, self._addresses),
            "methods": lambda: words.some(random_, words.METHOD_PATTERNS, 3),
            "paths": lambda: words.some(random_, words.PATH_PATTERNS, 3),
            "hosts": lambda: words.hosts(random_, lot),
            "ports": lambda: words.ports(random_),
            "requestPrincipals": lambda: words.some(random_, ("*", "issuer/subject", "issuer/*")),
        }
        return makers[name]()

    def _fields(self, names: Sequence[str]) -> dict[str, list[str]]:
        random_ = self._random
        found: dict[str, list[str]] = {}
        for name in words.some(random_, names):
            if words.chance(random_, 0.7):
                found[name] = self._values(name)
            if name not in found or words.chance(random_, 0.15):
                found[_NOT[name]] = self._values(name)
        return found

    def _source(self) -> dict[str, list[str]]:
        random_ = self._random
        names = [*_SOURCES, "principals"]
        if words.chance(random_, 0.05):
            names = ["requestPrincipals"]
        found = self._fields(names)
        # Refused by admission: serviceAccounts beside principals or namespaces.
        if any(name.lower().endswith("serviceaccounts") for name in found):
            found = {
                name: values
                for name, values in found.items()
                if not name.lower().endswith(("principals", "namespaces"))
            }
        return found

    def _operation(self) -> dict[str, list[str]]:
        return self._fields(_OPERATIONS)

    def _condition(self) -> dict[str, Any]:
        random_ = self._random
        key = random_.choice(_CONDITIONS)
        found: dict[str, Any] = {"key": key}
        name = "values" if words.chance(random_, 0.5) else "notValues"
        found[name] = self._condition_values(key)
        if words.chance(random_, 0.1):
            found["values" if name == "notValues" else "notValues"] = self._condition_values(key)
        return found

    def _condition_values(self, key: str) -> list[str]:
        random_, lot = self._random, self._lot
        item = random_.choice(lot.applications)
        if key.startswith("request.headers"):
            return words.some(random_, words.HEADER_PATTERNS)
        makers = {
            "source.ip": lambda: words.blocks(random_, self._addresses),
            "remote.ip": lambda: words.blocks(random_, self._addresses),
            "destination.ip": lambda: words.blocks(random_, self._addresses),
            "source.namespace": lambda: words.namespaces(random_, lot),
            "source.principal": lambda: words.principals(random_, lot),
            "source.serviceAccount": lambda: words.accounts(random_, lot),
            "destination.port": lambda: words.ports(random_),
            "connection.sni": lambda: words.some(
                random_,
                (f"outbound_.80_._.{item.hostname}", f"*{item.hostname}", "*", "outbound_*", item.hostname),
            ),
        }
        return makers.get(key, lambda: words.some(random_, ("*", "staff", "issuer/subject")))()

    def root_authorization(self, name: str) -> dict[str, Any]:
        """Return a policy of the root namespace that leaves the mesh's own gateways alone most of the time."""
        found = self.authorization(name, self._lot.namespaces[0])
        found["metadata"]["namespace"] = ROOT
        return found

    def about_rewriting(self, name: str, route: dict[str, Any]) -> dict[str, Any] | None:
        """Return a policy that names what a route rewrites to, at its destination; None for one that does not."""
        rewrite, random_ = route.get("rewrite"), self._random
        if rewrite is None:
            return None
        host = route["route"][0]["destination"]["host"]
        own = [item for item in self._lot.applications if item.hostname == host]
        if not own:
            return None
        field, text = ("paths", rewrite.get("uri")) if "uri" in rewrite else ("hosts", rewrite["authority"])
        values = [text, f"{text}*"] if words.chance(random_, 0.5) else [text]
        operation = {field: values} if words.chance(random_, 0.7) else {_NOT[field]: values}
        spec = {
            "selector": {"matchLabels": {"app": own[0].name}},
            "action": random_.choice(("ALLOW", "DENY")),
            "rules": [{"to": [{"operation": operation}]}],
        }
        return istio("AuthorizationPolicy", name, own[0].namespace, spec)

    def peer(self, name: str, namespace: str) -> dict[str, Any]:
        """Return a PeerAuthentication of a namespace, or of one workload with its ports."""
        random_ = self._random
        modes = ("STRICT", "PERMISSIVE", "DISABLE", "UNSET")
        spec: dict[str, Any] = {"mtls": {"mode": random_.choices(modes, (4, 3, 2, 1))[0]}}
        if namespace != ROOT and words.chance(random_, 0.6):
            spec["selector"] = {"matchLabels": self._selector(namespace)}
            if words.chance(random_, 0.1):
                del spec["mtls"]
            if words.chance(random_, 0.6):
                ports = words.some(random_, ("8080", "9000", "8081", "7000", "80"), 3)
                spec["portLevelMtls"] = {port: {"mode": random_.choice(modes)} for port in ports}
        return istio("PeerAuthentication", name, namespace, spec)

    def tokens(self, name: str, namespace: str) -> dict[str, Any]:
        """Return a RequestAuthentication; requests of the judge carry no token, so that it decides nothing."""
        spec = {"jwtRules": [{"issuer": "issuer", "jwks": JWKS}]}
        return istio("RequestAuthentication", name, namespace, spec)
