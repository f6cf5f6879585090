"""Promises that hold for every component, checked with mocks that only record."""

from pathlib import Path

import pytest
import recording

from components import environment
from components.istio import charts
from components.lab import platform
from policies.bundles import bundle as bundles
from policies.bundles import compiler, surroundings
from slipway.mesh import loader
from slipway.world import files

STACKS = Path(__file__).parents[2] / "stacks"


def load():
    sources = files.read_sources(STACKS, "lab")
    return loader.load(sources.mesh, sources.environment, environment_name="lab")


@pytest.fixture(scope="module")
def compiled() -> bundles.Bundle:
    return compiler.compile_bundle(load())


@pytest.fixture(scope="module")
def graph(compiled) -> recording.Graph:
    mesh = load()

    def program() -> None:
        place = platform.LabPlatform(
            "lab",
            platform.LabPlatformArgs(
                instance="lab",
                kubeconfig="kubeconfig",
                charts=charts.Charts(location="charts", version="", hub="hub", tag="1.29.1"),
                user_data={machine.name: "#cloud-config\n" for machine in mesh.machines},
            ),
        )
        environment.Environment("lab", environment.EnvironmentArgs(mesh=mesh, bundle=compiled, platform=place))

    return recording.record(program)


def key_name(manifest) -> str:
    return "/".join(part for part in (manifest.kind, manifest.namespace, manifest.name) if part)


def test_every_resource_has_a_parent(graph):
    roots = {name for name, request in graph.requests.items() if not request.parent}
    assert roots <= {"slipway-lab", "lab"}


def test_every_object_of_the_bundle_is_registered_once(graph, compiled):
    assert {key_name(item) for item in compiled.manifests} <= set(graph.requests)


def test_what_closes_exists_before_istiod_and_what_opens_comes_after(graph, compiled):
    istiod = graph.before("istiod-1-29-1")
    for stage, manifests in compiled.stages():
        names = {key_name(item) for item in manifests}
        if stage is bundles.Stage.DENY:
            assert names <= istiod
        elif stage is not bundles.Stage.NAMESPACE:
            assert not names & istiod
            for name in names:
                assert "istiod-1-29-1" in graph.before(name), name


def test_every_object_waits_for_its_namespace(graph, compiled):
    for manifest in compiled.manifests:
        if manifest.namespace:
            assert f"Namespace/{manifest.namespace}" in graph.before(key_name(manifest))


def test_a_machine_boots_after_its_registration_and_the_way_to_istiod(graph):
    before = graph.before("billing-vm")
    assert {
        "WorkloadEntry/back-office/billing-vm",
        "ServiceAccount/back-office/billing-vm",
        "AuthorizationPolicy/back-office/billing.billing-vm",
        "istio-eastwestgateway",
    } <= before


def test_a_teams_namespace_is_only_patched(graph):
    assert graph.registered["Namespace/shop"].typ == "kubernetes:core/v1:NamespacePatch"
    assert graph.registered["Namespace/back-office"].typ == "kubernetes:core/v1:Namespace"


def test_no_resource_takes_a_kubeconfigs_content_or_a_key(graph):
    for item in graph.registered.values():
        assert "PRIVATE KEY" not in str(item.inputs)
        assert "client-key-data" not in str(item.inputs)


def test_components_ask_the_engine_for_nothing(graph):
    assert graph.calls == ()


def test_the_environment_keeps_what_the_next_preview_compares(graph, compiled):
    text = surroundings.emit_surroundings(load(), compiled).to_json()
    assert graph.outputs["lab"][environment.ACCESS] == text
    for part in ("PRIVATE KEY", "cloud-config", "token"):
        assert part not in text


def test_a_declared_namespace_is_never_deleted(graph):
    assert graph.requests["Namespace/back-office"].retainOnDelete
    assert not graph.requests["Namespace/istio-egress"].retainOnDelete


@pytest.mark.parametrize(
    ("location", "version", "found"),
    [
        ("oci://registry.example.com/istio/", "1.29.1", ("oci://registry.example.com/istio/base", "1.29.1", "")),
        ("https://charts.example.com/istio", "1.29.1", ("base", "1.29.1", "https://charts.example.com/istio")),
        ("vendor/charts", "", ("vendor/charts/base", None, "")),
    ],
)
def test_a_chart_comes_from_a_registry_a_repository_or_a_folder(location, version, found):
    arguments = charts.Charts(location=location, version=version, tag="1.29.1").chart("base")
    repository = arguments.get("repository_opts")
    assert (arguments["chart"], arguments["version"], repository.repo if repository else "") == found
