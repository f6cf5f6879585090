"""The mesh configuration that a revision's istiod reads, against what the declaration relies on.

A control plane of somebody else's serves every namespace, so nothing here asks for more than the declaration needs.
Where Slipway installs it (`lab`, `azure`) a difference is what the next `slipway up` writes.
"""

import dataclasses
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from policies.bundles import gateways, mesh_config, providers
from slipway.diagnostics import Collector, catalogue, wording
from slipway.inventory import facts, istiod
from slipway.mesh import model
from slipway.reachability import mesh_config as read_configs
from slipway.reachability import network, objects
from slipway.reachability.fields import Fields

_LOCAL = "cluster.local"
_CAPTURE = "ISTIO_META_DNS_CAPTURE"
_REVISION_LABEL = "istio.io/rev"
_EVERYWHERE = "*"


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class _Difference:
    """One thing that the configuration says otherwise: ``key`` of the environment's file, ``found`` as it stands.

    ``breaks`` says that declared calls would fail, or undeclared ones pass.
    """

    key: str
    sentence: str
    found: str
    hint: str
    breaks: bool = True


def check(mesh: model.Mesh, found: facts.Facts, collector: Collector) -> None:
    """Report what contradicts the declaration (MESH0611), and what it does without (MESH0612)."""
    ours = mesh.platform is not model.PlatformKind.EXISTING
    settings = found.mesh_configs.get(mesh.revision)
    if settings is None:
        if not ours:
            _report(mesh, _no_control_plane(mesh, found, collector), collector)
        return
    live = read_configs.read(settings, collector)
    for item in _differences(mesh, live, settings, found, collector):
        written = f"`slipway up {mesh.environment}` writes it"
        told = dataclasses.replace(item, hint=written, breaks=False) if ours else item
        _report(mesh, told, collector)


def unread(mesh: model.Mesh, reason: str, collector: Collector) -> None:
    """Report that the configuration could not be read, and why (MESH0612)."""
    sentence = f"the mesh configuration of revision {wording.quoted(mesh.revision)} was not compared: {reason}"
    hint = f"let somebody run this who may read ConfigMaps in `{gateways.ISTIO_NAMESPACE}`"
    _report(mesh, _Difference(key="revision", sentence=sentence, found="", hint=hint, breaks=False), collector)


def _report(mesh: model.Mesh, item: _Difference, collector: Collector) -> None:
    code = catalogue.OTHER_MESH_CONFIG if item.breaks else catalogue.MESH_CONFIG_DIFFERS
    place = dict(mesh.places)
    span = place.get(item.key.partition(".")[0]) or place["revision"]
    collector.report(code, item.sentence, span=span, path=item.key, found=item.found, hint=item.hint)


def _no_control_plane(mesh: model.Mesh, found: facts.Facts, collector: Collector) -> _Difference:
    near = collector.nearest(mesh.revision, found.mesh_configs)
    hint = f"state a revision, for a tag that which it stands for; there are {wording.listed(found.mesh_configs)}"
    sentence = (
        f"no istiod of revision {wording.quoted(mesh.revision)} is configured in `{gateways.ISTIO_NAMESPACE}`: "
        f"there is no ConfigMap {wording.quoted(istiod.config_map(mesh.revision))} with a `mesh`"
    )
    hint = f"did you mean {wording.quoted(near)}?" if near else hint
    return _Difference(key="revision", sentence=sentence, found=mesh.revision, hint=hint)


def _setting(mesh: model.Mesh, text: str) -> str:
    return f"set `{text}` in `meshConfig` of revision {mesh.revision}'s istiod"


def _differences(
    mesh: model.Mesh,
    live: read_configs.MeshConfig,
    settings: Mapping[str, Any],
    found: facts.Facts,
    collector: Collector,
) -> Iterator[_Difference]:
    yield from _identity(mesh, live)
    yield from _outbound(mesh, live)
    yield from _paths(mesh, live)
    yield from _visibility(mesh, live)
    yield from _names(mesh, live)
    yield from _discovery(mesh, settings, found, collector)
    yield from _providers(mesh, settings)


