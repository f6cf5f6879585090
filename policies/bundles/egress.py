"""The way out: one set of objects per outside host, through the egress gateway, with mesh identity up to there."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from policies.bundles import denial, gateways, objects, overlay, positions, workloads
from slipway.manifests.manifest import Manifest
from slipway.mesh import model

# What proxies write into requests about the mesh: identities, peers, addresses, traces. It stays inside.
# Source: Envoy 1.37, "HTTP header manipulation"; Istio docs, observability, distributed tracing overview.
_OWN_HEADERS = (
    "b3",
    "traceparent",
    "tracestate",
    "x-b3-flags",
    "x-b3-parentspanid",
    "x-b3-sampled",
    "x-b3-spanid",
    "x-b3-traceid",
    "x-envoy-attempt-count",
    "x-envoy-decorator-operation",
    "x-envoy-external-address",
    "x-envoy-peer-metadata",
    "x-envoy-peer-metadata-id",
    "x-forwarded-client-cert",
    "x-forwarded-for",
)
_WITHOUT_OWN_HEADERS = {"request": {"remove": list(_OWN_HEADERS)}}
_MACHINES = f"{gateways.EGRESS.release}.machines"  # a dot, which no outside host's logical name has
AUTOALLOCATE_LABEL = "networking.istio.io/enable-autoallocate-ip"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Called:
    """An outside host with its callers."""

    host: model.ExternalHost
    callers: tuple[model.Service, ...]
    apart: bool

    @property
    def machines(self) -> tuple[str, ...]:
        """The calling machines that have a way of their own to the gateway, sorted."""
        return tuple(sorted({name for item in self.callers for name in item.machines})) if self.apart else ()

    @property
    def has_others(self) -> bool:
        """Whether somebody reaches the gateway's pods."""
        return not self.apart or any(item.workload is not None for item in self.callers)

    @property
    def declared_at(self) -> str:
        return objects.clause(self.host.span, f"external.{self.host.name}")

    @property
    def sni(self) -> str:
        """The name in the mesh's own TLS around the call: the host's, or one that stands for a wildcard's names."""
        return f"slipway-wildcard{self.host.host[1:]}" if self.host.host.startswith("*.") else self.host.host

    @property
    def visible_in(self) -> list[str]:
        """The callers' namespaces and the gateway's, and no other."""
        return sorted({gateways.EGRESS.namespace, *(item.namespace for item in self.callers)})


def _called(mesh: model.Mesh) -> tuple[_Called, ...]:
    found = [
        _Called(host=host, callers=mesh.external_callers(host.name), apart=overlay.is_apart(mesh))
        for host in sorted(mesh.externals, key=lambda item: item.name)
    ]
    return tuple(item for item in found if item.callers)


def _object(
    kind: str, called: _Called, *, spec: dict[str, Any], labels: dict[str, str] | None = None, name: str = ""
) -> Manifest:
    return objects.manifest(
        kind,
        name=name or called.host.name,
        namespace=gateways.EGRESS.namespace,
        declared_at=called.declared_at,
        spec=spec,
        labels=labels,
    )


def _service_entries(called: _Called) -> tuple[Manifest, ...]:
    """Return the host's registration: the gateway resolves it by DNS, with ``NONE`` it would loop to itself.

    No address is allocated for it: TLS is told apart by SNI and HTTP by its host, so applications keep whatever
    address they resolved. Over TCP the stated addresses are what callers connect to and what the gateway reaches.
    A wildcard resolves nothing; the one host that answers for its names is known to the gateway only.
    Source: istio/istio 1.29.1 pilot/pkg/networking/serviceentry/ip_autoallocation.go.
    """
    host = called.host
    entry = _service_entry(called, host.host, exported=called.visible_in)
    if not host.served_by:
        return (entry,)
    target = _service_entry(called, host.served_by, exported=["."], name=f"{host.name}.served-by")
    return (entry, target)


