"""What `pulumi destroy --exclude-protected` leaves of an environment on Azure, and that the next `up` finds it."""

import json

import pytest

from slipway.mesh import azure_plan

pytestmark = pytest.mark.engine
VAULT = azure_plan.vault_name(mesh="shop", environment="dev", region="westeurope")
ARCHIVE = azure_plan.archive_name(mesh="shop", environment="dev", region="westeurope")
# What holds data or names, and what it stands on: the key vault knows its tenant from the cluster's identity.
KEPT = {
    VAULT, "billing-vm-istio", "db-vm-istio", "db-vm-data", "db-vm-data-lock", "backups", "databases", "db-vm-backup",
    "shop-dev", "shop-dev-identity", ARCHIVE, "archive-blobs", "archive-lifecycle", "db-vm-log", "db-vm-log-kept",
}  # fmt: skip


def native(project):
    """Return the names of Azure's resources in the state."""
    resources = json.loads(project.run("stack", "export").stdout)["deployment"]["resources"]
    return {item["urn"].split("::")[-1] for item in resources if item["type"].startswith("azure-native:")}


def succeed(project, *arguments):
    done = project.run(*arguments)
    assert done.returncode == 0, done.stdout[-6000:]


def test_a_partial_destroy_leaves_what_holds_data_and_the_next_up_finds_it(project, stand_in):
    shop = project("shop", stack="dev")
    succeed(shop, "up", "--yes", "--skip-preview")
    everything = native(shop)
    assert everything > KEPT

    succeed(shop, "destroy", "--yes", "--skip-preview", "--exclude-protected")
    assert native(shop) == KEPT
    group = [item for item in stand_in.records() if "/resourcegroups/shop-dev/" in item]
    assert not [item for item in group if "/virtualmachines/" in item or "/managedclusters/" in item]

    succeed(shop, "up", "--yes", "--skip-preview")
    assert native(shop) == everything
