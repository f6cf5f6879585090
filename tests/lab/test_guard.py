"""The guard on a real machine whose surroundings let everything through: what it alone holds back."""

import guarded_machine as lab
import pytest

from slipway.lab.machines import api

pytestmark = pytest.mark.lab
NAME = "billing-vm"
SOURCES = (("node", lab.POD), ("node", ""), ("other", ""), ("internet", ""))
PORTS = (lab.PORT, 9091, 22, 15000, 15001, 15006, 15020, 15021, 15053, 15090)


@pytest.fixture(scope="module")
def instance():
    with lab.surroundings("test-guard") as made:
        lab.count_arrivals(made)
        api.create(made, lab.specification(made), print)
        yield made


def shell(instance, script):
    return api.execute(instance, NAME, ["/bin/sh", "-c", script], timeout_s=30)


@pytest.fixture
def without_sidecar(instance):
    """As after a crash of everything: no agent, no Envoy, no capture rules."""
    shell(instance, "systemctl stop istio.service slipway-token.service")
    assert "ISTIO" not in shell(instance, "iptables-save; iptables-legacy-save").stdout


def test_nothing_left_the_machine_during_its_first_boot(instance):
    lab.wait_for(lambda: lab.attempts(instance) > 20)
    assert lab.arrivals(instance) == 0


def test_nothing_comes_in_or_goes_out_while_it_boots(instance):
    with lab.knocking(instance) as answers:
        api.reboot(instance, NAME, print)
        lab.wait_for(lambda: lab.attempts(instance) > 20)
    assert len(answers) > 20
    # Refused is the answer of a captured connection for which no sidecar is listening yet.
    assert set(answers) <= {"TimeoutError", "OSError", "ConnectionRefusedError"}
    assert lab.arrivals(instance) == 0


@pytest.mark.usefixtures("without_sidecar")
def test_nothing_comes_in_without_the_sidecar(instance):
    answers = {
        (host, source, port): lab.ask(instance, host, port, source=source, seconds=0.3)
        for host, source in SOURCES
        for port in PORTS
    }
    assert set(answers.values()) == {"TimeoutError"}, answers


@pytest.mark.usefixtures("without_sidecar")
@pytest.mark.parametrize("user", ["root", "billing", "istio-proxy"])
def test_nothing_goes_out_without_the_sidecar(instance, user):
    for destination, port in ((lab.OUTSIDE, 443), (lab.OTHER_MACHINE, 22), (lab.POD, 8080), ("10.60.0.1", 53)):
        assert lab.ask_from_machine(instance, destination, port, user=user) == "ConnectionRefusedError"


@pytest.mark.usefixtures("without_sidecar")
def test_what_is_exempt_is_exempt_for_its_user_only(instance):
    """Nobody answers there: a refusal is the guard's, and a missing host is what got through."""
    metadata = {
        user: lab.ask_from_machine(instance, "169.254.169.254", 80, user=user)
        for user in ("root", "billing", "istio-proxy")
    }
    assert metadata.pop("root") in {"OSError", "TimeoutError"}
    assert set(metadata.values()) == {"ConnectionRefusedError"}
    database = {
        user: lab.ask_from_machine(instance, "10.60.2.12", 5432, user=user) for user in ("istio-proxy", "billing")
    }
    assert database["billing"] == "ConnectionRefusedError"
    assert database["istio-proxy"] in {"OSError", "TimeoutError"}


@pytest.mark.usefixtures("without_sidecar")
def test_only_the_sidecar_speaks_from_its_own_loopback_address(instance):
    spoken = {
        user: lab.ask_from_machine(instance, lab.ADDRESS, lab.PORT, user=user, source="127.0.0.6")
        for user in ("root", "billing", "istio-proxy")
    }
    assert spoken == {"root": "TimeoutError", "billing": "TimeoutError", "istio-proxy": "plain"}


@pytest.mark.usefixtures("without_sidecar")
def test_captured_connections_come_in_on_declared_ports_only(instance):
    setup = "set -a; . /var/lib/istio/envoy/cluster.env"
    shell(instance, f"{setup}; /usr/local/bin/pilot-agent istio-iptables")
    catcher = ["systemd-run", "--unit=catcher", "--uid=istio-proxy", "python3", "-c", lab.SIDECAR]
    api.execute(instance, NAME, catcher, timeout_s=20)
    try:
        lab.wait_for(lambda: lab.ask(instance, "node", lab.PORT, source=lab.POD) == "sidecar")
        assert lab.ask(instance, "node", 9091, source=lab.POD) == "TimeoutError"
        assert lab.ask(instance, "node", 15006, source=lab.POD) == "TimeoutError"
        shell(instance, f"{setup}; /usr/local/bin/pilot-agent istio-iptables --cleanup-only")
        assert lab.ask(instance, "node", lab.PORT, source=lab.POD) == "TimeoutError"
    finally:
        shell(instance, "systemctl stop catcher.service")


def test_nobody_borrows_the_sidecars_group(instance):
    modes = shell(instance, "stat --format '%a %U %G' /usr/local/bin/envoy /usr/local/bin/pilot-agent").stdout
    assert modes.splitlines() == ["2750 root istio-proxy"] * 2
    borrowed = api.execute(
        instance, NAME, ["/usr/local/bin/envoy", "--version"], user="billing", timeout_s=20, check=False
    )
    assert "Permission denied" in borrowed.stderr


@pytest.mark.usefixtures("without_sidecar")
def test_stopping_the_unit_opens_nothing(instance):
    shell(instance, "systemctl stop slipway-guard.service")
    assert lab.ask(instance, "node", lab.PORT, source=lab.POD) == "TimeoutError"
    shell(instance, "systemctl start slipway-guard.service")
    assert lab.ask(instance, "node", lab.PORT, source=lab.POD) == "TimeoutError"


@pytest.mark.usefixtures("without_sidecar")
def test_a_guard_that_does_not_load_leaves_the_machine_closed(instance):
    shell(
        instance, "cp /etc/slipway/guard.nft /etc/slipway/good; echo 'table inet { broken' > /etc/slipway/guard.nft"
    )
    failed = "systemctl restart slipway-guard.service || systemctl show --property=Result slipway-guard.service"
    assert shell(instance, failed).stdout.strip() == "Result=exit-code"
    assert lab.ask(instance, "node", lab.PORT, source=lab.POD) == "TimeoutError"
    assert lab.ask_from_machine(instance, "169.254.169.254", 80, user="root") == "ConnectionRefusedError"
    shell(instance, "mv /etc/slipway/good /etc/slipway/guard.nft; systemctl restart slipway-guard.service")


@pytest.mark.usefixtures("without_sidecar")
def test_these_checks_see_a_machine_without_its_guard(instance):
    shell(instance, "nft delete table inet slipway_guard")
    try:
        assert lab.ask(instance, "node", lab.PORT, source=lab.POD) == "plain"
        lab.wait_for(lambda: lab.arrivals(instance) > 0)
    finally:
        shell(instance, "systemctl restart slipway-guard.service")
        lab.count_arrivals(instance)
