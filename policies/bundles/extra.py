"""Objects that somebody wrote by hand: marked as part of the bundle, refused where they collide with ours."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from policies.bundles import objects, positions
from slipway.diagnostics import Collector, catalogue, wording
from slipway.manifests.manifest import Manifest
from slipway.mesh import extra, model


def admit(mesh: model.Mesh, ours: Sequence[Manifest]) -> tuple[Manifest, ...]:
    """Return the objects of ``stacks/extra`` with our label and origin, beside ``ours``.

    Raises DiagnosticsError (MESH0703) for each that has the name of one of ours, means the same workloads or hosts
    as one, refuses what a phase still lets through, or lets through what a phase refuses.
    """
    if not mesh.extra:
        return ()
    collector = Collector()
    there = {item.key: item for item in ours}
    by_kind: dict[str, list[Manifest]] = {}
    for item in ours:
        by_kind.setdefault(item.kind, []).append(item)
    for item in mesh.extra:
        if item.manifest.key in there:
            _report(item, there[item.manifest.key], "has the same name", "rename it", collector)
        else:
            _check(mesh, item, by_kind.get(item.manifest.kind, ()), collector)
    collector.stop_on_errors()
    return tuple(_marked(item) for item in mesh.extra)


def _marked(item: model.Extra) -> Manifest:
    manifest = item.manifest
    return replace(
        manifest,
        labels={**manifest.labels, **objects.MANAGED_BY},
        annotations={**manifest.annotations, objects.DECLARED_AT: item.span.file},
    )


def _named(manifest: Manifest) -> str:
    return wording.quoted(f"{manifest.kind} {manifest.namespace}/{manifest.name}")


def _report(item: model.Extra, other: Manifest, why: str, hint: str, collector: Collector) -> None:
    origin = other.annotations.get(objects.DECLARED_AT, "")
    collector.report(
        catalogue.EXTRA_COLLISION,
        f"{_named(item.manifest)} collides with Slipway's {_named(other)} (of {origin}): it {why}",
        span=item.span,
        path="metadata.name",
        found=item.manifest.name,
        hint=hint,
    )


def _check(mesh: model.Mesh, item: model.Extra, ours: Iterable[Manifest], collector: Collector) -> None:
    kind = item.manifest.kind
    compare = _COMPARISONS.get(kind)
    for other in ours if compare is not None else ():
        told = compare(item.manifest, other) if compare is not None else ""
        if told:
            _report(item, other, told, _HINTS.get(kind, _ELSE), collector)
    if kind == "AuthorizationPolicy":
        _check_provider(mesh, item, collector)
        _check_phase(mesh, item, collector)
    elif kind == "Sidecar":
        _check_outbound(mesh, item, collector)
    elif kind == "WorkloadEntry":
        _check_machine(mesh, item, collector)
    elif kind in _ROUTING:
        _check_services(mesh, item, collector)


def _check_provider(mesh: model.Mesh, item: model.Extra, collector: Collector) -> None:
    """Report a policy that asks somebody whom istiod cannot know: it would refuse everything.

    Source: istio/istio 1.29.1 pilot/pkg/security/authz/builder/extauthz.go.
    """
    spec = _spec(item.manifest)
    if spec.get("action") == "CUSTOM" and mesh.platform is not model.PlatformKind.EXISTING:
        provider = str(_map(spec, "provider").get("name", ""))
        collector.report(
            catalogue.EXTRA_KIND,
            f"{_named(item.manifest)} asks the provider {wording.quoted(provider)}, which the mesh configuration of "
            "Slipway does not have: everything would be refused",
            span=item.span,
            path="spec.provider.name",
            found=provider,
            hint="allow by identity, method and path; tokens of end users are declared with `endUser`",
        )


def _check_phase(mesh: model.Mesh, item: model.Extra, collector: Collector) -> None:
    """Report an ALLOW that is enforced where calls are not yet: beside it, everything else would be refused."""
    manifest = item.manifest
    if _spec(manifest).get("action", "ALLOW") != "ALLOW" or manifest.annotations.get(positions.DRY_RUN) == "true":
        return
    labels = extra.selector(manifest)
    for service in mesh.services:
        mode = mesh.phases.authorization_of(namespace=service.namespace, service=service.name)
        selected = service.namespace == manifest.namespace and (not labels or extra.may_select(labels, service))
        if selected and mode is not model.AuthorizationMode.ENFORCED:
            collector.report(
                catalogue.EXTRA_COLLISION,
                f"{_named(manifest)} allows, so it refuses everything else of {wording.quoted(service.name)}, whose "
                f"position of `phase.authorization` is `{mode.value}`",
                span=item.span,
                path="spec.action",
                found="ALLOW",
                hint=f'add the annotation `{positions.DRY_RUN}: "true"` until the position is `enforced`',
            )
            return


def _check_outbound(mesh: model.Mesh, item: model.Extra, collector: Collector) -> None:
    """Report a scope that sends anywhere while the way out is locked; one that says nothing takes the mesh's word.

    Source: istio/istio 1.29.1 pilot/pkg/model/sidecar.go `convertToSidecarScope`.
    """
    mode = str(_map(_spec(item.manifest), "outboundTrafficPolicy").get("mode", ""))
    if item.manifest.namespace in mesh.namespaces and mode != positions.outbound_mode(mesh) == positions.KNOWN_ONLY:
        collector.report(
            catalogue.EXTRA_COLLISION,
            f"{_named(item.manifest)} sends what it does not know anywhere, and `phase.egress` is `locked`",
            span=item.span,
            path="spec.outboundTrafficPolicy.mode",
            found=mode,
            hint=f"state `outboundTrafficPolicy: {{mode: {positions.KNOWN_ONLY}}}`",
        )


def _check_machine(mesh: model.Mesh, item: model.Extra, collector: Collector) -> None:
    """Report an entry that would get requests meant for a declared service."""
    spec = _spec(item.manifest)
    labels = {str(key): str(value) for key, value in _map(spec, "labels").items()}
    for service in mesh.services:
        held = service.selector.items() <= labels.items()
        if service.namespace == item.manifest.namespace and held:
            address = spec.get("address", "...")
            collector.report(
                catalogue.EXTRA_COLLISION,
                f"{_named(item.manifest)} gets requests of {wording.quoted(service.name)} and is no declared machine",
                span=item.span,
                path="spec.labels",
                found=item.manifest.name,
                hint=f"declare `machines: {{{item.manifest.name}: {{address: {address}}}}}` and `runsOn` instead",
            )


def _check_services(mesh: model.Mesh, item: model.Extra, collector: Collector) -> None:
    """Report routes and entries of a declared service's host, unless its traffic is left to others."""
    for service in mesh.services:
        known = {service.host, *service.names}
        routed = item.manifest.kind != "ServiceEntry" and service.traffic.external
        shared = sorted(name for name in known if _holds(_hosts(item.manifest), name)) if not routed else []
        if shared:
            name = wording.quoted(service.name)
            collector.report(
                catalogue.EXTRA_COLLISION,
                f"{_named(item.manifest)} is about {wording.quoted(shared[0])}, which is {name}",
                span=item.span,
                path="spec.host" if item.manifest.kind == "DestinationRule" else "spec.hosts",
                found=shared[0],
                hint=_HINTS.get(item.manifest.kind, f"say it in the declaration of {service.name}"),
            )