def _service_entry(called: _Called, name_in_dns: str, *, exported: list[str], name: str = "") -> Manifest:
    host = called.host
    addresses = list(host.addresses)
    resolution = "STATIC" if addresses else "NONE" if name_in_dns.startswith("*.") else "DNS"
    target = {} if host.origination is None else {"targetPort": host.origination.port}
    port = {"number": host.port, "name": host.protocol.value, "protocol": host.protocol.value.upper(), **target}
    spec = {
        "hosts": [name_in_dns],
        "location": "MESH_EXTERNAL",
        "resolution": resolution,
        "exportTo": exported,
        "ports": [port],
        **({"addresses": addresses, "endpoints": [{"address": item} for item in addresses]} if addresses else {}),
    }
    return _object("ServiceEntry", called, spec=spec, labels={AUTOALLOCATE_LABEL: "false"}, name=name)


def _gateway(called: _Called) -> Manifest:
    """Return the host's own server: it sees requests where callers speak HTTP, else bytes pass as they are."""
    is_http = called.host.protocol is model.ExternalProtocol.HTTP
    port = {
        "number": gateways.EGRESS_PORT,
        "name": f"{'https' if is_http else 'tls'}-{called.host.name}",
        "protocol": "HTTPS" if is_http else "TLS",
    }
    server = {"port": port, "hosts": [f"./{called.host.host}"], "tls": {"mode": "ISTIO_MUTUAL"}}
    return _object("Gateway", called, spec={"selector": gateways.EGRESS.selector, "servers": [server]})


def _virtual_service(called: _Called) -> Manifest:
    """Return the two hops: from a sidecar to the gateway by name or address, from the gateway to the host."""
    host = called.host
    gateway = f"{gateways.EGRESS.namespace}/{host.name}"
    subset = {"host": gateways.EGRESS.host, "subset": host.name, "port": {"number": gateways.EGRESS_PORT}}
    name, _ = host.target
    in_mesh: dict[str, Any] = {"gateways": ["mesh"], "port": host.port}
    if host.protocol is model.ExternalProtocol.TLS:
        in_mesh["sniHosts"] = [host.host]
    to_gateway = _from_machines(called, in_mesh)
    if called.has_others:
        to_gateway.append({"match": [in_mesh], "route": [{"destination": subset}]})
    to_host = {
        "match": [{"gateways": [gateway], "port": gateways.EGRESS_PORT}],
        "route": [{"destination": {"host": name, "port": {"number": host.port}}}],
    }
    hops = {
        model.ExternalProtocol.TLS: {"tls": to_gateway, "tcp": [to_host]},
        model.ExternalProtocol.HTTP: {"http": [*to_gateway, {**to_host, "headers": _WITHOUT_OWN_HEADERS}]},
        model.ExternalProtocol.TCP: {"tcp": [*to_gateway, to_host]},
    }[host.protocol]
    spec = {"hosts": [host.host], "exportTo": called.visible_in, "gateways": ["mesh", gateway], **hops}
    return _object("VirtualService", called, spec=spec)


