"""The life of a machine in a lab without a cluster: made, killed, healed, rebooted, changed, removed."""

import concurrent.futures
import os
import signal
import textwrap

import guarded_machine as lab
import pytest

from slipway.lab import instance as instances
from slipway.lab import network
from slipway.lab.machines import api, record, runtime
from slipway.manifests import canonical, guard, nsg

pytestmark = pytest.mark.lab
NAME = "billing-vm"


@pytest.fixture(scope="module")
def instance():
    with lab.surroundings("test-machines") as made:
        api.create(made, lab.specification(made), print)
        yield made


def shell(instance, script):
    return api.execute(instance, NAME, ["/bin/sh", "-c", script], timeout_s=30).stdout


def rule(direction, access, priority, remote="*", port="*"):
    return nsg.NsgRule(
        name=f"{direction.value}-{priority}",
        priority=priority,
        direction=direction,
        access=access,
        protocol=nsg.Protocol.ANY if port == "*" else nsg.Protocol.TCP,
        remote=(remote,),
        ports=(port,),
    )


def booted_at(instance):
    return runtime.state(instance, NAME)[1]


def test_a_machine_that_is_there_is_left_alone(instance):
    before = booted_at(instance)
    outputs = api.create(instance, lab.specification(instance), print)
    assert outputs["running"]
    assert outputs == api.read(instance, NAME)
    assert booted_at(instance) == before


def test_nothing_secret_and_nothing_of_this_computer_is_on_it(instance):
    environment = shell(instance, "cat /proc/1/environ | tr '\\0' '\\n'")
    assert "SLIPWAY" not in environment
    assert shell(instance, "hostname").strip() == NAME
    assert shell(instance, "cat /etc/resolv.conf").strip() == f"nameserver {instances.RESOLVER_ADDRESS}"
    assert shell(instance, "find / -xdev -name '*.key' -path '*ssl*'") == ""


def test_a_killed_machine_is_healed_with_its_disk(instance):
    shell(instance, "echo kept > /var/lib/kept; sync")
    os.kill(booted_at(instance), signal.SIGKILL)
    lab.wait_for(lambda: not runtime.is_running(instance, NAME))
    assert api.heal(instance, print) == (NAME,)
    assert shell(instance, "cat /var/lib/kept") == "kept\n"
    assert api.heal(instance, print) == ()


def test_a_machine_that_was_killed_in_its_first_boot_is_finished_by_the_same_call(instance):
    api.delete(instance, NAME)
    spec = lab.specification(instance)
    with concurrent.futures.ThreadPoolExecutor() as pool:
        making = pool.submit(api.create, instance, spec, print)
        lab.wait_for(lambda: runtime.state(instance, NAME)[0] == "running")
        marker = runtime.root(instance, NAME) / "etc/slipway/machine.env"
        lab.wait_for(marker.exists)
        os.kill(booted_at(instance), signal.SIGKILL)
        with pytest.raises(instances.LabError, match="does not run"):
            making.result(timeout=60)
    assert api.create(instance, spec, print)["running"]
    assert shell(instance, "systemctl is-active slipway-guard.service") == "active\n"
    assert "istio-sidecar" in shell(instance, "dpkg --get-selections")


def test_a_machine_whose_network_is_gone_is_healed(instance):
    network.detach(instance, NAME)
    assert api.heal(instance, print) == (NAME,)
    assert shell(instance, "systemctl is-active slipway-guard.service") == "active\n"


def test_new_user_data_is_applied_without_a_reboot(instance):
    mesh_guard = guard.GuardPolicy(
        machine=NAME,
        captured_ports=(lab.PORT,),
        other_inbound=guard.Inbound.OPEN,
        outbound=guard.Outbound.OPEN,
        mesh=(),
        resolver=instances.RESOLVER_ADDRESS,
        metadata=instances.METADATA_ADDRESS,
        vault="",
    )
    before = booted_at(instance)
    shell(instance, "systemctl stop istio.service slipway-token.service")
    team = lab.TEAM + "  - [touch, /var/lib/second]\n"
    api.update(instance, lab.specification(instance, guard_policy=mesh_guard, team=team), print)
    shell(instance, "systemctl stop istio.service slipway-token.service")
    assert booted_at(instance) == before
    assert shell(instance, "ls /var/lib/second") == "/var/lib/second\n"
    assert lab.ask(instance, "node", lab.PORT, source=lab.POD) == "plain"
    lab.count_arrivals(instance)
    lab.wait_for(lambda: lab.arrivals(instance) > 0)