def _identity(mesh: model.Mesh, live: read_configs.MeshConfig) -> Iterator[_Difference]:
    """Source: istio/istio 1.29.1 pilot/pkg/security/trustdomain/bundle.go: `cluster.local` means the mesh's own."""
    if mesh.trust_domain not in {live.trust_domain, *live.trust_domain_aliases}:
        there, declared = wording.quoted(live.trust_domain), wording.quoted(mesh.trust_domain)
        local = mesh.trust_domain == _LOCAL
        effect = (
            "policies are read as its own, and answers of `can-i` and of machines name another"
            if local
            else "no caller has an identity that a policy names, and every call is refused"
        )
        yield _Difference(
            key="trustDomain",
            sentence=f"the trust domain of the mesh is {there}, and declared is {declared}: {effect}",
            found=live.trust_domain,
            hint=f"state `trustDomain: {wording.shown(live.trust_domain)}`",
            breaks=not local,
        )
    if not live.auto_mtls:
        yield _Difference(
            key="phase",
            sentence="automatic mutual TLS is turned off in the mesh: callers send plaintext, without an identity",
            found="enableAutoMtls: false",
            hint=_setting(mesh, "enableAutoMtls: true"),
        )


def _outbound(mesh: model.Mesh, live: read_configs.MeshConfig) -> Iterator[_Difference]:
    if live.registry_only and mesh.phases.egress is not model.EgressMode.LOCKED:
        stands = mesh.phases.egress.value
        yield _Difference(
            key="phase.egress",
            sentence=(
                "the mesh refuses unknown destinations already, in every namespace without a Sidecar that says "
                f"otherwise; declared is `{stands}`, by which nothing is refused"
            ),
            found="outboundTrafficPolicy: {mode: REGISTRY_ONLY}",
            hint="state `egress: locked`, or " + _setting(mesh, "outboundTrafficPolicy: {mode: ALLOW_ANY}"),
            breaks=False,
        )


def _paths(mesh: model.Mesh, live: read_configs.MeshConfig) -> Iterator[_Difference]:
    """Source: istio.io, security best practices, "Path normalization": with NONE `/api/../admin` is below `/api`."""
    by_path = any(call.http for service in mesh.services for call in service.service_calls)
    if by_path and live.normalization == "NONE":
        yield _Difference(
            key="phase",
            sentence="paths are compared as they come, so `/api/../admin` passes for `/api/*`",
            found="pathNormalization: {normalization: NONE}",
            hint=_setting(mesh, "pathNormalization: {normalization: BASE}"),
        )


def _visibility(mesh: model.Mesh, live: read_configs.MeshConfig) -> Iterator[_Difference]:
    """Source: istio/api mesh/v1alpha1/config.proto, `default_service_export_to`; objects of ours state their own."""
    if _EVERYWHERE in live.service_export:
        return
    crossing = [
        (caller, callee)
        for callee in mesh.services
        if callee.workload is not None
        for caller, _ in mesh.callers(callee.name)
        if caller.namespace != callee.namespace and caller.namespace not in live.service_export
    ]
    if crossing:
        pairs = wording.listed(f"{caller.name} -> {callee.name}" for caller, callee in crossing)
        yield _Difference(
            key="revision",
            sentence=f"Services are seen in their own namespaces unless they say otherwise, and calls cross: {pairs}",
            found=f"defaultServiceExportTo: [{', '.join(live.service_export)}]",
            hint="annotate the Services called with `networking.istio.io/exportTo`, naming the callers' namespaces",
            breaks=False,
        )


