"""All pairs at once give what one question at a time gives, and a difference what two matrices differ in."""

import dataclasses
from typing import Any

from bundle_meshes import meshes
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from test_reachability_declared import _answers

from slipway import reachability
from slipway.cli import worlds
from slipway.reachability import classes, survey

_PATIENT = settings(max_examples=25, suppress_health_check=[HealthCheck.too_slow])


@_PATIENT
@given(meshes())
def test_matrix_is_every_question(mesh):
    world = worlds.compiled(mesh)
    for destination, kind, outcomes in _answers(world):
        for name, answer in outcomes.items():
            if name == reachability.PLAINTEXT:
                continue
            namespace, _, workload = name.partition("/")
            asked = reachability.Question(
                source=reachability.Workload(namespace=namespace, name=workload),
                destination=reachability.Host(name=destination.host),
                port=destination.port,
                method=kind.method if kind else None,
                path=kind.path if kind else None,
                headers=kind.headers if kind else (),
            )
            alone = reachability.decide(world, asked)
            assert (alone.outcome, alone.seen) == (answer.outcome, answer.seen), (asked, alone, answer)


def _tuples(world, compared) -> Any:
    sources = survey.source_names(world)
    return {(call[0], call[1], call[2]) for call in survey.computed(world, sources, compared).calls()}


def _moved(changes) -> Any:
    return {(source, item.destination, item.kind) for item in changes for source in item.sources}


@_PATIENT
@given(meshes(), meshes())
def test_difference_is_what_brute_force_finds(first, second):
    before, after = worlds.compiled(first), worlds.compiled(second)
    old, new = survey.patterns(before), survey.patterns(after)
    compared = {key: old.get(key, classes.NONE) | new.get(key, classes.NONE) for key in {*old, *new}}
    found = reachability.diff(before, after)
    assert _moved(found.gained) == _tuples(after, compared) - _tuples(before, compared)
    assert _moved(found.lost) == _tuples(before, compared) - _tuples(after, compared)


@_PATIENT
@given(meshes(), st.data())
def test_difference_of_policies_alone_is_what_brute_force_finds(mesh, data):
    before = worlds.compiled(mesh)
    kept = {
        name: tuple(item for item in getattr(before, name) if data.draw(st.booleans()))
        for name in ("authorization_policies", "peer_authentications")
    }
    after = dataclasses.replace(before, **kept)
    old, new = survey.patterns(before), survey.patterns(after)
    compared = {key: old.get(key, classes.NONE) | new.get(key, classes.NONE) for key in {*old, *new}}
    found = reachability.diff(before, after)
    assert _moved(found.gained) == _tuples(after, compared) - _tuples(before, compared)
    assert _moved(found.lost) == _tuples(before, compared) - _tuples(after, compared)


@_PATIENT
@given(meshes())
def test_no_difference_to_itself(mesh):
    assert not reachability.diff(worlds.compiled(mesh), worlds.compiled(mesh))
