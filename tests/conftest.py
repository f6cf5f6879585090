"""Options that several rooms' tests share."""

import hypothesis
import pytest

# How long an example takes says more about the machine than about what is tested.
hypothesis.settings.register_profile("untimed", deadline=None)
hypothesis.settings.load_profile("untimed")


def pytest_addoption(parser):
    parser.addoption("--refresh-golden", action="store_true", help="rewrite expected files from what is compiled now")


@pytest.fixture
def refresh_golden(request):
    return request.config.getoption("--refresh-golden")
