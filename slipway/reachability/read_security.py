"""PeerAuthentication, AuthorizationPolicy and RequestAuthentication from manifests."""

import dataclasses
from collections.abc import Mapping

from slipway.diagnostics import Collector, catalogue, wording
from slipway.manifests.manifest import Manifest
from slipway.reachability.answers import Key
from slipway.reachability.fields import Fields
from slipway.reachability.objects import (
    AuthorizationPolicy,
    Mtls,
    PeerAuthentication,
    RequestAuthentication,
    Rule,
    Values,
)

DRY_RUN = "istio.io/dry-run"
_ACTIONS = ("ALLOW", "DENY", "AUDIT", "CUSTOM")
_SOURCE_FIELDS: Mapping[str, str] = {
    "principals": "notPrincipals",
    "requestPrincipals": "notRequestPrincipals",
    "namespaces": "notNamespaces",
    "serviceAccounts": "notServiceAccounts",
    "ipBlocks": "notIpBlocks",
    "remoteIpBlocks": "notRemoteIpBlocks",
}
_OPERATION_FIELDS: Mapping[str, str] = {
    "hosts": "notHosts",
    "ports": "notPorts",
    "methods": "notMethods",
    "paths": "notPaths",
}
# Source: Go's strconv.ParseBool; istio 1.29.1 pilot/pkg/security/authz/builder/builder.go, isDryRun: what does not
# parse is not a dry run.
_TRUE = frozenset({"1", "t", "T", "TRUE", "true", "True"})
_EMPTY = Rule(sources=(), operations=(), conditions=())


def peer_authentication(manifest: Manifest, key: Key, collector: Collector) -> PeerAuthentication:
    """Return the typed object; unknown modes are reported."""
    spec = Fields(manifest.body.get("spec"), f"{key} spec", collector)
    ports = {
        int(port): _mode(fields, collector) for port, fields in spec.keyed("portLevelMtls").items() if port.isdigit()
    }
    return PeerAuthentication(
        key=key,
        namespace=manifest.namespace,
        selector=spec.map("selector").labels("matchLabels"),
        mode=_mode(spec.map("mtls"), collector),
        ports=ports,
        unmodelled=spec.rest(),
    )


def _mode(fields: Fields, collector: Collector) -> Mtls:
    text = fields.text("mode", "UNSET")
    if text not in Mtls.__members__:
        choice(collector, "mtls.mode", text, tuple(Mtls.__members__))
        return Mtls.UNSET
    return Mtls[text]


def choice(collector: Collector, path: str, found: str, allowed: tuple[str, ...]) -> None:
    """Report a value that is none of those allowed."""
    collector.report(
        catalogue.OBJECT_FIELD,
        f"{wording.quoted(found)} is not one of {wording.listed(allowed)}",
        span=None,
        path=path,
        found=wording.shown(found),
        hint="write one of them",
    )


def authorization_policy(manifest: Manifest, key: Key, collector: Collector) -> AuthorizationPolicy:
    """Return the typed object with every field of its rules."""
    spec = Fields(manifest.body.get("spec"), f"{key} spec", collector)
    action = spec.text("action", "ALLOW")
    if action not in _ACTIONS:
        choice(collector, "spec.action", action, _ACTIONS)
    selector = spec.map("selector").labels("matchLabels")
    targeted = spec.has("targetRef") or spec.has("targetRefs")
    spec.ignore("targetRef", "targetRefs", "provider")
    rules = tuple(_rule(fields) for fields in spec.maps("rules"))
    inside = {path for rule in rules for path in rule.unmodelled}
    if rest := tuple(path for path in spec.rest() if path not in inside):
        # Whatever the field means, it may change what any rule does.
        rules = tuple(dataclasses.replace(rule, unmodelled=rest) for rule in rules or (_EMPTY,))
    return AuthorizationPolicy(
        key=key,
        namespace=manifest.namespace,
        selector=selector,
        targeted=targeted,
        action=action,
        dry_run=manifest.annotations.get(DRY_RUN, "") in _TRUE,
        rules=rules,
    )


def _rule(fields: Fields) -> Rule:
    sources = tuple(_alternatives(item.map("source"), _SOURCE_FIELDS) for item in fields.maps("from"))
    operations = tuple(_alternatives(item.map("operation"), _OPERATION_FIELDS) for item in fields.maps("to"))
    conditions = tuple(
        (item.text("key"), Values(values=item.texts("values"), not_values=item.texts("notValues")))
        for item in fields.maps("when")
    )
    return Rule(sources=sources, operations=operations, conditions=conditions, unmodelled=fields.rest())


def _alternatives(fields: Fields, names: Mapping[str, str]) -> dict[str, Values]:
    found = {
        name: Values(values=fields.texts(name), not_values=fields.texts(not_name))
        for name, not_name in names.items()
        if fields.has(name) or fields.has(not_name)
    }
    return {name: values for name, values in found.items() if values}


def request_authentication(manifest: Manifest, key: Key, collector: Collector) -> RequestAuthentication:
    """Return where tokens may stand; keys, issuers and audiences stay unread, so a token's effect is unknown.

    Source: istio.io/api security/v1beta1/request_authentication.proto, JWTRule: without fromHeaders, fromParams and
    fromCookies the token stands in ``Authorization`` or in the parameter ``access_token``.
    """
    spec = Fields(manifest.body.get("spec"), f"{key} spec", collector)
    headers: set[str] = set()
    parameters: set[str] = set()
    rules = spec.maps("jwtRules")
    for rule in rules:
        own_headers = [item.text("name").lower() for item in rule.maps("fromHeaders")]
        own_parameters = rule.texts("fromParams")
        cookies = rule.texts("fromCookies")
        if not own_headers and not own_parameters and not cookies:
            own_headers, own_parameters = ["authorization"], ("access_token",)
        headers.update(own_headers, ["cookie"] if cookies else [])
        parameters.update(own_parameters)
    targeted = spec.has("targetRef") or spec.has("targetRefs")
    return RequestAuthentication(
        key=key,
        namespace=manifest.namespace,
        selector=spec.map("selector").labels("matchLabels"),
        targeted=targeted,
        headers=tuple(sorted(headers)),
        parameters=tuple(sorted(parameters)),
        rules=len(rules),
    )
