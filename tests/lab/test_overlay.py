"""Pods in an overlay, beside machines, in a lab of its own: machines have no way to pods' addresses.

The environment is the example's with one more call of each kind that a machine may make: into the cluster, and out.
"""

import json
import os
import shutil
import sys

import everybody
import pytest
import running
import traces
from running import ROOT, succeed

from slipway.lab import instance as instances
from slipway.lab import network
from slipway.lab.machines import api
from slipway.mesh import loader
from slipway.rollout import access_log
from slipway.world import files, kubernetes

pytestmark = pytest.mark.lab
NAME, ENVIRONMENT = f"{running.INSTANCE}-overlay", "overlay"
BILLING = "    calls: [{service: orders-db}]\n"
CALLING = '    calls: [{service: orders-db}, {service: orders, http: ["GET /api/orders/*"]}, {external: payments}]\n'
STRANGER, STRANGER_ADDRESS = "stranger", "10.60.2.200"
CONNECT = "import socket, sys; socket.create_connection((sys.argv[1], int(sys.argv[2])), timeout=3)"


def _project(folder) -> None:
    """Make a checkout in `folder`: the program as it is, the declaration with overlay and calls of machines."""
    for name in ("Pulumi.yaml", "__main__.py"):
        shutil.copy(ROOT / name, folder / name)
    (folder / ".venv").symlink_to(ROOT / ".venv")
    for name in ("stacks", "examples"):
        shutil.copytree(ROOT / name, folder / name)
    mesh = (folder / "stacks/mesh.yaml").read_text()
    assert mesh.count(BILLING) == 1
    (folder / "stacks/mesh.yaml").write_text(mesh.replace(BILLING, CALLING))
    environment = (folder / "stacks/lab.yaml").read_text() + "network: {podNetwork: overlay}\n"
    (folder / f"stacks/{ENVIRONMENT}.yaml").write_text(environment)


@pytest.fixture(scope="module")
def apart(tmp_path_factory):
    """The lab, up with the example and its mesh in two networks; nothing of it is left behind."""
    if os.geteuid() != 0:
        pytest.fail("lab tests need root; run `make test` as root, or deselect them with -m 'not lab'")
    folder = tmp_path_factory.mktemp("overlay")
    _project(folder)
    sources = files.read_sources(folder / "stacks", ENVIRONMENT)
    mesh = loader.load(sources.mesh, sources.environment, environment_name=ENVIRONMENT)
    found = instances.named(NAME)
    known = {"instance": found, "mesh": mesh, "before": traces.of(NAME), "folder": folder}
    bare = running.RunningLab(variables={}, **known)
    try:
        succeed(bare.slipway("lab", "up", NAME, "--overlay", "--example", timeout_s=3000))
        printed = succeed(bare.slipway("env", ENVIRONMENT, "--instance", NAME, "--json"))
        lab = running.RunningLab(variables=json.loads(printed.stdout), **known)
        succeed(lab.slipway("up", ENVIRONMENT, "--instance", NAME))
        yield lab
    finally:
        succeed(bare.slipway("lab", "down", NAME))


def _verified(lab, *arguments) -> list[dict]:
    """Return the findings, all of them as expected."""
    done = lab.slipway("verify", ENVIRONMENT, "--instance", NAME, "--json", *arguments)
    assert done.stdout, done.stderr
    findings = json.loads(done.stdout)["findings"]
    failed = [line for line in findings if not line["passed"]]
    assert not failed, json.dumps(failed, indent=1)
    return findings


def test_everybody_gets_what_the_analyser_says(apart):
    everybody.gets_what_the_analyser_says(apart, stored="overlay")


def test_everything_is_as_declared(apart):
    told = json.dumps(_verified(apart, "--undisturbed"))
    for line in (
        "billing-vm -> orders.shop.svc.cluster.local:8080 GET /api/orders/*",
        "billing-vm -> payments.example.com",
        "billing-vm -> forbidden forbidden.example.net:443",
        "db-vm (past the sidecar) -> a pod's own address",
    ):
        assert line in told


def test_the_wire_has_no_way_from_the_machines_network_to_pods(apart):
    """A computer without guard, rules and sidecar, so that nothing but the network decides."""
    (pod,) = apart.cluster.list(kubernetes.POD, namespace="shop", labels="app=orders")
    address = [instances.on_fabric(STRANGER_ADDRESS)]
    network.attach(apart.instance, STRANGER, address, default_via=instances.INTERNET_ADDRESS)
    try:
        ends = {
            target: network.run(
                apart.instance, STRANGER, [sys.executable, "-c", CONNECT, *target], timeout_s=20, check=False
            ).stderr.splitlines()[-1:]
            for target in ((pod["status"]["podIP"], "8080"), (instances.CONTROL_PLANE_ADDRESS, "15443"))
        }
    finally:
        network.detach(apart.instance, STRANGER)
    refused, taken = ends.values()
    assert refused == ["TimeoutError: timed out"]
    assert taken == []


def test_machines_see_pods_by_the_nodes_address(apart):
    log = api.execute(apart.instance, "billing-vm", ["cat", access_log.LOG_FILE], user="root", timeout_s=20).stdout
    lines = [json.loads(line) for line in log.splitlines() if line.startswith("{")]
    caller = "spiffe://cluster.local/ns/shop/sa/orders"
    seen = {item["remote"].partition(":")[0] for item in lines if item.get("caller") == caller}
    assert seen == {instances.NODE_ADDRESS}


@pytest.mark.long
def test_up_again_changes_nothing(apart):
    done = succeed(apart.slipway("up", ENVIRONMENT, "--instance", NAME))
    assert "unchanged" in done.stdout
    for word in ("created", "updated", "deleted", "replaced"):
        assert f" {word}" not in done.stdout


@pytest.mark.long
def test_machines_without_sidecar_and_at_boot_too(apart):
    assert "machine during boot" in json.dumps(_verified(apart))
