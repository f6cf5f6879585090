"""A machine that others booted joins over SSH while it serves clients, and is what it was when it has left again."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import foreign_machine
import guarded_machine
import pytest
from foreign_machine import ADDRESS, NAME, NAMESPACE

from slipway.lab import ground
from slipway.lab.machines import api
from slipway.rollout import sources, stand_ins
from slipway.world import kubernetes

pytestmark = pytest.mark.lab
POD = "ledger-app"


@pytest.fixture(scope="module")
def place(running_lab, tmp_path_factory):
    made = foreign_machine.Place(running_lab.instance, tmp_path_factory.mktemp("old"))
    cluster = running_lab.cluster
    try:
        made.declare()
        made.register(cluster)
        for body in caller(running_lab):
            cluster.apply(body)
        made.boot()
        kubernetes.wait_until(
            "the caller is ready",
            lambda: kubernetes.pod_missing(cluster.get(kubernetes.POD, POD, namespace=NAMESPACE)),
            timeout_s=60,
        )
        yield made
    finally:
        api.delete(running_lab.instance, NAME)
        cluster.delete(kubernetes.NAMESPACE, NAMESPACE)


def caller(lab):
    """Return a pod of the mesh that the machine's service declares as its caller, and its account."""
    yield {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": POD, "namespace": NAMESPACE}}
    labels = {"app": POD, "sidecar.istio.io/inject": "true", "istio.io/rev": lab.mesh.revision}
    container = {
        "name": "probe",
        "image": ground.of(lab.instance).image,
        "imagePullPolicy": "IfNotPresent",
        "command": ["/probe", "idle", f"{sources.SHARED_FOLDER}/probe"],
        "volumeMounts": [{"name": "shared", "mountPath": sources.SHARED_FOLDER}],
    }
    yield {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": POD, "namespace": NAMESPACE, "labels": {**labels, stand_ins.LABEL: POD}},
        "spec": {
            "serviceAccountName": POD,
            "containers": [container],
            "volumes": [{"name": "shared", "emptyDir": {"medium": "Memory"}}],
            "terminationGracePeriodSeconds": 0,
        },
    }


@pytest.fixture
def command(running_lab, place):
    """Begin a command of the operator's; what still runs when the test has ended is ended too."""
    begun = []
    program = str(Path(sys.executable).with_name("slipway"))
    environment = {**os.environ, **running_lab.variables, "KUBECONFIG": str(running_lab.instance.kubeconfig)}

    def begin(*arguments: str) -> subprocess.Popen[str]:
        argv = [program, *arguments, "--ssh-config", str(place.ssh_config)]
        begun.append(
            subprocess.Popen(
                argv, cwd=place.folder, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
            )
        )
        return begun[-1]

    yield begin
    for process in begun:
        with process:
            process.kill()


def ended(done):
    out, err = done.communicate(timeout=120)
    return done.returncode, out, err


def waiting(place):
    """Return the check that holds an onboarding between capture and confirmation until the test lets it go."""
    (place.folder / "go").unlink(missing_ok=True)
    step = f"[ ! -e {place.folder}/go ] || exit 0; sleep 0.1"
    return f"touch {place.folder}/captured; for step in $(seq 600); do {step}; done; exit 1"


def captured(place, process):
    path = place.folder / "captured"
    guarded_machine.wait_for(lambda: path.exists() or process.poll() is not None, seconds=60)
    assert process.poll() is None, ended(process)
    path.unlink()


def is_free(place):
    """Whether neither guard nor capture is there."""
    found = place.shell("nft list tables; iptables-save")
    return "slipway_guard" not in found and "ISTIO" not in found


def has_reverted(place):
    """Wait until the sidecar has ended too, and see that PostgreSQL's rules are what they were."""
    guarded_machine.wait_for(lambda: place.shell("cat /var/lib/slipway-onboarding/stage") == "installed\n")
    assert "127.0.0.6" not in place.shell("cat /etc/postgresql/*/main/pg_hba.conf")


def test_a_machine_that_serves_clients_joins_and_leaves(running_lab, place, command):
    cluster = running_lab.cluster
    before = place.look()
    plan = ended(command("onboard", "old", NAME, "--dry-run"))
    assert plan[0] == 0, plan
    assert place.look() == before, "a dry run changes nothing"

    session = place.ssh("while read -r line; do echo $line; done")
    idle = subprocess.Popen(place.psql(), stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    with foreign_machine.Clients(place) as clients:
        guarded_machine.wait_for(lambda: clients.kept > 3 and clients.anew > 3)

        # The operator is killed between capture and confirmation: traffic comes back by itself.
        arguments = ("onboard", "old", NAME, "--yes", "--revert-after", "20", "--check", waiting(place))
        operator = command(*arguments)
        captured(place, operator)
        assert foreign_machine.called_from_the_mesh(cluster, POD) == "127.0.0.6"
        os.kill(operator.pid, signal.SIGKILL)
        operator.communicate(timeout=20)
        assert not is_free(place)
        guarded_machine.wait_for(lambda: is_free(place), seconds=40)
        clients.sources.clear()
        guarded_machine.wait_for(lambda: clients.sources == {"10.60.1.10"})
        has_reverted(place)

        # It joins, and stays.
        operator = command("onboard", "old", NAME, "--yes", "--revert-after", "60", "--check", waiting(place))
        captured(place, operator)
        clients.sources.clear()
        guarded_machine.wait_for(lambda: "127.0.0.6" in clients.sources)
        (place.folder / "go").touch()
        status, out, err = ended(operator)
        assert status == 0, (out, err)
        assert "confirmed" in err
        again = ended(command("onboard", "old", NAME, "--yes"))
        assert "everything on it is current: nothing to do" in again[1], again
        assert place.shell("systemctl list-timers --all --no-legend slipway-revert.timer") == ""
        assert place.shell("systemctl is-enabled slipway-guard.service istio.service") == "enabled\nenabled\n"
        assert foreign_machine.called_from_the_mesh(cluster, POD) == "127.0.0.6"

        # A session that said nothing all the time, SSH's and PostgreSQL's, speaks again.
        for speaking, words, answer in ((session, "still here\n", "still here\n"), (idle, "select 1;\n", "1\n")):
            speaking.stdin.write(words)
            speaking.stdin.flush()
            assert speaking.stdout.readline() == answer

        assert clients.errors == []
        retired = ended(command("retire", "old", NAME, "--yes"))
        assert retired[0] == 0, retired
        clients.sources.clear()
        guarded_machine.wait_for(lambda: clients.sources == {"10.60.1.10"})
    assert place.look() == before
    assert clients.errors == []
    for speaking in (session, idle):
        speaking.communicate(timeout=20)
        assert speaking.returncode == 0
    again = ended(command("retire", "old", NAME, "--yes"))
    assert "was not onboarded" in again[1], again


def test_a_reboot_in_a_trial_ends_it(running_lab, place, command):
    """The units are not enabled yet, the one that takes the rest back is; the timer is gone with the boot."""
    arguments = ("onboard", "old", NAME, "--yes", "--revert-after", "600", "--check", waiting(place))
    operator = command(*arguments)
    captured(place, operator)
    assert not is_free(place)
    api.reboot(running_lab.instance, NAME, print)
    guarded_machine.wait_for(lambda: is_free(place), seconds=40)
    has_reverted(place)
    assert place.shell("systemctl is-enabled slipway-guard.service istio.service || true") == "disabled\ndisabled\n"
    client = place.psql("--command", "select host(inet_client_addr())")

    def seen() -> str:
        return subprocess.run(client, check=False, capture_output=True, text=True).stdout

    guarded_machine.wait_for(lambda: seen() == "10.60.1.10\n", seconds=40)
    (place.folder / "go").touch()
    status, _, err = ended(operator)
    assert status == 1
    assert "it has reverted by itself" in err
    retired = ended(command("retire", "old", NAME, "--yes"))
    assert retired[0] == 0, retired


def test_what_is_in_the_way_stops_it_before_anything_is_changed(running_lab, place, command):
    before = place.look()
    place.shell(
        "nft add table ip other; nft 'add chain ip other out { type nat hook output priority -100; }'; "
        f"nft add rule ip other out ip daddr {ADDRESS} accept"
    )
    status, out, _ = ended(command("onboard", "old", NAME, "--yes"))
    place.shell("nft delete table ip other")
    assert status == 3
    assert "found:   table ip other rewrites addresses" in out
    assert place.look() == before