def _names(mesh: model.Mesh, live: read_configs.MeshConfig) -> Iterator[_Difference]:
    named = [item.name for item in mesh.services if item.names and mesh.callers(item.name)]
    if named and not live.dns_capture:
        yield _Difference(
            key="revision",
            sentence=(
                f"sidecars do not answer names, so those of today reach {wording.listed(named)} only where DNS "
                "resolves them to the declared addresses"
            ),
            found=f"{_CAPTURE} is not set",
            hint=_setting(mesh, f'defaultConfig: {{proxyMetadata: {{{_CAPTURE}: "true"}}}}') + ", or per pod",
            breaks=False,
        )


def _discovery(
    mesh: model.Mesh, settings: Mapping[str, Any], found: facts.Facts, collector: Collector
) -> Iterator[_Difference]:
    """Source: istio/istio 1.29.1 pkg/kube/namespace/filter.go: none selects all, several are joined by "or"."""
    selectors = Fields(settings, "meshConfig", collector).maps("discoverySelectors")
    if not selectors:
        return
    known = [_selector(item) for item in selectors]
    spaces = {*mesh.namespaces, *gateways.own_namespaces(mesh)}
    ours = {_REVISION_LABEL: mesh.revision}
    hidden = [
        name
        for name in sorted(spaces)
        if not any(network.selector_matches(item, {**found.namespaces.get(name, {}), **ours}) for item in known)
    ]
    if hidden:
        yield _Difference(
            key="revision",
            sentence=(
                f"istiod leaves out the namespaces {wording.listed(hidden)}, which no discovery selector selects: "
                "nothing there is known or enforced"
            ),
            found=f"discoverySelectors: {len(selectors)}",
            hint="give the namespaces a label that one of the selectors asks for, or add a selector",
        )


def _selector(fields: Fields) -> objects.LabelSelector:
    expressions = (
        objects.Expression(key=item.text("key"), operator=item.text("operator"), values=item.texts("values"))
        for item in fields.maps("matchExpressions")
    )
    return objects.LabelSelector(labels=fields.labels("matchLabels"), expressions=tuple(expressions))


def _providers(mesh: model.Mesh, settings: Mapping[str, Any]) -> Iterator[_Difference]:
    """Report providers that Telemetry objects name: istiod passes over one that it does not know.

    Source: istio/istio 1.29.1 pilot/pkg/model/telemetry.go, `fetchProvider`.
    """
    stated = settings.get("extensionProviders")
    there = {item.get("name"): item for item in _maps(stated)}
    for wanted in mesh_config.emit_mesh_config(mesh)["extensionProviders"]:
        name = wanted["name"]
        what = "spans are sent nowhere" if name == providers.ZIPKIN else "proxies write no access log"
        if name not in there:
            yield _provider(mesh, f"the provider `{name}` is not configured: {what}", found="")
        elif name == providers.ZIPKIN and there[name].get("zipkin", {}).get("service") != wanted["zipkin"]["service"]:
            service = str(there[name].get("zipkin", {}).get("service"))
            yield _provider(mesh, f"the provider `{name}` sends spans elsewhere than declared", found=service)
        elif name == providers.ACCESS_LOG and (missing := _missing_labels(there[name])):
            yield _provider(mesh, f"access logs lack what is read in them: {wording.listed(missing)}", found=name)


def _provider(mesh: model.Mesh, sentence: str, *, found: str) -> _Difference:
    hint = f"take `extensionProviders` from `slipway render {mesh.environment} --mesh-config`"
    return _Difference(key="revision", sentence=sentence, found=found, hint=hint, breaks=False)


def _missing_labels(provider: Mapping[str, Any]) -> list[str]:
    log_format = (provider.get("envoyFileAccessLog") or {}).get("logFormat") or {}
    return sorted(providers.LABELS.keys() - (log_format.get("labels") or {}).keys())


def _maps(value: Any) -> Iterable[Mapping[str, Any]]:
    return (item for item in value if isinstance(item, Mapping)) if isinstance(value, list) else ()
