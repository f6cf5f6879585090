"""Istio objects that are there: what the draft says instead of them, what stays beside it, what is in its way."""

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field

from slipway.diagnostics import Collector
from slipway.inventory.drafting import authorization, parts
from slipway.manifests.manifest import Manifest
from slipway.mesh import names, values
from slipway.mesh.shape import Rejected
from slipway.reachability.fields import Fields

ROOT = "istio-system"
_OURS = {"app.kubernetes.io/managed-by": "slipway"}
_TAKEN, _ALONE, _WAY = parts.Verdict.TAKEN_OVER, parts.Verdict.LEFT_ALONE, parts.Verdict.IN_THE_WAY
_PROTOCOLS = {
    "TLS": "tls",
    "HTTPS": "tls",
    "HTTP": "http",
    "HTTP2": "http",
    "TCP": "tcp",
    "MONGO": "tcp",
    "MYSQL": "tcp",
}
_FILTERS = frozenset({"EnvoyFilter", "WasmPlugin", "TrafficExtension"})


_Judged = tuple[parts.Verdict, str]


@dataclass(slots=True, kw_only=True)
class Configured:
    """What objects are judged by, and what they add to the draft.

    ``identities`` are drafted services by namespace and ServiceAccount, where only one service has it; calls that
    policies allow are added to ``calls``. ``strict`` is the mesh's mode and ``mtls`` that of namespaces which say
    their own; ``foreign_traffic`` names services that are routed already.
    """

    services: Collection[parts.Service]
    namespaces: Collection[str]
    identities: Mapping[tuple[str, str], str]
    calls: parts.Calls
    notes: list[parts.Note] = field(default_factory=list)
    externals: dict[str, parts.External] = field(default_factory=dict)
    strict: bool = False
    mtls: dict[str, str] = field(default_factory=dict)
    foreign_traffic: set[str] = field(default_factory=set)

    def judge(self, objects: Iterable[Manifest]) -> None:
        """Note what becomes of each object."""
        for item in sorted(objects, key=lambda found: found.key):
            spec = Fields(item.body.get("spec"), item.kind, Collector())  # typed by the API server: nothing to report
            verdict, reason = self._wherever(item, spec) or self._in_a_drafted_namespace(item, spec)
            self.notes.append(
                parts.Note(namespace=item.namespace, kind=item.kind, name=item.name, verdict=verdict, reason=reason)
            )

    def _wherever(self, item: Manifest, spec: Fields) -> _Judged | None:
        if all(item.labels.get(key) == value for key, value in _OURS.items()):
            return _TAKEN, "Slipway made it"
        if item.kind in _FILTERS:
            return _ALONE, "nothing can say what it opens: wherever it acts, `can-i` answers unknown"
        if item.namespace in self.namespaces:
            return None
        if item.namespace == ROOT and item.kind == "PeerAuthentication":
            return _peer(item, spec, self)
        where = "the whole mesh" if item.namespace == ROOT else "a namespace that is not drafted"
        return _ALONE, f"it is about {where}"

    def _in_a_drafted_namespace(self, item: Manifest, spec: Fields) -> _Judged:
        if item.kind == "AuthorizationPolicy":
            return authorization.judge(item, services=self.services, identities=self.identities, calls=self.calls)
        if item.kind in _OTHERS:
            return _OTHERS[item.kind](item, spec)
        return _ADDING.get(item.kind, _unknown)(item, spec, self)


def _peer(item: Manifest, spec: Fields, found: Configured) -> _Judged:
    mode = spec.map("mtls").text("mode", "UNSET")
    whole = not spec.map("selector").labels("matchLabels") and not spec.keyed("portLevelMtls")
    if not whole or mode == "DISABLE":
        what = "switches mutual TLS off" if mode == "DISABLE" else "selects workloads or ports"
        return _WAY, f"it {what} and is stronger than `phase.mtls`; delete it before that becomes strict"
    if item.namespace == ROOT:
        found.strict = found.strict or mode == "STRICT"
        return (
            _ALONE,
            "it is about the whole mesh; `phase.mtls` is drafted like it, and counts in declared namespaces",
        )
    if mode in {"STRICT", "PERMISSIVE"}:
        found.mtls[item.namespace] = mode.lower()
    if item.name == "default":
        return _TAKEN, "as `phase.mtls`; Slipway's has the same name and replaces it"
    return _WAY, "as `phase.mtls`, and Istio takes the older of two for a namespace: delete it with the first `up`"


def _host(text: str, namespace: str) -> str:
    return text if "." in text else f"{text}.{namespace}.svc.cluster.local"