def _from_machines(called: _Called, in_mesh: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the first hop of machines that do not reach the gateway's pods: to its load balancer for machines."""
    if not called.machines:
        return []
    matches = [{**in_mesh, "sourceLabels": {workloads.MACHINE_LABEL: name}} for name in called.machines]
    port = {"number": gateways.EGRESS_PORT}
    return [
        {
            "match": matches,
            "route": [{"destination": {"host": overlay.EGRESS_HOST, "subset": called.host.name, "port": port}}],
        }
    ]


def _origination(called: _Called) -> tuple[Manifest, ...]:
    """Return the TLS that the gateway makes, seen by the gateway only; without an authority the public ones count.

    The host's name is sent and verified: istiod fills in the names of the certificate from the host.
    Source: istio/istio 1.29.1 pilot/pkg/features `VERIFY_CERTIFICATE_AT_CLIENT`, `ENABLE_AUTO_SNI`; istio.io, Egress
    Gateways with TLS Origination.
    """
    origination = called.host.origination
    if origination is None:
        return ()
    names = {"sni": called.host.host, "subjectAltNames": [called.host.host]}
    secret = origination.certificate or origination.authority
    tls = {
        "mode": "MUTUAL" if origination.certificate else "SIMPLE",
        **({"credentialName": secret} if secret else {}),
        **names,
    }
    policy = {"portLevelSettings": [{"port": {"number": called.host.port}, "tls": tls}]}
    spec = {"host": called.host.host, "exportTo": ["."], "trafficPolicy": policy}
    return (_object("DestinationRule", called, spec=spec, name=f"{called.host.name}.origination"),)


def _authorization(mesh: model.Mesh, called: _Called) -> Manifest:
    """Return who may use this host's name: exact identities, and the name in the mesh's own TLS around the call."""
    principals = sorted({name for caller in called.callers for name in mesh.principals(caller.name)})
    operation: dict[str, Any] = {"ports": [str(gateways.EGRESS_PORT)]}
    if called.host.protocol is model.ExternalProtocol.HTTP:
        operation["hosts"] = [called.host.host, f"{called.host.host}:*"]
    rule = {
        "from": [{"source": {"principals": principals}}],
        "to": [{"operation": operation}],
        "when": [{"key": "connection.sni", "values": [called.sni]}],
    }
    return objects.manifest(
        "AuthorizationPolicy",
        name=f"{called.host.name}.callers",
        namespace=gateways.EGRESS.namespace,
        declared_at=called.declared_at,
        spec={"selector": {"matchLabels": gateways.EGRESS.selector}, "action": "ALLOW", "rules": [rule]},
        annotations=positions.dry_run(positions.egress_authorization(mesh)),
    )


def _destination_rule(mesh: model.Mesh, called: Sequence[_Called], *, name: str, host: str) -> Manifest:
    """Return one subset per host, each with its name as SNI, in one object for the gateway's name ``host``.

    Several rules for one host with different ``exportTo`` are merged or not depending on their order.
    Source: istio/istio 1.29.1 pilot/pkg/model/destination_rule.go, `mergeDestinationRule`.
    """
    subsets = [
        {
            "name": item.host.name,
            "trafficPolicy": {
                "portLevelSettings": [
                    {
                        "port": {"number": gateways.EGRESS_PORT},
                        "tls": {"mode": "ISTIO_MUTUAL", "sni": item.sni},
                    }
                ]
            },
        }
        for item in called
    ]
    return objects.manifest(
        "DestinationRule",
        name=name,
        namespace=gateways.EGRESS.namespace,
        declared_at=gateways.clause(mesh, gateways.EGRESS),
        spec={
            "host": host,
            "exportTo": sorted({name for item in called for name in item.visible_in}),
            "subsets": subsets,
        },
    )


def _for_machines(mesh: model.Mesh, called: Sequence[_Called]) -> tuple[Manifest, ...]:
    """Return the gateway as machines reach it that do not reach its pods: its load balancer, under its identity."""
    from_machines = [item for item in called if item.machines]
    if not from_machines:
        return ()
    spaces = {mesh.machine(name).namespace for item in from_machines for name in item.machines}
    port = {"number": gateways.EGRESS_PORT, "name": "tls", "protocol": "TLS"}
    spec = overlay.front(
        host=overlay.EGRESS_HOST,
        address=mesh.network.egress,
        port=port,
        account=gateways.EGRESS.release,
        callers=sorted(spaces),
    )
    entry = objects.manifest(
        "ServiceEntry",
        name=_MACHINES,
        namespace=gateways.EGRESS.namespace,
        declared_at=gateways.clause(mesh, gateways.EGRESS),
        spec=spec,
        labels={AUTOALLOCATE_LABEL: "false"},
    )
    return (entry, _destination_rule(mesh, from_machines, name=_MACHINES, host=overlay.EGRESS_HOST))


def emit_egress(mesh: model.Mesh) -> tuple[Manifest, ...]:
    """Return what leads declared callers to outside hosts; nothing while the way out is open.

    The caller's own TLS is carried inside the mesh's mutual TLS, so the gateway knows who calls and by which name.
    While ``observed`` the way leads through the gateway and its decision is rehearsed.
    """
    called = _called(mesh)
    if not called or mesh.phases.egress is model.EgressMode.OPEN:
        return ()
    denied = denial.deny_all(
        namespace=gateways.EGRESS.namespace,
        mode=positions.egress_authorization(mesh),
        declared_at=gateways.clause(mesh, gateways.EGRESS),
    )
    per_host = [
        item
        for one in called
        for item in (
            *_service_entries(one),
            _gateway(one),
            _virtual_service(one),
            *_origination(one),
            _authorization(mesh, one),
        )
    ]
    rule = _destination_rule(mesh, called, name=gateways.EGRESS.release, host=gateways.EGRESS.host)
    return (*denied, rule, *_for_machines(mesh, called), *per_host)
