"""PeerAuthentication: who must come with a certificate of the mesh."""

from policies.bundles import gateways, objects, workloads
from slipway.manifests.manifest import Manifest
from slipway.mesh import model

_MODES = {model.MtlsMode.STRICT: "STRICT", model.MtlsMode.PERMISSIVE: "PERMISSIVE"}


def _default(
    *, namespace: str, mode: model.MtlsMode, declared_at: str, annotations: dict[str, str] | None = None
) -> Manifest:
    return objects.manifest(
        "PeerAuthentication",
        name="default",
        namespace=namespace,
        declared_at=declared_at,
        spec={"mtls": {"mode": _MODES[mode]}},
        annotations=annotations,
    )


def _namespace_end(mesh: model.Mesh, namespace: str) -> dict[str, str]:
    stated = [item.until for item in mesh.phases.exceptions if item.phase == "mtls" and item.name == namespace]
    return {objects.UNTIL: min(stated)} if stated else {}


def _plain_ports(mesh: model.Mesh, service: model.Service) -> dict[str, dict[str, str]]:
    """Return the workload ports that callers without a sidecar use, in Istio's form."""
    numbers = {service.port(call.port).number for _, call in mesh.plain_calls(service.name)}
    return {str(number): {"mode": _MODES[model.MtlsMode.PERMISSIVE]} for number in sorted(numbers)}


def _end(mesh: model.Mesh, service: model.Service, mode: model.MtlsMode) -> dict[str, str]:
    """Return until when plaintext is taken, as far as that is stated: the first day on which something ends."""
    ends = {caller.until for caller, _ in mesh.plain_calls(service.name)}
    if mode is model.MtlsMode.PERMISSIVE:
        names = {service.name, service.namespace}
        ends |= {item.until for item in mesh.phases.exceptions if item.phase == "mtls" and item.name in names}
    return {objects.UNTIL: min(ends)} if ends else {}


def _exceptions(mesh: model.Mesh, service: model.Service) -> list[Manifest]:
    mode = mesh.phases.mtls_of(namespace=service.namespace, service=service.name)
    ports = _plain_ports(mesh, service) if mode is model.MtlsMode.STRICT else {}
    if mode is mesh.phases.mtls_of(namespace=service.namespace) and not ports:
        return []
    return [
        objects.manifest(
            "PeerAuthentication",
            name=selection.name,
            namespace=service.namespace,
            declared_at=objects.clause(service.span, f"services.{service.name}"),
            spec={
                "selector": {"matchLabels": selection.labels},
                "mtls": {"mode": _MODES[mode]},
                **({"portLevelMtls": ports} if ports else {}),
            },
            annotations=_end(mesh, service, mode),
        )
        for selection in workloads.selections(service)
    ]


def emit_mtls(mesh: model.Mesh) -> tuple[Manifest, ...]:
    """Return one PeerAuthentication per declared namespace, one per exception, and STRICT for the gateways' own.

    Nothing is put into Istio's root namespace: there it would reach namespaces that nobody declared. A selector's
    policy is stronger than its namespace's.
    Source: istio/api security/v1beta1/peer_authentication.proto.
    """
    declared = [
        _default(
            namespace=name,
            mode=mesh.phases.mtls_of(namespace=name),
            declared_at=objects.namespace_clause(mesh, name),
            annotations=_namespace_end(mesh, name),
        )
        for name in mesh.namespaces
    ]
    own = [
        _default(namespace=name, mode=model.MtlsMode.STRICT, declared_at=declared_at)
        for name, declared_at in gateways.own_namespaces(mesh).items()
    ]
    exceptions = [item for service in mesh.services for item in _exceptions(mesh, service)]
    return (*declared, *own, *exceptions)
