"""Which mode of mutual TLS holds at a port of a workload.

Source: istio 1.29.1 pilot/pkg/security/authn/policy_applier.go, ComposePeerAuthentication, and
pilot/pkg/model/authentication.go. The oldest policy wins where several could; manifests have no age, so policies
that differ leave the mode open.
"""

from dataclasses import dataclass

from slipway.reachability.answers import Key
from slipway.reachability.objects import Mtls, PeerAuthentication, Workload
from slipway.reachability.world import World


@dataclass(frozen=True, slots=True, kw_only=True)
class Mode:
    """A mode and the policy that states it, None for the default."""

    mode: Mtls
    object: Key | None


_DEFAULT = Mode(mode=Mtls.PERMISSIVE, object=None)


def modes(world: World, workload: Workload, port: int) -> tuple[Mode, ...]:
    """Return the mode at a workload's port; several when policies of one scope differ. Never ``UNSET``."""
    parents = namespace_mode(world, workload.namespace)
    if workload.namespace == world.mesh.root_namespace:
        return parents
    applying = world.peer_authentications_for.of(workload.namespace, workload.labels)
    selected = [item for item in applying if item.selector]
    if not selected:
        return parents
    found: list[Mode] = []
    for item in selected:
        stated = item.ports.get(port, Mtls.UNSET)
        found += _meant(item, item.mode if stated is Mtls.UNSET else stated, parents)
    return _distinct(found)


def namespace_mode(world: World, namespace: str) -> tuple[Mode, ...]:
    """Return what the policies of the mesh and of a whole namespace say, which clients go by.

    Source: istio 1.29.1 pilot/pkg/model/push_context.go, BestEffortInferServiceMTLSMode.
    """
    parents = _stated(world.peer_authentications_for.of(world.mesh.root_namespace, {}), (_DEFAULT,))
    if namespace == world.mesh.root_namespace:
        return parents
    return _stated(world.peer_authentications_for.of(namespace, {}), parents)


def _stated(items: list[PeerAuthentication], parents: tuple[Mode, ...]) -> tuple[Mode, ...]:
    found: list[Mode] = []
    for item in items:
        found += _meant(item, item.mode, parents)
    return _distinct(found) if items else parents


def _meant(item: PeerAuthentication, mode: Mtls, parents: tuple[Mode, ...]) -> tuple[Mode, ...]:
    """Return what a policy that states ``mode`` says; any mode where it has fields that are not modelled."""
    if item.unmodelled:
        return tuple(Mode(mode=any_mode, object=item.key) for any_mode in Mtls if any_mode is not Mtls.UNSET)
    return parents if mode is Mtls.UNSET else (Mode(mode=mode, object=item.key),)


def _distinct(found: list[Mode]) -> tuple[Mode, ...]:
    """Return one entry per mode, in the order of the policies' names."""
    by_mode: dict[Mtls, Mode] = {}
    for item in sorted(found, key=lambda item: str(item.object)):
        by_mode.setdefault(item.mode, item)
    return tuple(by_mode.values())
