"""Istio objects that somebody wrote by hand beside the declaration: what is admitted, and how far it may reach."""

from collections.abc import Collection, Iterable, Mapping
from typing import Any

from slipway.diagnostics import Collector, catalogue, wording
from slipway.manifests import placed
from slipway.mesh import extra_fields, model, names
from slipway.mesh.source import Source

SCOPE = "slipway.dev/scope"
WHOLE_MESH = "mesh"
ROOT_NAMESPACE = "istio-system"  # Source: istio/api mesh/v1alpha1/config.proto, root_namespace; Slipway installs so
_OURS = "slipway.dev/"
_ADMITTED_NOTES = frozenset({SCOPE, "slipway.dev/until"})
_NETWORKING, _SECURITY = "networking.istio.io", "security.istio.io"
GROUPS: Mapping[str, str] = {
    **dict.fromkeys(("DestinationRule", "EnvoyFilter", "Gateway", "ProxyConfig", "ServiceEntry"), _NETWORKING),
    **dict.fromkeys(("Sidecar", "VirtualService", "WorkloadEntry", "WorkloadGroup"), _NETWORKING),
    **dict.fromkeys(("AuthorizationPolicy", "PeerAuthentication", "RequestAuthentication"), _SECURITY),
    "Telemetry": "telemetry.istio.io",
    "WasmPlugin": "extensions.istio.io",
    "NetworkPolicy": "networking.k8s.io",
}
# Kinds that every namespace takes over when nothing says otherwise.
_EXPORTED = frozenset({"ServiceEntry", "VirtualService", "DestinationRule"})
_SELECTORS: Mapping[str, tuple[str, str]] = {
    **dict.fromkeys(
        ("AuthorizationPolicy", "PeerAuthentication", "RequestAuthentication"), ("selector", "matchLabels")
    ),
    **dict.fromkeys(("Telemetry", "WasmPlugin", "ProxyConfig"), ("selector", "matchLabels")),
    "Sidecar": ("workloadSelector", "labels"),
    "EnvoyFilter": ("workloadSelector", "labels"),
    "DestinationRule": ("workloadSelector", "matchLabels"),
}


def read_extra(
    files: Iterable[Source], *, services: Collection[model.Service], collector: Collector
) -> tuple[model.Extra, ...]:
    """Return the objects of the files in ``stacks/extra``, sorted by kind, namespace and name.

    Reports MESH01xx and MESH04xx for what cannot be read, MESH0201 for a field that a kind does not have, MESH0503
    for an object that is there twice, MESH0701 for what is not admitted, MESH0702 for what reaches beyond declared
    namespaces, MESH0704 for a selector that matches no declared service.
    """
    found: dict[tuple[str, str, str], placed.Placed] = {}
    namespaces = {item.namespace for item in services}
    for file in files:
        for item in placed.read(file.text, file=file.file, collector=collector):
            first = found.setdefault(item.manifest.key, item)
            if first is not item:
                _twice(first, item, collector)
            elif _is_admitted(item, collector):
                extra_fields.check(item.node, item.manifest.kind, collector)
                _check_reach(item, namespaces, collector)
                _check_selector(item, services, collector)
    return tuple(model.Extra(manifest=found[key].manifest, span=found[key].span()) for key in sorted(found))


def selector(manifest: Any) -> dict[str, str]:
    """Return the labels by which an object of a known kind selects workloads; empty for all of its namespace."""
    outer, inner = _SELECTORS.get(manifest.kind, ("", ""))
    return {str(key): str(value) for key, value in _map(_map(_spec(manifest), outer), inner).items()}


def may_select(labels: Mapping[str, str], service: model.Service) -> bool:
    """Return whether ``labels`` can be those of what runs ``service``: one of them is its own, and none another.

    Labels that the declaration does not know, as a version, narrow what is selected further.
    """
    known: dict[str, str] = dict(service.selector)
    machine = labels.get("slipway.dev/machine")
    if machine in service.machines:
        return all(known.get(key, value) == value for key, value in labels.items())
    shared = [key for key in labels if key in known]
    return machine is None and bool(shared) and all(labels[key] == known[key] for key in shared)


def _spec(manifest: Any) -> Mapping[str, Any]:
    return _map(manifest.body, "spec")


