"""AuthorizationPolicy of the gateways: which hosts come in, who may leave by which name, who reaches istiod."""

from typing import Any

from policies.bundles import denial, gateways, objects, positions
from slipway.manifests.manifest import Manifest
from slipway.mesh import model


def _ingress_rules(host: model.IngressHost, mode: model.AuthorizationMode) -> list[dict[str, Any]]:
    """Return what the host's ALLOW says: by SNI where TLS is passed through, by host where requests are seen.

    A token is asked for on the TLS port only, the redirect needs none; not while decisions are rehearsed, because
    nothing rehearses a RequestAuthentication.
    """
    names = [host.host, f"{host.host}:*"]
    redirect = {"ports": [str(gateways.HTTP_PORT)], "hosts": names}
    https = {"ports": [str(gateways.HTTPS_PORT)], "hosts": names}
    if host.tls is model.IngressTls.PASSTHROUGH:
        operation = {"ports": [str(gateways.HTTPS_PORT)]}
        passed = {"to": [{"operation": operation}], "when": [{"key": "connection.sni", "values": [host.host]}]}
        return [passed, *([{"to": [{"operation": redirect}]}] if host.redirect_http else [])]
    if host.end_user is None or mode is not model.AuthorizationMode.ENFORCED:
        ports = sorted([*https["ports"], *(redirect["ports"] if host.redirect_http else [])])
        return [{"to": [{"operation": {"ports": ports, "hosts": names}}]}]
    when = [{"key": "request.auth.claims[iss]", "values": [host.end_user.issuer]}]
    if host.end_user.audiences:
        when.append({"key": "request.auth.audiences", "values": list(host.end_user.audiences)})
    with_token = {"to": [{"operation": https}], "when": when}
    return [with_token, *([{"to": [{"operation": redirect}]}] if host.redirect_http else [])]


def _jwt_rules(mesh: model.Mesh) -> list[dict[str, Any]]:
    """Return one rule per issuer: its keys, and every audience that some host accepts."""
    users = [host.end_user for host in mesh.ingress if host.end_user is not None]
    rules: list[dict[str, Any]] = []
    for issuer in sorted({item.issuer for item in users}):
        same = [item for item in users if item.issuer == issuer]
        audiences = (
            sorted({name for item in same for name in item.audiences}) if all(i.audiences for i in same) else []
        )
        keys = {"jwks": same[0].jwks} if same[0].jwks else {"jwksUri": same[0].jwks_uri}
        rules.append(
            {
                "issuer": issuer,
                **({"audiences": audiences} if audiences else {}),
                **keys,
                "forwardOriginalToken": True,
            }
        )
    return rules


def emit_end_user_authentication(mesh: model.Mesh) -> tuple[Manifest, ...]:
    """Return who the ingress gateway takes tokens from, for all hosts at once; services get the token as it came.

    It refuses wrong tokens at every host and cannot be rehearsed, so it comes with enforced authorization only.
    Source: istio/api security/v1/request_authentication.proto.
    """
    rules = _jwt_rules(mesh)
    mode = mesh.phases.authorization_of(namespace=gateways.INGRESS.namespace)
    if not rules or mode is not model.AuthorizationMode.ENFORCED:
        return ()
    return (
        objects.manifest(
            "RequestAuthentication",
            name="end-users",
            namespace=gateways.INGRESS.namespace,
            declared_at=gateways.clause(mesh, gateways.INGRESS),
            spec={"selector": {"matchLabels": gateways.INGRESS.selector}, "jwtRules": rules},
        ),
    )


def emit_ingress_authorization(mesh: model.Mesh) -> tuple[Manifest, ...]:
    """Return the ingress gateway's deny-all and one ALLOW per declared host, with and without a port in its name.

    The redirecting port is allowed as well: authorization is decided before the redirect is answered.
    """
    mode = mesh.phases.authorization_of(namespace=gateways.INGRESS.namespace)
    if not mesh.ingress or mode is model.AuthorizationMode.OFF:
        return ()
    allowed = [
        objects.manifest(
            "AuthorizationPolicy",
            name=f"{host.name}.host",
            namespace=gateways.INGRESS.namespace,
            declared_at=objects.clause(host.span, f"ingress.{host.name}"),
            spec={
                "selector": {"matchLabels": gateways.INGRESS.selector},
                "action": "ALLOW",
                "rules": _ingress_rules(host, mode),
            },
            annotations=positions.dry_run(mode),
        )
        for host in mesh.ingress
    ]
    declared_at = gateways.clause(mesh, gateways.INGRESS)
    denied = denial.deny_all(namespace=gateways.INGRESS.namespace, mode=mode, declared_at=declared_at)
    return (*denied, *allowed)


def emit_control_plane_authorization(mesh: model.Mesh) -> tuple[Manifest, ...]:
    """Return the ALLOW that leaves the east-west gateway nothing but the control plane's port, without identities.

    Its connections are passed through encrypted, so there is no peer identity here; istiod itself authenticates the
    machines. It is enforced in every phase: it also keeps machines connected when somebody refuses everything in
    the root namespace. The label is Slipway's own, because a selector in the root namespace reaches all namespaces.
    Source: istio/istio 1.29.1 pilot/pkg/networking/core/gateway.go; istio/api authorization_policy.proto, `selector`.
    """
    if not mesh.machines:
        return ()
    gateway = gateways.EAST_WEST
    operation = {"ports": [str(gateways.CONTROL_PLANE_PORT)]}
    return (
        objects.manifest(
            "AuthorizationPolicy",
            name=gateway.release,
            namespace=gateway.namespace,
            declared_at=gateways.clause(mesh, gateway),
            spec={
                "selector": {"matchLabels": {**gateway.selector, gateways.GATEWAY_LABEL: gateway.release}},
                "action": "ALLOW",
                "rules": [{"to": [{"operation": operation}]}],
            },
        ),
    )
