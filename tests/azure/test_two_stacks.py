"""An environment on Azure in two stacks, by the real engine against the stand-in: the platform up, the mesh on it."""

import json

import pytest

# Istio's charts are those that the lab builds.
pytestmark = [pytest.mark.engine, pytest.mark.lab, pytest.mark.long]
PLATFORM = "prod-platform"


def succeed(project, *arguments):
    done = project.run(*arguments)
    assert done.returncode == 0, done.stdout[-6000:]
    return done.stdout


def test_the_mesh_finds_its_platform_and_the_platform_is_not_destroyed_below_it(project, stand_in):
    shop = project("shop", stack="prod", mesh="true")
    path = shop.folder / "stacks/prod.yaml"
    path.write_text(path.read_text().replace("azure:\n", "azure:\n  stacks: two\n"))
    succeed(shop, "stack", "init", PLATFORM)
    succeed(shop, "config", "set", "mesh", "true", "--stack", PLATFORM)
    refused = shop.run("up", "--yes", "--skip-preview", "--stack", "prod")
    assert refused.returncode != 0
    said = "`prod-platform`, which makes the environment's platform, is not up: run `pulumi up --stack prod-platform`"
    assert said in refused.stdout

    succeed(shop, "up", "--yes", "--skip-preview", "--stack", PLATFORM)
    succeed(shop, "up", "--yes", "--skip-preview", "--expect-no-changes", "--stack", PLATFORM)
    made = stand_in.records()
    assert [key for key in made if "/resourcegroups/shop-prod/" in key]

    document = json.loads(succeed(shop, "preview", "--json", "--stack", "prod"))
    kinds = [item["newState"]["type"] for item in document["steps"]]
    assert not [kind for kind in kinds if kind.startswith("azure-native:")]
    assert kinds.count("kubernetes:helm.sh/v3:Release") == 5
    assert "is not up" not in json.dumps(document)
    assert "kubelogin" not in json.dumps(document), "the kubeconfig is secret"

    refused = shop.run("destroy", "--yes", "--stack", PLATFORM)
    assert refused.returncode != 0
    assert "ManagedCluster::shop-prod" in refused.stdout
    assert "because it is protected" in " ".join(refused.stdout.split())
    assert stand_in.records() == made
