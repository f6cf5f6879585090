"""An environment on Azure in two stacks whose mesh really works: the mesh's stack stands on what the platform's left.

The tests are steps of one story and run in their order. The machines boot before there is a mesh, and join it.
"""

import json

import azure_lab
import pytest

from slipway.lab.machines import api

pytestmark = [pytest.mark.lab, pytest.mark.engine, pytest.mark.long]
MESH, PLATFORM = "prod", "prod-platform"
UP = ("up", "--yes", "--skip-preview")


@pytest.fixture(scope="module")
def shop(tmp_path_factory):
    """The environment `prod`, whose platform is up and whose mesh is not."""
    two = {"  region: westeurope\n": "  region: westeurope\n  stacks: two\n"}
    with azure_lab.shop(tmp_path_factory.mktemp("shop"), stack=MESH, **two) as found:
        found.run("stack", "init", PLATFORM)
        found.run("config", "set", "mesh", "true", "--stack", PLATFORM)
        found.run(*UP, "--stack", PLATFORM)
        yield found


def test_the_platform_waits_for_no_mesh(shop):
    assert set(api.names(shop.instance)) == {"billing-vm", "db-vm"}
    assert shop.shell("billing-vm", "systemctl is-active slipway-guard.service") == "active\n"
    assert shop.shell("billing-vm", "ls /var/run/secrets/tokens 2> /dev/null || true") == "", "it has no token yet"
    assert shop.is_free_of_istio()
    shop.run(*UP, "--expect-no-changes", "--stack", PLATFORM)


def test_the_mesh_stands_on_what_the_platform_left_and_works(shop):
    before = shop.azure.records()
    shop.run(*UP, "--stack", MESH)
    assert shop.azure.records() == before, "the mesh's stack has changed nothing in Azure"
    shop.join()
    assert shop.verified() == ""


@pytest.mark.parametrize("stack", [MESH, PLATFORM])
def test_a_second_up_changes_nothing(shop, stack):
    shop.run(*UP, "--expect-no-changes", "--stack", stack)


def test_the_mesh_goes_and_its_platform_stays(shop):
    before = shop.azure.records()
    shop.run("destroy", "--yes", "--skip-preview", "--stack", MESH)
    assert shop.is_free_of_istio()
    assert shop.azure.records() == before
    assert set(api.names(shop.instance)) == {"billing-vm", "db-vm"}


def test_then_the_platform_goes_but_for_what_is_protected(shop):
    state = json.loads(shop.run("stack", "export", "--stack", PLATFORM))
    kinds = {item["type"]: item["urn"] for item in state["deployment"]["resources"]}
    cluster = kinds["azure-native:containerservice:ManagedCluster"]
    shop.run("state", "unprotect", cluster, "--yes", "--stack", PLATFORM)
    shop.run("destroy", "--yes", "--skip-preview", "--exclude-protected", "--stack", PLATFORM)
    assert api.names(shop.instance) == ()
    assert shop.kinds() == azure_lab.PROTECTED
