"""The real engine against the stand-in: one provider process for all tests, a project and a backend for each."""

import projects
import pytest
from standin import process


@pytest.fixture(scope="session")
def stand_in(tmp_path_factory):
    with process.running(tmp_path_factory.mktemp("azure") / "not-there-yet") as running:
        yield running


@pytest.fixture(scope="module")
def project(stand_in, tmp_path_factory):
    """Return :func:`projects.make` for a folder of its own and the tests' stand-in."""

    def make(name: str, *, stack: str = "test", **config: str) -> projects.Project:
        return projects.make(tmp_path_factory.mktemp(name), name, stand_in, stack=stack, **config)

    return make
