"""Previews by the real engine, without any cluster."""

import json

import pytest

pytestmark = pytest.mark.engine


def test_a_first_preview_needs_no_cluster(engine):
    done = engine("preview", "--json")
    assert done.returncode == 0, done.stdout[-3000:]
    changes = json.loads(done.stdout)["changeSummary"]
    assert set(changes) == {"create"}
    assert changes["create"] > 50


def test_a_mistake_stops_the_program_with_its_place_and_nothing_is_planned(engine):
    path = engine.project / "stacks" / "mesh.yaml"
    path.write_text(path.read_text().replace("{service: orders-db}", "{service: order-db}", 1))
    done = engine("preview")
    said = done.stdout + done.stderr
    assert done.returncode != 0
    assert "stacks/mesh.yaml:" in said
    assert "order-db" in said
    assert "orders-db" in said
    assert "Traceback" not in said
    assert "Namespace/" not in said


def test_the_program_plans_the_same_twice(engine):
    def plan() -> list:
        return json.loads(engine("preview", "--json").stdout)["steps"]

    def described(steps: list) -> list[str]:
        return sorted(json.dumps([item["urn"], item["newState"].get("inputs", {})], sort_keys=True) for item in steps)

    assert described(plan()) == described(plan())