def _spec(manifest: Manifest) -> Mapping[str, Any]:
    return _map(manifest.body, "spec")


def _map(value: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    found = value.get(key)
    return found if isinstance(found, Mapping) else {}


def _texts(value: Any) -> list[str]:
    return [str(item) for item in value] if isinstance(value, list) else []


def _hosts(manifest: Manifest) -> set[str]:
    """Return the hosts that an object is about, short ones in full."""
    spec = _spec(manifest)
    found = [*_texts(spec.get("hosts")), *([str(spec["host"])] if "host" in spec else [])]
    servers = spec.get("servers")
    for server in servers if isinstance(servers, list) else ():
        found += [host.rpartition("/")[2] for host in _texts(_map({"server": server}, "server").get("hosts"))]
    return {
        host if "." in host or host == "*" else f"{host}.{manifest.namespace}.svc.cluster.local" for host in found
    }


def _holds(hosts: Iterable[str], name: str) -> bool:
    return any(host == name or (host.startswith("*") and name.endswith(host[1:])) for host in hosts)


def _same_hosts(one: Manifest, other: Manifest) -> str:
    mine, theirs = _hosts(one), _hosts(other)
    shared = sorted({name for name in theirs if _holds(mine, name)} | {name for name in mine if _holds(theirs, name)})
    return f"is about {wording.quoted(shared[0])} too" if shared else ""


def _same_workloads(one: Manifest, other: Manifest) -> str:
    """Return why two objects of a kind that may be there once mean the same workloads, or nothing."""
    if one.namespace != other.namespace:
        return ""
    mine, theirs = extra.selector(one), extra.selector(other)
    if bool(mine) is not bool(theirs):
        return ""  # that of the workload is stronger than that of its namespace
    clash = any(mine[key] != theirs[key] for key in mine.keys() & theirs.keys())
    return "" if clash else "is for the same workloads, of which Istio takes one"


_ROUTING = frozenset({"ServiceEntry", "VirtualService", "DestinationRule"})
_COMPARISONS: Mapping[str, Callable[[Manifest, Manifest], str]] = {
    **dict.fromkeys((*_ROUTING, "Gateway"), _same_hosts),
    **dict.fromkeys(("PeerAuthentication", "Sidecar", "Telemetry"), _same_workloads),
}
_ELSE = "remove it, or leave the clause out of the declaration"
_HINTS: Mapping[str, str] = {
    "VirtualService": "state `traffic: external` for the service, or say it in the declaration",
    "DestinationRule": "state `traffic: external` for the service, or say it in the declaration",
    "PeerAuthentication": "state an exception of `phase.mtls` instead",
    "Telemetry": "select workloads, or remove it",
    "Sidecar": "remove it: scopes follow the declared calls",
}
