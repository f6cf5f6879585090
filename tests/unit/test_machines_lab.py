"""The lab's side of a machine, as far as it is data: NSG rules, the container, the record."""

import json
from typing import Any

import pytest

from slipway.lab import instance as instances
from slipway.lab.machines import api, base, container, network_security, readiness, record, runtime
from slipway.manifests import nsg
from slipway.world import process


def rule(name, priority, *, direction=nsg.Direction.INBOUND, access=nsg.Access.ALLOW, **changes: Any):
    known = {"protocol": nsg.Protocol.TCP, "remote": ("10.61.0.0/16",), "ports": ("5432",), **changes}
    return nsg.NsgRule(name=name, priority=priority, direction=direction, access=access, **known)


RULES = (
    rule("deny-inbound", 4096, access=nsg.Access.DENY, protocol=nsg.Protocol.ANY, remote=("*",), ports=("*",)),
    rule("callers", 100, remote=("10.61.0.0/16", "10.60.2.11/32")),
    rule(
        "dns",
        110,
        direction=nsg.Direction.OUTBOUND,
        protocol=nsg.Protocol.UDP,
        remote=("10.0.0.4/32",),
        ports=("53",),
    ),
    rule("range", 120, protocol=nsg.Protocol.ANY, ports=("8000-8010", "9000")),
    rule("udp", 130, protocol=nsg.Protocol.UDP, remote=("*",), ports=("*",)),
)


def chain(text, name):
    inside = text.split(f"chain {name} {{")[1].split("}\n  chain")[0]
    return [
        line.strip()
        for line in inside.splitlines()
        if line.strip().startswith(("ip ", "tcp", "udp", "meta", "counter"))
    ]


class TestNetworkSecurityGroup:
    text = network_security.render(RULES, address="10.60.2.12", port="p-abc")

    def test_rules_stand_in_order_of_priority_before_azures_own(self):
        assert chain(self.text, "inbound") == [
            'ip saddr { 10.60.2.11/32, 10.61.0.0/16 } tcp dport { 5432 } counter accept comment "100 callers"',
            (
                "ip saddr { 10.61.0.0/16 } meta l4proto { tcp, udp } th dport { 8000-8010, 9000 } counter accept"
                ' comment "120 range"'
            ),
            'meta l4proto udp counter accept comment "130 udp"',
            'counter drop comment "4096 deny-inbound"',
            'ip saddr { 10.60.0.0/16, 10.61.0.0/16 } counter accept comment "65000 AllowVnetInBound"',
            'counter drop comment "65500 DenyAllInBound"',
            "counter drop",
        ]

    def test_the_platform_is_not_subject_to_outbound_rules(self):
        lines = chain(self.text, "outbound")
        assert lines[:3] == [
            "ip daddr 168.63.129.16 meta l4proto { tcp, udp } th dport 53 accept",
            "ip daddr 168.63.129.16 tcp dport { 80, 32526 } accept",
            "ip daddr 169.254.169.254 tcp dport 80 accept",
        ]
        assert lines[3] == 'ip daddr { 10.0.0.4/32 } udp dport { 53 } counter accept comment "110 dns"'

    def test_order_of_declaration_does_not_matter(self):
        turned = network_security.render(tuple(reversed(RULES)), address="10.60.2.12", port="p-abc")
        assert turned == self.text

    def test_a_machine_sends_from_its_own_address(self):
        assert 'iifname != "p-abc" accept' in self.text
        assert "ether type ip ip saddr 10.60.2.12 accept" in self.text

    def test_removal_names_the_same_tables(self):
        removal = network_security.render_removal("p-abc")
        for family in ("bridge", "ip"):
            assert f"delete table {family} slipway_nsg_p_abc" in self.text
            assert f"delete table {family} slipway_nsg_p_abc" in removal


def test_a_container_gets_no_right_over_the_computer():
    known = container.configuration(
        root="/r",
        hostname="m",
        network_namespace="/run/netns/n",
        control_group="/slipway/i/machines/m",
        packages={},
        data_disk=None,
    )
    capabilities = known["process"]["capabilities"]
    forbidden = {"CAP_SYS_RESOURCE", "CAP_SYS_MODULE", "CAP_SYS_TIME", "CAP_SYS_RAWIO", "CAP_SYSLOG"}
    assert not forbidden & set(capabilities["bounding"])
    assert set(capabilities) == {"bounding", "effective", "permitted"}
    assert "/proc/sys/kernel" in known["linux"]["readonlyPaths"]
    assert {entry["type"] for entry in known["linux"]["namespaces"]} >= {"pid", "network", "mount", "cgroup", "uts"}
    assert known["process"]["env"] == [f"PATH={container.SEARCH_PATH}", "container=runc"]


def test_packages_are_read_only():
    known = container.configuration(
        root="/r",
        hostname="m",
        network_namespace="/n",
        control_group="/c",
        packages={"a.deb": "/cache/a.deb"},
        data_disk=None,
    )
    mount = known["mounts"][-1]
    assert (mount["destination"], mount["source"]) == ("/opt/packages/a.deb", "/cache/a.deb")
    assert "ro" in mount["options"]


