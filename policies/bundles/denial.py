"""The policy that refuses whatever no other one allows."""

from policies.bundles import objects, positions
from slipway.manifests.manifest import Manifest
from slipway.mesh import model


def deny_all(*, namespace: str, mode: model.AuthorizationMode, declared_at: str) -> tuple[Manifest, ...]:
    """Return the policy that refuses whatever no other one of ``namespace`` allows; none while switched off.

    Source: istio.io security/authorization, "allow-nothing policy": an ALLOW without rules never matches.
    """
    if mode is model.AuthorizationMode.OFF:
        return ()
    return (
        objects.manifest(
            "AuthorizationPolicy",
            name="deny-all",
            namespace=namespace,
            declared_at=declared_at,
            spec={},
            annotations=positions.dry_run(mode),
        ),
    )
