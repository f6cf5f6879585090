"""A difference is exactly what asking every question of both worlds finds, one caller and one request at a time."""

from typing import Any

import reachability_worlds
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from slipway import reachability
from slipway.reachability import classes, inbound, registry, survey

_PATIENT = settings(max_examples=40, suppress_health_check=list(HealthCheck))
_MESH_CONFIGS = st.sampled_from([{}, {"outboundTrafficPolicy": {"mode": "REGISTRY_ONLY"}}])
_READ_AS_HTTP = frozenset({"http", "undeclared"})

Tuple = tuple[str, reachability.Destination, str]


def _kinds(compared: Any, destination: reachability.Destination, protocol: str) -> list[classes.Kind | None]:
    if protocol not in _READ_AS_HTTP:
        return [None]
    return list(classes.kinds(compared.get(destination, classes.NONE)))


def _answers(world: reachability.World, compared: Any) -> dict[Tuple, reachability.Answer]:
    """Return the answer to every question, each asked by itself."""
    found: dict[Tuple, reachability.Answer] = {}
    known = registry.Registry(world)
    callers: dict[str, Any] = {
        f"{item.namespace}/{item.name}": reachability.Workload(namespace=item.namespace, name=item.name)
        for item in world.workloads
        if item.proxy.value != "gateway"
    }
    for destination, (service, port) in survey.destinations(world).items():
        meshed = any(target.workload is not None for target in known.targets(service, port))
        stranger = {reachability.PLAINTEXT: reachability.Plain(address="")} if meshed else {}
        for kind in _kinds(compared, destination, port.protocol.value):
            for name, source in {**callers, **stranger}.items():
                question = reachability.Question(
                    source=source,
                    destination=reachability.Host(name=destination.host),
                    port=destination.port,
                    application=None if kind else inbound.application_of(port.protocol),
                    method=kind.method if kind else None,
                    path=kind.path if kind else None,
                    headers=kind.headers if kind else (),
                )
                found[name, destination, kind.label if kind else ""] = reachability.decide(world, question)
    return found


def _compared(*worlds: reachability.World) -> dict[reachability.Destination, classes.Patterns]:
    found: dict[reachability.Destination, classes.Patterns] = {}
    for world in worlds:
        for key, item in survey.patterns(world).items():
            found[key] = found.get(key, classes.NONE) | item
    return found


def _allowed(answers: dict[Tuple, reachability.Answer]) -> set[Tuple]:
    return {key for key, item in answers.items() if item.outcome is reachability.Outcome.ALLOWED}


def _moved(changes: Any) -> list[Tuple]:
    return [(source, item.destination, item.kind) for item in changes for source in item.sources]


@_PATIENT
@given(st.data(), _MESH_CONFIGS)
def test_difference_is_what_asking_one_by_one_finds(data, mesh_config):
    objects = data.draw(reachability_worlds.manifests())
    before = reachability_worlds.world(objects, **mesh_config)
    after = reachability_worlds.world(data.draw(reachability_worlds.changed(objects)), **mesh_config)
    compared = _compared(before, after)
    old, new = _answers(before, compared), _answers(after, compared)
    found = reachability.diff(before, after)
    gained, lost, changed = (_moved(item) for item in (found.gained, found.lost, found.changed))
    assert sorted(gained) == sorted(_allowed(new) - _allowed(old))
    assert sorted(lost) == sorted(_allowed(old) - _allowed(new))
    both = _allowed(old) & _allowed(new)
    assert sorted(changed) == sorted(key for key in both if old[key].transport is not new[key].transport)
    for item in (*found.gained, *found.lost, *found.changed):
        for source in item.sources:
            key = (source, item.destination, item.kind)
            assert _told(item.before) == _told(old.get(key))
            assert _told(item.after) == _told(new.get(key))


def _told(item: reachability.Answer | None) -> object:
    return item and (item.outcome, item.seen, item.transport)


@_PATIENT
@given(reachability_worlds.manifests(), _MESH_CONFIGS)
def test_matrix_is_what_asking_one_by_one_finds(objects, mesh_config):
    world = reachability_worlds.world(objects, **mesh_config)
    one_by_one = _answers(world, survey.patterns(world))
    matrix = reachability.matrix(world)
    at_once = {
        (source, row.destination, row.kind): item
        for row in matrix.rows
        for sources, item in row.named(matrix.sources)
        for source in sources
    }
    assert at_once.keys() == one_by_one.keys()
    for key, item in at_once.items():
        assert _told(item) == _told(one_by_one[key]), key
