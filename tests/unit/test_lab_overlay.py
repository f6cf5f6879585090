"""A lab whose pods are in an overlay: chosen once, and known to what is made in it."""

import pytest

from components.lab import settings
from slipway.lab import instance as instances
from slipway.lab import network, overlay
from slipway.mesh import loader

ENVIRONMENT = 'platform: lab\nrevision: "1-29-1"\nphase: {mtls: strict, egress: locked, authorization: enforced}\n'
MESH = "mesh: shop\nservices: {a: {namespace: shop, ports: {http: 8080}}}\n"


def _instance(folder) -> instances.Instance:
    return instances.Instance(name="lab", state=folder / "state", cache=folder / "cache")


def test_a_new_lab_may_choose_and_keeps_its_choice(tmp_path):
    made = _instance(tmp_path)
    assert not made.has_overlay
    overlay.choose(made)
    overlay.choose(made)
    assert made.has_overlay


def test_a_lab_that_is_there_cannot_change(tmp_path):
    made = _instance(tmp_path)
    (made.state / "network").mkdir(parents=True)
    (made.state / "network" / instances.NODE).touch()
    with pytest.raises(instances.LabError, match="slipway lab down lab"):
        overlay.choose(made)
    assert not made.has_overlay


def test_only_the_internet_has_a_way_to_pods(tmp_path):
    made = _instance(tmp_path)
    hosts = (instances.INTERNET, instances.PLATFORM, "db-vm")

    def ways() -> set[str]:
        return {
            host for host in hosts if any(instances.POD_NETWORK in line for line in network._routes(made, host, None))
        }

    assert ways() == set(hosts)
    overlay.choose(made)
    assert ways() == {instances.INTERNET}


def test_pods_have_the_nodes_address_inside_and_their_own_outside():
    text = overlay.node_rules()
    assert f"ip saddr {instances.POD_NETWORK}" in text
    for inside in (instances.FABRIC_NETWORK, instances.RESOLVER_ADDRESS, instances.METADATA_ADDRESS):
        assert inside in text
    assert instances.PAYMENTS_ADDRESS not in text
    assert overlay.wire_rules().count("drop") == 2


@pytest.mark.parametrize("declared", [False, True], ids=["routed", "overlay"])
def test_an_environment_needs_a_lab_of_its_kind(declared, tmp_path):
    made = _instance(tmp_path)
    made.state.mkdir(parents=True)
    if not declared:
        made.overlay_mark.touch()
    text = ENVIRONMENT + ("network: {podNetwork: overlay}\n" if declared else "")
    environment = loader.Source(file="lab.yaml", text=text)
    mesh = loader.load([loader.Source(file="mesh.yaml", text=MESH)], environment, environment_name="lab")
    with pytest.raises(instances.LabError, match="network of pods"):
        settings._check_network(made, mesh)
    made.overlay_mark.unlink(missing_ok=True)
    if declared:
        made.overlay_mark.touch()
    settings._check_network(made, mesh)