def test_a_data_disk_is_the_only_block_device():
    for number, nodes in ((None, []), (3, ["/dev/disk/azure/data/by-lun/0", "/dev/loop3"])):
        known = container.configuration(
            root="/r", hostname="m", network_namespace="/n", control_group="/c", packages={}, data_disk=number
        )["linux"]
        assert [entry["path"] for entry in known["devices"]] == nodes
        blocks = [entry for entry in known["resources"]["devices"] if entry.get("type") == "b"]
        assert [(entry["major"], entry["minor"]) for entry in blocks] == ([] if number is None else [(7, number)])


SPEC = record.MachineSpec(
    name="db-vm",
    address="10.60.2.12",
    user_data="#cloud-config\n",
    names={"db.corp.local": "10.60.2.12"},
    nsg=RULES,
    namespace="data",
    service_account="db-vm",
    database=True,
)


def test_inputs_survive_json_and_pulumis_numbers():
    known = json.loads(json.dumps(SPEC.to_json()))
    assert record.MachineSpec.from_json(known) == SPEC
    known["nsg"][0]["priority"] = float(known["nsg"][0]["priority"])
    assert record.MachineSpec.from_json(known) == SPEC


@pytest.fixture
def instance(tmp_path):
    return instances.Instance(name="unit", state=tmp_path / "state", cache=tmp_path / "cache")


def test_a_record_is_private_and_removed_last(instance):
    assert record.names(instance) == ()
    record.write(instance, SPEC)
    path = record.folder(instance, "db-vm") / "machine.json"
    assert path.stat().st_mode & 0o777 == 0o600
    assert record.read(instance, "db-vm") == SPEC
    assert record.names(instance) == ("db-vm",)
    (path.parent / "disk" / "etc").mkdir(parents=True)
    record.remove(instance, "db-vm")
    assert not path.parent.exists()
    assert record.read(instance, "db-vm") is None


def test_an_unknown_machine_is_named_with_those_that_are_there(instance):
    record.write(instance, SPEC)
    with pytest.raises(instances.LabError, match="no machine 'web-vm' in the lab unit; there are: db-vm"):
        api.reboot(instance, "web-vm", print)


def test_a_machine_cannot_take_the_name_of_a_host_of_the_lab(instance):
    known = record.MachineSpec.from_json({**SPEC.to_json(), "name": "node"})
    with pytest.raises(instances.LabError, match="'node', which is a host of the lab itself"):
        api.create(instance, known, print)


def test_without_a_lab_it_says_how_to_start_one(instance):
    with pytest.raises(instances.LabError, match=r"machine db-vm has no network: .* run slipway lab up unit"):
        api.create(instance, SPEC, print)


def answer(stdout):
    done = process.Completed(argv=(), exit_status=0, stdout=stdout, stderr="", duration_s=0.0)
    return lambda *_, **__: done


def test_the_image_comes_from_this_computers_own_sources(monkeypatch):
    lines = (
        "http://mirror/debian/ bookworm main\nhttp://mirror/debian/ bookworm-updates main\nhttp://other/ cloud main\n"
    )
    monkeypatch.setattr(process, "run", answer(lines))
    found = base._package_sources("bookworm")
    assert found == [
        ("http://mirror/debian/", "bookworm", "main"),
        ("http://mirror/debian/", "bookworm-updates", "main"),
    ]


def test_without_a_source_for_the_release_it_says_so(monkeypatch):
    monkeypatch.setattr(process, "run", answer("http://other/ cloud main\n"))
    with pytest.raises(instances.LabError, match="no package source for bookworm main"):
        base._package_sources("bookworm")


def test_a_machine_that_is_not_ready_says_what_is_missing(instance, monkeypatch):
    monkeypatch.setattr(runtime, "is_running", lambda *_: False)
    with pytest.raises(instances.LabError, match=r"db-vm is not ready within 1 s: the machine does not run"):
        readiness.wait(instance, SPEC, level=readiness.Level.BOOTED, timeout_s=1)


def test_cloud_init_errors_are_for_good(instance, monkeypatch, tmp_path):
    result = tmp_path / "run" / "cloud-init" / "result.json"
    monkeypatch.setattr(runtime, "is_running", lambda *_: True)
    monkeypatch.setattr(runtime, "root", lambda *_: tmp_path)
    assert readiness.observe(instance, SPEC, readiness.Level.BOOTED).missing == ("cloud-init is not done",)
    result.parent.mkdir(parents=True)
    result.write_text(json.dumps({"v1": {"datasource": "x", "errors": ["scripts-user"]}}))
    seen = readiness.observe(instance, SPEC, readiness.Level.BOOTED)
    assert (seen.missing, seen.failed) == (("cloud-init: scripts-user",), True)
    assert readiness.has_failed(instance, "db-vm")
