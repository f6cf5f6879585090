"""What the preflight of a machine that others booted refuses, and what it announces."""

import dataclasses
from typing import Any

import pytest
from onboarding_example import OPEN, facts, kit

from slipway.machines import preflight
from slipway.manifests import guard
from slipway.mesh import model


def judged(*, policy=OPEN, skew_s=0.0, known=None, **changes: Any):
    return preflight.judge(known or kit(), policy, facts(**changes), clock_skew_s=skew_s)


def listening(port, *, address="10.60.2.12", protocol="tcp", program="thing"):
    return [{"protocol": protocol, "address": address, "port": port, "program": program}]


def test_a_machine_with_which_all_is_well_can_join():
    plan = judged()
    assert plan.refusals == ()
    assert plan.clients == (preflight.Client(port=5432, remote="10.60.2.99", connections=2),)
    assert "10.60.2.99 to port 5432: 2 open connections are kept; new ones go through the sidecar, plaintext too" in (
        plan.announced
    )


@pytest.mark.parametrize(
    ("changes", "subject", "found"),
    [
        ({"system": {"id": "rhel", "version": "9", "architecture": "amd64"}}, "distribution", "rhel"),
        ({"system": {"id": "debian", "version": "12", "architecture": "armhf"}}, "architecture", "armhf"),
        ({"systemd": 0}, "systemd", "another init system"),
        ({"systemd": 232}, "systemd", "version 232"),
        ({"missing": ["nft", "sudo"]}, "programs", "no nft, sudo"),
        ({"disk_free_mib": 100}, "disk", "100 MiB free below /usr/local"),
        ({"addresses": ["127.0.0.1", "10.60.2.77"]}, "address", "10.60.2.77"),
        ({"control_plane": "timed out"}, "control plane", "10.60.1.101:15012: timed out"),
        ({"ssh": "10.99.0.1 50000 10.60.2.12 22"}, "SSH", "this connection from 10.99.0.1 to port 22"),
        ({"ssh": "10.20.9.4 50000 10.60.2.12 2222"}, "SSH", "this connection from 10.20.9.4 to port 2222"),
        ({"units": ["docker"]}, "packet filters", "docker runs"),
        ({"units": ["ufw"]}, "packet filters", "ufw runs"),
        ({"units": ["istio"]}, "sidecar", "istio.service runs, and not by Slipway"),
        ({"interfaces": ["docker0", "lo"]}, "packet filters", "interface docker0"),
        ({"legacy_tables": ["nat"]}, "packet filters", "iptables-legacy has tables nat"),
        (
            {"tables": [{"family": "ip", "table": "nat", "rules": 3, "rewrites": True}]},
            "packet filters",
            "table ip nat rewrites addresses",
        ),
        (
            {"accounts": {"user": "tomcat", "group": "", "user_number": "", "group_number": ""}},
            "user 1337",
            "tomcat",
        ),
        (
            {"accounts": {"user": "", "group": "", "user_number": "998", "group_number": ""}},
            "user istio-proxy",
            "number 998",
        ),
        (
            {"refusals": {"/etc/postgresql/15/main/pg_hba.conf": ["host all all 10.9.0.0/16 reject"]}},
            "/etc/postgresql/15/main/pg_hba.conf",
            "host all all 10.9.0.0/16 reject",
        ),
        ({"listening": listening(15001)}, "ports", "thing listens on 10.60.2.12:15001"),
    ],
)
def test_what_is_in_the_way_is_named_with_its_fix(changes, subject, found):
    refusals = judged(**changes).refusals
    assert [(item.subject, item.found) for item in refusals] == [(subject, found)]
    assert refusals[0].allowed
    assert refusals[0].fix


@pytest.mark.parametrize(("skew_s", "said"), [(90.0, "90 s ahead"), (-75.0, "75 s behind"), (59.0, None)])
def test_clocks_apart_are_refused(skew_s, said):
    assert [item.found for item in judged(skew_s=skew_s).refusals] == ([said] if said else [])


def test_tables_without_rules_and_filters_are_nobodys_business():
    tables = [
        {"family": "ip", "table": "nat", "rules": 0, "rewrites": True},
        {"family": "inet", "table": "filter", "rules": 4, "rewrites": False},
    ]
    assert judged(tables=tables).refusals == ()


def test_a_machine_that_joined_is_not_refused_for_what_onboarding_put_there():
    ours = {
        "tables": [{"family": "ip", "table": "nat", "rules": 9, "rewrites": True}],
        "units": ["istio"],
        "listening": listening(15006, program="envoy"),
        "stage": "confirmed",
    }
    assert judged(**ours).refusals == ()
    assert not judged(**ours).is_current
    assert judged(**ours, digest=kit().digest).is_current
    assert not judged(**ours, digest=kit().digest, ready=False).is_current


def test_a_database_of_its_team_is_not_declared_as_ours():
    database = model.Database(name="shop", users=("orders",))
    (refusal,) = judged(known=kit(database=database)).refusals
    assert refusal.subject == "database"


def test_who_may_log_in_has_to_be_said():
    (refusal,) = judged(known=kit(ssh=None)).refusals
    assert (refusal.allowed, refusal.fix) == ("nobody", "`ssh: 10.20.9.4/32` for the machine")


def test_what_a_closed_guard_cuts_is_announced():
    closed = dataclasses.replace(OPEN, other_inbound=guard.Inbound.REFUSED, outbound=guard.Outbound.DECLARED)
    plan = judged(policy=closed, listening=listening(8009, program="java"))
    assert "port 8009/tcp (java) is not declared: it IS CUT" in plan.announced
    assert "the machine reaches NOTHING THAT IS NOT DECLARED any more" in plan.announced
    assert any("NEW ONES ONLY BY MUTUAL TLS" in line for line in plan.announced)


def test_a_closed_guard_keeps_nobody_from_the_dns_server_that_is_asked():
    closed = dataclasses.replace(OPEN, outbound=guard.Outbound.DECLARED)
    asked = {"kind": "systemd-resolved", "servers": ["10.0.0.53"]}
    (refusal,) = judged(policy=closed, resolver=asked).refusals
    assert (refusal.found, refusal.allowed) == ("systemd-resolved, asking 10.0.0.53", "168.63.129.16")
    assert judged(resolver=asked).refusals == ()


def test_while_the_phase_is_open_undeclared_ports_are_only_named():
    found = [*listening(8009, program="java"), *listening(9, address="127.0.0.1"), *listening(68, protocol="udp")]
    named = [line for line in judged(listening=found).announced if "not declared" in line]
    assert named == ["port 8009/tcp (java) is not declared: it stays open until calls are enforced"]


def test_connections_by_ipv6_are_announced_as_cut():
    plan = judged(connections=[{"port": 5432, "remote": "2001:db8::1", "remote_port": 1}])
    assert "connections by IPv6 at port 5432 ARE CUT: the mesh speaks IPv4" in plan.announced
