"""Rules about who is who: mutual TLS, identities of machines, principals."""

import datetime
from collections.abc import Iterable, Sequence

from policies.guardrails.rule import Resource, ResourceRule, StackRule, items, maps, section

UNTIL = "slipway.dev/until"
SCOPE = "slipway.dev/scope"
NETWORK = "topology.istio.io/network"
_ROOT_NAMESPACE = "istio-system"


def _plaintext(resource: Resource, today: datetime.date) -> Iterable[str]:
    """Yield exceptions that take plaintext without an end: DISABLE anywhere, PERMISSIVE for a workload or a port."""
    if resource.kind != "PeerAuthentication":
        return
    mode = section(resource.spec, "mtls").get("mode")
    ports = {
        str(section({"port": found}, "port").get("mode"))
        for found in section(resource.spec, "portLevelMtls").values()
    }
    exception = "selector" in resource.spec and (mode == "PERMISSIVE" or "PERMISSIVE" in ports)
    if not exception and mode != "DISABLE" and "DISABLE" not in ports:
        return
    until = resource.annotation(UNTIL)
    if not until:
        yield f"takes plaintext without an end; state its last day in the annotation `{UNTIL}`"
    elif until < today.isoformat():
        yield f"takes plaintext, and its last day was {until}"


def _machine_identity(resource: Resource, _today: datetime.date) -> Iterable[str]:
    if resource.kind == "WorkloadEntry" and not resource.spec.get("serviceAccount"):
        yield "has no `serviceAccount`: callers would talk to it in plaintext, and anybody could stand in for it"


def _principals(resource: Resource, _today: datetime.date) -> Iterable[str]:
    """Yield principals that match nobody, or more than was meant.

    Source: istio/istio 1.29.1 pilot/pkg/security/authz/matcher/string.go.
    """
    if resource.kind != "AuthorizationPolicy":
        return
    for rule in maps(resource.spec, "rules"):
        for source in (section(item, "source") for item in maps(rule, "from")):
            for text in map(str, [*items(source, "principals"), *items(source, "notPrincipals")]):
                if text.startswith("spiffe://"):
                    yield f"the principal `{text}` never matches: Istio puts `spiffe://` before it by itself"
                elif "*" in text.strip("*") or (text.startswith("*") and text.endswith("*") and len(text) > 1):
                    yield f"the principal `{text}` has a star that is taken literally"
            if items(source, "notPrincipals"):
                yield "`notPrincipals` lets in everybody who has no identity at all, plaintext callers first"


def _bypassed(resource: Resource, _today: datetime.date) -> Iterable[str]:
    """Yield rules about paths that another spelling of the path gets around: `//admin`, `/ADMIN`, `/%2Fadmin`.

    Source: istio.io ops/best-practices/security, "Path normalization": BASE, the default, merges no slashes and
    leaves escaped ones alone; Istio's bulletin ISTIO-SECURITY-2021-005.
    """
    if resource.kind != "AuthorizationPolicy":
        return
    denies = resource.spec.get("action", "ALLOW") in {"DENY", "CUSTOM"}
    key = "paths" if denies else "notPaths"
    for rule in maps(resource.spec, "rules"):
        for operation in (section(item, "operation") for item in maps(rule, "to")):
            if items(operation, key):
                yield f"decides by `{key}`, which another spelling of a path gets around; allow by `paths` instead"


def _root_namespace(resource: Resource, _today: datetime.date) -> Iterable[str]:
    kinds = {"AuthorizationPolicy", "PeerAuthentication", "RequestAuthentication", "Sidecar", "Telemetry"}
    selector = "workloadSelector" if resource.kind == "Sidecar" else "selector"
    unselected = resource.namespace == _ROOT_NAMESPACE and not resource.spec.get(selector)
    if resource.kind in kinds and unselected and resource.annotation(SCOPE) != "mesh":
        yield f"stands in `{_ROOT_NAMESPACE}` without a selector, so it reaches namespaces that nobody declared"


def _networks(resources: Sequence[Resource]) -> Iterable[str]:
    """Yield machines without a network of their own, where the network of pods has a name.

    Source: istio/istio 1.29.1 pilot/pkg/serviceregistry/kube/controller/controller.go `Network`: they count as pods
    then, and proxies of two networks are sent to addresses that they have no way to.
    """
    labels = [section(item.metadata, "labels") for item in resources if item.kind == "Namespace"]
    pods = {str(item[NETWORK]) for item in labels if item.get(NETWORK)}
    for item in resources if pods else ():
        network = item.spec.get("network")
        if item.kind == "WorkloadEntry" and (not network or network in pods):
            yield f"the machine `{item.name}` counts as one of the network of pods, `{min(pods)}`; state its own"


RULES = (
    ResourceRule(
        name="plaintext-ends",
        description="An exception from mutual TLS has a last day, and it has not passed.",
        check=_plaintext,
    ),
    ResourceRule(
        name="machines-have-identities",
        description="A WorkloadEntry names its ServiceAccount.",
        check=_machine_identity,
    ),
    ResourceRule(
        name="principals-match-somebody",
        description="Principals are written as Istio compares them, and never negated.",
        check=_principals,
    ),
    ResourceRule(
        name="paths-cannot-be-bypassed",
        description="Paths are allowed, never refused.",
        check=_bypassed,
    ),
    ResourceRule(
        name="nothing-for-the-whole-mesh",
        description="Policies reach declared namespaces only.",
        check=_root_namespace,
    ),
)
STACK_RULES = (
    StackRule(
        name="machines-have-a-network",
        description="Where the network of pods has a name, a WorkloadEntry states another.",
        check=_networks,
    ),
)
