"""One lab for every test that can share it: the example, and everything that `slipway up` makes.

Its instance is `test`, or what SLIPWAY_TEST_INSTANCE names.
"""

import json
import os
from collections.abc import Generator

import pytest
import running
import traces

from slipway.lab import instance as instances

LAST = ("test_applied", "test_healing", "test_taking_down")


def pytest_collection_modifyitems(items):
    """Put tests that borrow or kill parts of the shared lab behind all others, and those that end it last."""
    order = {name: place for place, name in enumerate(LAST, start=1)}
    items.sort(key=lambda item: order.get(item.path.stem, 0))


@pytest.fixture(scope="session")
def running_lab() -> Generator[running.RunningLab]:
    """Return the lab `test`, up with the example and its mesh.

    A lab that an earlier run left is taken over, but for one whose tests were killed: it may be altered.
    """
    if os.geteuid() != 0:
        pytest.fail("lab tests need root; run `make test` as root, or deselect them with -m 'not lab'")
    found = instances.named(running.INSTANCE)
    under_test = found.state / "under-test"
    before = traces.of(running.INSTANCE)
    bare = running.RunningLab(instance=found, mesh=running.load_mesh(), variables={}, before=before)
    if under_test.exists():
        running.succeed(bare.slipway("lab", "down", running.INSTANCE, timeout_s=300))
        before = traces.of(running.INSTANCE)
    running.succeed(bare.slipway("lab", "up", running.INSTANCE, "--example", timeout_s=3000))
    printed = running.succeed(bare.slipway("env", "lab", "--instance", running.INSTANCE, "--json"))
    lab = running.RunningLab(instance=found, mesh=bare.mesh, variables=json.loads(printed.stdout), before=before)
    running.succeed(lab.slipway("up", "lab", "--instance", running.INSTANCE))
    under_test.touch()
    yield lab
    under_test.unlink(missing_ok=True)
