"""The same bytes in any order and under any hash seed, and fewer calls when a call is taken away."""

import dataclasses
from typing import Any

from bundle_meshes import meshes
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from test_bundles_golden import CASES, load_case

from benchmarks import shuffled
from slipway import reachability
from slipway.cli import worlds
from slipway.mesh import model


def test_every_case_has_the_same_bytes_in_any_order_under_any_hash_seed():
    first, second = shuffled.under_seeds(shuffles=3, seeds=2)
    assert first == second
    assert {name for name, found in first.items() if len(found) != 1} == set()
    assert len(first) == len(list(CASES.iterdir()))


def _without(mesh, caller, call) -> model.Mesh:
    services = tuple(
        dataclasses.replace(
            item,
            service_calls=tuple(other for other in item.service_calls if other is not call),
            external_calls=tuple(other for other in item.external_calls if other is not call),
        )
        if item is caller
        else item
        for item in mesh.services
    )
    return dataclasses.replace(mesh, services=services)


def _gained(mesh, caller, call) -> list[tuple[Any, ...]]:
    changes = reachability.diff(worlds.compiled(mesh), worlds.compiled(_without(mesh, caller, call))).gained
    return [(change.sources, change.destination, change.kind) for change in changes]


def _calls(mesh) -> list[tuple[model.Service, Any]]:
    return [(item, call) for item in mesh.services for call in (*item.service_calls, *item.external_calls)]


@settings(max_examples=25, suppress_health_check=[HealthCheck.too_slow])
@given(mesh=meshes(), data=st.data())
def test_taking_a_call_away_never_allows_more(mesh, data):
    if calls := _calls(mesh):
        assert _gained(mesh, *data.draw(st.sampled_from(calls))) == []


def test_taking_any_call_of_a_case_away_never_allows_more():
    for case in ("example", "moving"):
        mesh = load_case(case)
        for caller, call in _calls(mesh):
            assert _gained(mesh, caller, call) == []


def test_taking_the_only_call_away_does_refuse_it():
    mesh = load_case("example")
    storefront = mesh.service("storefront")
    after = _without(mesh, storefront, storefront.service_calls[0])
    lost = reachability.diff(worlds.compiled(mesh), worlds.compiled(after)).lost
    assert {(source, change.destination.host) for change in lost for source in change.sources} >= {
        ("shop/storefront", "orders.shop.svc.cluster.local")
    }
