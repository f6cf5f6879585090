"""The world of applied objects in their surroundings."""

from collections.abc import Iterable

from slipway.manifests.manifest import Manifest
from slipway.manifests.surroundings import Surroundings
from slipway.reachability import reading
from slipway.reachability.world import Engine, World

_DECLARED_AT = "slipway.dev/declared-at"


def read_applied(objects: Iterable[Manifest], surroundings: Surroundings) -> World:
    """Return the world of these objects; what the surroundings hold under the same key gives way to them.

    The origin of an object is where it says that it was declared. Raises DiagnosticsError as :func:`reading.read`.
    """
    applied = tuple(objects)
    keys = {item.key for item in applied}
    manifests = [*applied, *(item for item in surroundings.manifests if item.key not in keys)]
    return reading.read(
        manifests,
        mesh_config=surroundings.mesh_config,
        nsg=surroundings.nsg,
        origins={item.key: item.annotations.get(_DECLARED_AT, "") for item in manifests},
        pod_network=surroundings.pod_network,
        virtual_network=surroundings.virtual_network,
        pods_seen_as=surroundings.pods_seen_as,
        gateways_scoped=surroundings.gateways_scoped,
        engine=Engine(surroundings.network_policies or Engine.UNKNOWN.value),
    )
