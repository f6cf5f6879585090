"""What the analyser reads out of compiled objects is what the declaration says, computed here by itself."""

import dataclasses
import re
from typing import Any

import pytest
from bundle_example import PHASES
from bundle_meshes import meshes
from hypothesis import HealthCheck, given, settings
from test_bundles_golden import CASES, load_case

from policies.bundles import surroundings
from slipway import reachability
from slipway.cli import worlds
from slipway.mesh import model
from slipway.reachability import classes, survey


def _runners(service) -> Any:
    """Return the workloads that run a service."""
    own = [name for name, _ in surroundings.pods_of(service)] if service.workload is not None else []
    return {f"{service.namespace}/{name}" for name in (*own, *service.machines)}


def _path_fits(pattern, path) -> Any:
    if "{" not in pattern:
        return pattern in ("*", path) or (pattern.endswith("/*") and path.startswith(pattern[:-1]))
    parts = re.split(r"(\{\*\*?\})", pattern)
    return re.fullmatch("".join({"{*}": "[^/]+", "{**}": ".*"}.get(part, re.escape(part)) for part in parts), path)


def _matches(call, kind) -> Any:
    def one(item) -> Any:
        return item.method in ("*", kind.method) and _path_fits(item.path, kind.path)

    headers = dict(kind.headers)
    fits = all(headers.get(name) in values for name, values in call.headers)
    return fits and (not call.http or any(one(item) for item in call.http))


def _declared(mesh, host, port, kind) -> Any:
    """Return the sources that may send a kind of request to a host and port."""
    found = set()
    for caller in mesh.services:
        for call in caller.service_calls:
            called = mesh.service(call.service)
            number = called.port(call.port)
            ports = {called.host: number.service_port, **dict.fromkeys(called.names, number.number)}
            if ports.get(host) == port and (kind is None or _matches(call, kind)):
                found |= _runners(caller)
        for call in caller.external_calls:
            outside = mesh.external(call.external)
            if (outside.host, outside.port) == (host, port):
                found |= _runners(caller)
    return found


def _answers(world) -> Any:
    """Return rows with the request that each was asked with."""
    compared = survey.patterns(world)
    matrix = reachability.matrix(world)
    rows = iter(matrix.rows)
    for destination in sorted(survey.destinations(world)):
        kinds = classes.kinds(compared[destination]) if destination in compared else (None,)
        for kind in kinds:
            row = next(rows)
            assert row.destination == destination
            outcomes = {name: answer for names, answer in row.named(matrix.sources) for name in names}
            yield destination, kind, outcomes


def _wrong(mesh) -> Any:
    """Return where declaration and analyser differ; what belongs to Istio itself is left out."""
    world = worlds.compiled(mesh)
    own = {item.host for item in mesh.services} | {name for item in mesh.services for name in item.names}
    own |= {item.host for item in mesh.externals}
    found = []
    for destination, kind, outcomes in _answers(world):
        if destination.host not in own:
            continue
        declared = _declared(mesh, destination.host, destination.port, kind)
        for source, answer in outcomes.items():
            wanted = reachability.Outcome.ALLOWED if source in declared else reachability.Outcome.DENIED
            if answer.outcome is not wanted:
                found.append((source, destination.host, destination.port, kind and kind.label, wanted, answer))
    return found


def _closed(mesh) -> Any:
    phases = dataclasses.replace(PHASES, mtls_exceptions=(), authorization_exceptions=())
    return dataclasses.replace(mesh, phases=phases)


@pytest.mark.parametrize("name", sorted(item.name for item in CASES.iterdir()))
def test_golden_case_with_everything_enforced(name):
    assert _wrong(_closed(load_case(name))) == []


@settings(max_examples=60, suppress_health_check=[HealthCheck.too_slow])
@given(meshes(enforced=True))
def test_generated_declarations(mesh):
    assert _wrong(_closed(mesh)) == []


def test_phases_are_what_the_test_takes_them_for():
    assert PHASES.mtls is model.MtlsMode.STRICT
    assert PHASES.egress is model.EgressMode.LOCKED
    assert PHASES.authorization is model.AuthorizationMode.ENFORCED