def _map(value: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    found = value.get(key)
    return found if isinstance(found, Mapping) else {}


def _named(item: placed.Placed) -> str:
    manifest = item.manifest
    place = f"{manifest.namespace}/{manifest.name}" if manifest.namespace else manifest.name
    return wording.quoted(f"{manifest.kind} {place}")


def _twice(first: placed.Placed, item: placed.Placed, collector: Collector) -> None:
    collector.report(
        catalogue.OBJECT_TWICE,
        f"{_named(item)} stands already in {first.span()}",
        span=item.span(),
        path="metadata.name",
        found=item.manifest.name,
        hint="remove one of the two, or rename it",
        related=[first.span()],
    )


def _is_admitted(item: placed.Placed, collector: Collector) -> bool:
    manifest = item.manifest
    group = manifest.api_version.rpartition("/")[0]
    if GROUPS.get(manifest.kind) != group:
        near = collector.nearest(manifest.kind, GROUPS)
        sentence = (
            f"{wording.quoted(f'{manifest.kind} of {manifest.api_version}')} is not admitted beside the declaration"
        )
        known = f"kinds: {wording.listed(GROUPS)}; whatever else runs belongs to its team"
        hint = f"did you mean {wording.quoted(f'{GROUPS[near]}/v1')} {near}?" if near else known
        collector.report(
            catalogue.EXTRA_KIND, sentence, span=item.span("kind"), path="kind", found=manifest.kind, hint=hint
        )
        return False
    stated = {"labels": manifest.labels, "annotations": manifest.annotations}
    claimed = [(where, key) for where, found in stated.items() for key in found if key.startswith(_OURS)]
    for where, key in claimed:
        if key not in _ADMITTED_NOTES or where == "labels":
            sentence = f"{_named(item)} has {wording.quoted(key)}, which only Slipway's own objects have"
            collector.report(
                catalogue.EXTRA_KIND,
                sentence,
                span=item.span("metadata", where, key),
                path=f"metadata.{where}.{wording.shown(key)}",
                found=key,
                hint="remove it",
            )
    return True


def _check_reach(item: placed.Placed, namespaces: Collection[str], collector: Collector) -> None:
    manifest = item.manifest
    whole = manifest.annotations.get(SCOPE) == WHOLE_MESH
    if manifest.namespace == ROOT_NAMESPACE and not whole:
        sentence = f"{_named(item)} stands in Istio's root namespace, so it reaches namespaces that nobody declared"
        hint = f"move it to a declared namespace, or state the annotation `{SCOPE}: {WHOLE_MESH}`"
    elif manifest.namespace not in {*namespaces, ROOT_NAMESPACE, *_gateways()}:
        near = collector.nearest(manifest.namespace, namespaces) if manifest.namespace else None
        sentence = f"{_named(item)} stands in a namespace that is not declared"
        hint = f"did you mean {wording.quoted(near)}?" if near else f"declared: {wording.listed(namespaces)}"
    else:
        _check_exports(item, namespaces, whole=whole, collector=collector)
        return
    collector.report(
        catalogue.EXTRA_REACH,
        sentence,
        span=item.span("metadata", "namespace"),
        path="metadata.namespace",
        found=manifest.namespace,
        hint=hint,
    )


def _gateways() -> frozenset[str]:
    return names.RESERVED_NAMESPACES - {ROOT_NAMESPACE}


def _check_exports(item: placed.Placed, namespaces: Collection[str], *, whole: bool, collector: Collector) -> None:
    """Report what other namespaces would take over: without `exportTo` that is every one of them.

    Source: istio/api networking/v1/service_entry.proto, virtual_service.proto, destination_rule.proto, `export_to`.
    """
    spec = _spec(item.manifest)
    if item.manifest.kind not in _EXPORTED or whole:
        return
    gateways = spec.get("gateways")
    if item.manifest.kind == "VirtualService" and isinstance(gateways, list) and gateways and "mesh" not in gateways:
        return  # only the named gateways take it
    stated = spec.get("exportTo")
    listed: list[str] = [str(name) for name in stated] if isinstance(stated, list) else []
    wide = [name for name in listed if name not in {".", "~", *namespaces, *_gateways()}]
    if listed and not wide:
        return
    reach = f"is taken over by {wording.listed(wide)}" if wide else "is taken over by every namespace"
    collector.report(
        catalogue.EXTRA_REACH,
        f"{_named(item)} {reach}, and nobody declared that",
        span=item.span("spec", "exportTo"),
        path="spec.exportTo",
        found=", ".join(listed),
        hint=f'state `exportTo: ["."]` or declared namespaces, or the annotation `{SCOPE}: {WHOLE_MESH}`',
    )


def _check_selector(item: placed.Placed, services: Collection[model.Service], collector: Collector) -> None:
    labels = selector(item.manifest)
    here = [service for service in services if service.namespace == item.manifest.namespace]
    if not labels or not here or any(may_select(labels, service) for service in here):
        return
    shown = ", ".join(f"{key}: {value}" for key, value in sorted(labels.items()))
    known = (", ".join(f"{key}: {value}" for key, value in sorted(service.selector.items())) for service in here)
    collector.report(
        catalogue.EXTRA_SELECTOR,
        f"{_named(item)} selects no declared service of its namespace, so it would protect nothing",
        span=item.span("spec", _SELECTORS[item.manifest.kind][0]),
        path=f"spec.{'.'.join(_SELECTORS[item.manifest.kind])}",
        found=shown,
        hint=f"labels of services there: {wording.listed(known)}",
    )
