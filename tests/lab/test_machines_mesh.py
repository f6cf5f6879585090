"""Machines in the mesh: how they come to their token, and what they do while they cannot have one."""

import json
from collections import Counter

import guarded_machine
import pytest

from slipway.lab import network
from slipway.lab.machines import api
from slipway.world import kubernetes

pytestmark = pytest.mark.lab
NAME = "billing-vm"
TOKEN = "/var/run/secrets/tokens/istio-token"
CONNECTED_S = 60
ON_MACHINES = ("billing", "orders-db")
AUTHORIZATION_POLICY = kubernetes.Kind(api_version="security.istio.io/v1", kind="AuthorizationPolicy")
CLAIM = f"""
import base64, json, pathlib, sys
payload = pathlib.Path("{TOKEN}").read_text().split(".")[1]
claims = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
print(json.dumps({{key: claims[key] for key in ("aud", "exp", "iat", "sub")}}))
"""
ASK_FOR_ANOTHER = """
import json, urllib.error, urllib.request
metadata = "http://169.254.169.254/metadata/identity/oauth2/token"
query = "api-version=2018-02-01&resource=https://vault.azure.net"
request = urllib.request.Request(f"{metadata}?{query}", headers={"Metadata": "true"})
token = json.load(urllib.request.urlopen(request, timeout=5))["access_token"]
for name in ("billing-vm-istio", "db-vm-istio"):
    url = f"https://vault.lab.internal/secrets/{name}?api-version=7.4"
    request = urllib.request.Request(url, headers={"Authorization": f"Bearer {token}"})
    try:
        print(name, urllib.request.urlopen(request, timeout=5).status)
    except urllib.error.HTTPError as error:
        print(name, error.code)
"""


@pytest.fixture
def lab(running_lab):
    api.ready(running_lab.instance, NAME, level=api.Level.CONNECTED, timeout_s=CONNECTED_S)
    yield running_lab.instance
    api.ready(running_lab.instance, NAME, level=api.Level.CONNECTED, timeout_s=CONNECTED_S)


def shell(lab, script):
    return api.execute(lab, NAME, ["/bin/sh", "-c", script], timeout_s=60).stdout


def claims(lab):
    return json.loads(api.execute(lab, NAME, ["python3", "-c", CLAIM], timeout_s=20).stdout)


def test_the_token_is_short_lived_and_the_sidecars_alone(lab):
    known = claims(lab)
    assert known["aud"] == ["istio-ca"]
    assert known["sub"] == f"system:serviceaccount:back-office:{NAME}"
    assert known["exp"] - known["iat"] <= 3600
    assert shell(lab, f"stat --format '%a %U' {TOKEN}") == "600 istio-proxy\n"


def test_each_boot_fetches_a_fresh_one(lab):
    before = claims(lab)
    now = int(shell(lab, "date +%s"))
    api.reboot(lab, NAME, print)
    guarded_machine.wait_for(lambda: shell(lab, f"test -e {TOKEN} && echo there || true") == "there\n")
    after = claims(lab)
    assert after["iat"] >= now - 1 > before["iat"] - 1


def test_the_timer_fetches_again_past_the_running_sidecar(lab):
    inode = shell(lab, f"stat --format %i {TOKEN}")
    shell(lab, "systemctl start slipway-token-refresh.service")
    assert shell(lab, f"stat --format %i {TOKEN}") != inode
    assert "active" in shell(lab, "systemctl is-active slipway-token-refresh.timer")


def test_no_machine_reads_anothers_secret(lab):
    command = ["setpriv", "--regid", "istio-proxy", "--clear-groups", "python3", "-c", ASK_FOR_ANOTHER]
    said = api.execute(lab, NAME, command, timeout_s=20).stdout.splitlines()
    assert said == ["billing-vm-istio 200", "db-vm-istio 403"]


def test_with_a_certificate_the_sidecar_starts_while_the_vault_is_away(lab):
    closed = "table ip away { chain away { type filter hook prerouting priority -300; ip daddr 10.60.0.4 drop; }; }"
    network.run(lab, "platform", ["nft", closed], timeout_s=20)
    try:
        api.reboot(lab, NAME, print)
        api.ready(lab, NAME, level=api.Level.CONNECTED, timeout_s=CONNECTED_S)
        assert shell(lab, f"test -e {TOKEN} || echo none") == "none\n"
    finally:
        network.run(lab, "platform", ["nft", "delete table ip away"], timeout_s=20)
    guarded_machine.wait_for(lambda: shell(lab, f"test -e {TOKEN} || echo none") == "", seconds=60)


def test_a_killed_sidecar_comes_back_without_a_new_token(lab):
    inode = shell(lab, f"stat --format %i {TOKEN}")
    shell(lab, "systemctl kill --signal=KILL istio.service")
    api.ready(lab, NAME, level=api.Level.CONNECTED, timeout_s=CONNECTED_S)
    assert shell(lab, f"stat --format %i {TOKEN}") == inode


def test_restarted_under_deny_all_they_reconnect_and_serve(running_lab):
    """Phases are at their strictest: what answers afterwards is allowed by name, and everything else is refused."""
    machines = running_lab.mesh.machines
    for machine in machines:
        denied = running_lab.cluster.get(AUTHORIZATION_POLICY, "deny-all", namespace=machine.namespace)
        assert denied["spec"] == {}
        before = main_process(running_lab.instance, machine.name)
        api.execute(running_lab.instance, machine.name, ["systemctl", "restart", "istio.service"], timeout_s=60)
        assert main_process(running_lab.instance, machine.name) != before
    for machine in machines:
        api.ready(running_lab.instance, machine.name, level=api.Level.CONNECTED, timeout_s=CONNECTED_S)
    report = running_lab.verify("--undisturbed", *(word for name in ON_MACHINES for word in ("--only", name)))
    assert [line for line in report["findings"] if not line["passed"]] == []
    groups = Counter(line["group"] for line in report["findings"])
    assert groups["declared calls work"] >= 5
    assert groups["undeclared calls, refused by the server"] >= 3


def main_process(instance, machine):
    argv = ["systemctl", "show", "--property=MainPID", "--value", "istio.service"]
    return api.execute(instance, machine, argv, timeout_s=20).stdout.strip()


def test_nothing_but_the_sidecar_leaves_for_the_mesh(lab):
    """The application's own connections are captured; as the superuser past the capture they are refused."""
    past = "import socket; socket.create_connection(('10.60.2.12', 5432), 3)"
    for user in (["--regid=istio-proxy"], ["--reuid=65534", "--regid=istio-proxy"]):
        argv = ["setpriv", *user, "--clear-groups", "python3", "-c", past]
        done = api.execute(lab, NAME, argv, timeout_s=20, check=False)
        assert "ConnectionRefusedError" in done.stderr
