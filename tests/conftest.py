"""Options that several rooms' tests share."""

import pytest


def pytest_addoption(parser):
    parser.addoption("--refresh-golden", action="store_true", help="rewrite expected files from what is compiled now")


@pytest.fixture
def refresh_golden(request):
    return request.config.getoption("--refresh-golden")
