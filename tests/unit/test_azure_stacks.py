"""An environment on Azure in two stacks: what each makes, and what one leaves for the other."""

import json
import subprocess
import sys
from pathlib import Path

import azure_example
import azure_types
import pulumi
import pytest

from components.azure import handover, istio, user_data
from components.istio import charts
from policies.bundles import compiler
from slipway.diagnostics import DiagnosticsError
from slipway.mesh import stack_parts

ROOT = Path(__file__).parents[2]
STACKS = ROOT / "stacks"
KUBECONFIG = json.dumps(azure_example.KUBECONFIG)
IMPORTED = """
import sys
from components import environment, platforms
from components.azure import handed_over, handover, user_data
sys.exit(any(name.startswith("pulumi_azure") for name in sys.modules))
"""


def prod(**changes: str):
    text = (ROOT / "examples/azure/prod.yaml").read_text()
    for before, after in changes.items():
        assert before in text
        text = text.replace(before, after)
    return azure_example.load(text, name="prod")


def left_by(mesh, **changes: object):
    """Return the outputs of the platform's stack of ``mesh``."""
    digests = handover.made_of(bundle := compiler.compile_bundle(mesh), user_data.of(mesh, bundle, folder=STACKS))
    left = {
        "cluster": "/subscriptions/s/managedClusters/shop-prod",
        "relay": {"client": "relay-client", "tenant": azure_example.TENANT},
        "certificates": True,
        "machines": digests,
    }
    return {"handover": {**left, **changes}, "kubeconfig": KUBECONFIG}


def names(graph, package):
    return {(item.typ, item.name) for item in graph.all if item.typ.startswith(package)}


@pytest.fixture(scope="module")
def mesh():
    return prod()


@pytest.fixture(scope="module")
def platform(mesh):
    return azure_example.record(mesh, stack="prod-platform")


@pytest.fixture(scope="module")
def above(mesh):
    return azure_example.record(mesh, left=left_by(mesh))


@pytest.fixture(scope="module")
def whole():
    return azure_example.record(prod(**{"  stacks: two\n": ""}))


@pytest.fixture
def said(monkeypatch):
    """Collect the warnings of a program."""
    found = []
    monkeypatch.setattr(pulumi.log, "warn", found.append)
    return found


def test_the_meshs_stack_makes_nothing_in_azure_and_the_platforms_nothing_in_the_cluster(platform, above):
    assert not names(above, "azure-native:")
    assert not names(platform, "kubernetes:")
    assert len(names(platform, "azure-native:")) > 50
    assert len(names(above, "kubernetes:")) > 50


def test_both_together_make_what_one_stack_makes(platform, above, whole):
    for package in ("azure-native:", "kubernetes:"):
        assert names(platform, package) | names(above, package) == names(whole, package)


def test_the_meshs_stack_needs_no_sdk_of_azure():
    done = subprocess.run([sys.executable, "-c", IMPORTED], cwd=ROOT, timeout=60, check=False)
    assert done.returncode == 0


def test_the_relay_is_who_the_platform_says(above):
    (relay,) = (item for item in above.all if item.typ == "kubernetes:apps/v1:Deployment")
    (container,) = relay.inputs["spec"]["template"]["spec"]["containers"]
    environment = {item["name"]: item["value"] for item in container["env"]}
    assert environment["AZURE_CLIENT_ID"] == "relay-client"
    assert environment["AZURE_TENANT_ID"] == azure_example.TENANT


def test_the_kubeconfig_is_secret_on_its_way(platform, above):
    provider = above.requests["prod-cluster"].object
    assert provider["kubeconfig"][azure_types.SECRET]
    assert provider["kubeconfig"]["value"] == KUBECONFIG
    assert provider["clusterIdentifier"].endswith("/shop-prod")


def test_the_cluster_is_not_destroyed_while_another_stack_stands_on_it(platform, whole):
    (cluster,) = (item for item in platform.all if item.typ.endswith(":ManagedCluster"))
    assert platform.request(cluster).protect
    (alone,) = (item for item in whole.all if item.typ.endswith(":ManagedCluster"))
    assert not whole.request(alone).protect


def test_a_machine_boots_without_waiting_for_the_mesh(platform):
    before = platform.before("db-vm", kind="VirtualMachine")
    assert "db-vm-reads-its-secret" in before
    assert not {name for name in before if "istio" in name} - {"db-vm-istio"}


def test_a_fresh_preview_goes_on_without_a_platform(mesh, said):
    graph = azure_example.record(mesh, preview=True)
    assert len(names(graph, "kubernetes:")) > 50
    assert "`prod-platform`, which makes the environment's platform, is not up: run `pulumi up --stack" in said[0]


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        (None, "which makes the environment's platform, is not up: run `pulumi up --stack prod-platform` first"),
        ({"machines": {"db-vm": ""}}, "has made no `billing-vm` yet"),
        ({"certificates": False}, "has not let the relay read certificates"),
    ],
)
def test_an_update_says_what_has_to_be_applied_first(mesh, changes, says):
    left = None if changes is None else left_by(mesh, **changes)
    with pytest.raises(pulumi.RunError, match=says):
        azure_example.record(mesh, left=left)


def test_a_kubeconfig_of_another_key_is_named(mesh):
    left = left_by(mesh)
    del left["kubeconfig"]
    with pytest.raises(pulumi.RunError, match="cannot be decrypted by this stack's key"):
        azure_example.record(mesh, left=left, preview=True)


def test_a_platform_of_an_older_declaration_is_told(mesh, said):
    older = prod(**{"egress: locked": "egress: observed"})
    azure_example.record(mesh, left=left_by(older))
    (told,) = said
    assert told.startswith("`billing-vm`, `db-vm`: rules or user-data are not those of this declaration")
    said.clear()
    azure_example.record(mesh, left=left_by(mesh))
    assert said == []


@pytest.mark.parametrize(
    ("stack", "known", "found"),
    [
        ("prod", ["prod"], "prod"),
        ("prod-platform", ["dev", "prod"], "prod"),
        ("prod-platform", ["prod", "prod-platform"], "prod-platform"),
        ("nothing-platform", ["prod"], "nothing-platform"),
    ],
)
def test_the_platforms_stack_means_its_environment(stack, known, found):
    assert stack_parts.environment_of(stack, known) == found


def test_an_environment_of_one_stack_has_no_platforms_stack(mesh):
    assert stack_parts.part_of("prod", mesh) is stack_parts.Part.MESH
    assert stack_parts.part_of("prod-platform", mesh) is stack_parts.Part.PLATFORM
    assert stack_parts.part_of("dev", azure_example.load()) is stack_parts.Part.ALL
    with pytest.raises(DiagnosticsError) as raised:
        stack_parts.part_of("dev-platform", azure_example.load())
    assert "is one stack" in str(raised.value.diagnostics[0].sentence)


def test_istio_comes_from_where_the_declaration_says():
    assert istio.charts_of(prod().azure).location == charts.OFFICIAL_CHARTS
    region = "  region: westeurope\n"
    own = prod(**{region: f"{region}  charts: vendor/charts\n  hub: r.example.com/i\n"})
    found = istio.charts_of(own.azure)
    assert (found.location, found.version, found.hub, found.tag) == ("vendor/charts", "", "r.example.com/i", "1.29.1")
    mirrored = prod(**{region: f"{region}  charts: oci://r.example.com/charts\n"})
    assert istio.charts_of(mirrored.azure).version == "1.29.1"