def _routes(item: Manifest, spec: Fields, found: Configured) -> _Judged:
    hosts = spec.texts("hosts") if item.kind == "VirtualService" else (spec.text("host"),)
    gateways = spec.texts("gateways") if item.kind == "VirtualService" else ()
    full = {_host(host, item.namespace) for host in hosts}
    mine = [
        service.name
        for service in found.services
        if service.kubernetes_service
        and f"{service.kubernetes_service}.{service.namespace}.svc.cluster.local" in full
    ]
    if mine and (not gateways or "mesh" in gateways):
        found.foreign_traffic.update(mine)
        return _ALONE, f"`traffic: external` leaves the routes of {', '.join(sorted(mine))} to it"
    if gateways:
        return _ALONE, "it routes what a gateway of its own takes; declare the host under `ingress` to let Slipway's"
    return _ALONE, "it routes no drafted service"


def _entry(_item: Manifest, spec: Fields, found: Configured) -> _Judged:
    hosts, ports = spec.texts("hosts"), spec.maps("ports")
    if spec.text("location") == "MESH_INTERNAL" or spec.map("workloadSelector"):
        return _WAY, "it names endpoints in the mesh; declare the service with `runsOn` and `names`, then delete it"
    if len(hosts) != 1 or len(ports) != 1:
        return _WAY, "it has several hosts or ports; declare each under `external`, then delete it"
    number, protocol = ports[0].number("number") or 0, _PROTOCOLS.get(ports[0].text("protocol").upper(), "")
    addresses = tuple(sorted(spec.texts("addresses") or (e.text("address") for e in spec.maps("endpoints"))))
    try:
        host = values.parse_outside_host(hosts[0])
        for address in addresses:
            values.parse_address(address)
    except Rejected as rejected:
        return _WAY, f"{rejected.sentence}; declare it under `external`, then delete it"
    if host.startswith("*") or not protocol or (protocol == "tcp" and not addresses):
        why = "a wildcard needs `servedBy`" if host.startswith("*") else "over TCP a host needs its addresses"
        return _WAY, f"{why}; declare it under `external`, then delete it"
    if host in found.externals:
        return _WAY, f"{host} has two of them, and `external` has it once"
    found.externals[host] = parts.External(
        name=external_name(host),
        host=host,
        protocol=protocol,
        port=number,
        addresses=addresses if protocol == "tcp" else (),
    )
    return _TAKEN, f"as `external: {external_name(host)}`; delete it once Slipway's is there"


def external_name(host: str) -> str:
    """Return the logical name of an outside host: its name with `-` for dots."""
    return names.label(*host.split("."))


def _sidecar(item: Manifest, spec: Fields) -> _Judged:
    if spec.map("workloadSelector").labels("labels"):
        return _WAY, "two Sidecars for one workload are undefined; delete it before scopes narrow"
    if item.name == "default":
        return _ALONE, "Slipway's Sidecars select workloads, which is stronger"
    return _ALONE, "it is the namespace's; Slipway's Sidecars select workloads, which is stronger"


def _telemetry(item: Manifest, spec: Fields) -> _Judged:
    if item.name == "default":
        return _WAY, "Slipway's Telemetry has the same name and replaces it"
    if not spec.map("selector").labels("matchLabels"):
        return _WAY, "of two for a namespace Istio takes the older; Slipway writes one of its own"
    return _ALONE, "it selects workloads, which is stronger than Slipway's"


def _machine(item: Manifest, spec: Fields) -> _Judged:
    address = spec.text("address") or "..."
    return _WAY, (
        f"a machine is declared: `machines: {{{item.name}: {{address: {address}}}}}` and `runsOn: [{item.name}]`; "
        "Slipway writes the entry then"
    )


def _token(_item: Manifest, _spec: Fields) -> _Judged:
    return _ALONE, "it stays in force; `ingress: {...: {endUser: ...}}` declares tokens at the way in"


def _gateway(_item: Manifest, spec: Fields) -> _Judged:
    hosts = sorted({host for server in spec.maps("servers") for host in server.texts("hosts")})
    return _ALONE, f"it serves {', '.join(hosts)}; declare them under `ingress` to let Slipway's gateway do it"


def _unknown(_item: Manifest, _spec: Fields, _found: Configured) -> _Judged:
    return _ALONE, "Slipway makes no such object"


_OTHERS: Mapping[str, Callable[[Manifest, Fields], _Judged]] = {
    "Sidecar": _sidecar,
    "Telemetry": _telemetry,
    "WorkloadEntry": _machine,
    "WorkloadGroup": _machine,
    "RequestAuthentication": _token,
    "Gateway": _gateway,
}
_ADDING: Mapping[str, Callable[[Manifest, Fields, Configured], _Judged]] = {
    "PeerAuthentication": _peer,
    "VirtualService": _routes,
    "DestinationRule": _routes,
    "ServiceEntry": _entry,
}