class TestNetworkSecurityGroup:
    """With the machine's own guard open, as the test above has left it."""

    IN, OUT = nsg.Direction.INBOUND, nsg.Direction.OUTBOUND
    ALLOW, DENY = nsg.Access.ALLOW, nsg.Access.DENY

    def apply(self, instance, *rules: nsg.NsgRule):
        spec = record.read(instance, NAME)
        known = {**spec.to_json(), "nsg": [canonical.rule_to_plain(item) for item in rules]}
        api.update(instance, api.MachineSpec.from_json(known), print)

    def test_the_lowest_number_decides(self, instance):
        source = f"{lab.POD}/32"
        self.apply(
            instance,
            rule(self.IN, self.ALLOW, 100, source, "9090"),
            rule(self.IN, self.DENY, 200, source, "9000-9100"),
            rule(self.IN, self.ALLOW, 300),
        )
        answers = [lab.ask(instance, "node", port, source=lab.POD) for port in (9090, 9091, 22)]
        assert answers == ["plain", "TimeoutError", "plain"]
        assert lab.ask(instance, "other", 9091) == "plain"

    def test_without_rules_the_network_may_and_the_internet_may_not(self, instance):
        self.apply(instance)
        assert lab.ask(instance, "other", lab.PORT) == "plain"
        assert lab.ask(instance, "internet", lab.PORT, source=lab.OUTSIDE) == "TimeoutError"

    def test_answers_of_allowed_flows_pass_and_nothing_else_leaves(self, instance):
        self.apply(instance, rule(self.IN, self.ALLOW, 100, port="9090"), rule(self.OUT, self.DENY, 4096))
        assert lab.ask(instance, "node", lab.PORT, source=lab.POD) == "plain"
        lab.count_arrivals(instance)
        lab.wait_for(lambda: lab.attempts(instance) > 0)
        tried = lab.attempts(instance)
        lab.wait_for(lambda: lab.attempts(instance) > tried + 5)
        assert lab.arrivals(instance) == 0

    def test_a_machine_sends_from_its_own_address_only(self, instance):
        self.apply(instance, rule(self.IN, self.ALLOW, 100), rule(self.OUT, self.ALLOW, 100))
        shell(instance, "ip address add 10.60.2.77/32 dev eth0")
        borrowed = lab.ask_from_machine(instance, lab.OTHER_MACHINE, 22, user="root", source="10.60.2.77")
        assert borrowed == "TimeoutError"
        assert lab.ask_from_machine(instance, lab.OTHER_MACHINE, 22, user="root") == "ConnectionRefusedError"


def test_what_a_team_gets_wrong_is_reported_and_can_be_mended(instance):
    broken = textwrap.dedent("""\
        #cloud-config
        runcmd:
          - [ls, /not-there]
          - [touch, /var/lib/after-the-mistake]
        """)
    with pytest.raises(instances.LabError, match=r"cloud-init: .*scripts-user") as raised:
        api.update(instance, lab.specification(instance, team=broken), print)
    assert "/not-there" in str(raised.value)
    assert shell(instance, "ls /var/lib | grep -c after || true") == "0\n"
    shell(instance, "touch /not-there")
    api.update(instance, lab.specification(instance, team=broken), print)
    assert shell(instance, "ls /var/lib | grep -c after") == "1\n"


def test_a_deleted_machine_leaves_nothing(instance):
    api.delete(instance, NAME)
    api.delete(instance, NAME)
    assert runtime.state(instance, NAME) == ("absent", 0)
    assert api.read(instance, NAME) is None
    assert NAME not in network.hosts(instance)
    assert not record.folder(instance, NAME).exists()
    rules = network.run(instance, instances.FABRIC, ["nft", "list", "ruleset"], timeout_s=20).stdout
    assert rules.strip() == ""
    assert not (instance.state / "platform" / "machines" / f"{NAME}.json").exists()
