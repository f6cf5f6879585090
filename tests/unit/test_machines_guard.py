"""What the guard's rules say for each position of a phase; tests/lab has them in a real kernel."""

import re

from hypothesis import given
from hypothesis import strategies as st
from machine_example import GUARD, guarded

from slipway.machines import guard as rules
from slipway.manifests import guard


def chain(text, name):
    body = re.search(rf"chain {name} {{\n(.*?)\n  }}", text, re.DOTALL)
    assert body is not None
    return [line.strip() for line in body[1].splitlines()]


def accepted(policy, name):
    return [line for line in chain(rules.render(policy), name) if line.endswith("accept")]


CLOSED_OUTBOUND = [
    "ip daddr 127.0.0.0/8 accept",
    "ct state established,related accept",
    "udp sport 68 udp dport 67 accept",
    "ip daddr 168.63.129.16 meta l4proto { tcp, udp } th dport 53 meta skuid @resolver_users accept",
    "ip daddr 169.254.169.254 tcp dport 80 meta skuid 0 accept",
    "ip daddr 168.63.129.16 tcp dport { 80, 32526 } meta skuid 0 accept",
    "ip daddr 10.60.0.4 tcp dport 443 meta skuid 0 accept",
    "meta skuid 1337 ip daddr 10.60.1.101/32 tcp dport { 15012 } accept",
    "meta skuid 1337 ip daddr 10.61.0.0/16 tcp dport { 8443, 9411 } accept",
    'oif "lo" accept',
]
CLOSED_INBOUND = [
    'iif "lo" accept',
    "ct state established,related accept",
    "udp sport 67 udp dport 68 accept",
]


def test_a_locked_machine_accepts_captured_declared_ports_only():
    captured = "tcp dport 15006 ct status dnat ct original proto-dst { 9090 } accept"
    assert accepted(GUARD, "inbound") == [*CLOSED_INBOUND, captured]


def test_a_machine_without_callers_accepts_nothing():
    assert accepted(guarded(captured_ports=()), "inbound") == CLOSED_INBOUND


def test_captured_takes_any_port_that_the_sidecar_took():
    policy = guarded(other_inbound=guard.Inbound.CAPTURED)
    assert accepted(policy, "inbound") == [*CLOSED_INBOUND, "tcp dport 15006 ct status dnat accept"]


def test_open_inbound_takes_everything():
    policy = guarded(other_inbound=guard.Inbound.OPEN)
    assert accepted(policy, "inbound") == [*CLOSED_INBOUND, "meta nfproto ipv4 accept"]


def test_a_locked_machine_sends_what_is_exempt_only():
    assert accepted(GUARD, "outbound") == CLOSED_OUTBOUND


def test_open_outbound_sends_everything_but_from_the_sidecars_address():
    lines = chain(rules.render(guarded(outbound=guard.Outbound.OPEN)), "outbound")
    assert "meta nfproto ipv4 accept" in lines
    assert lines[1] == "ip saddr 127.0.0.6 meta skuid != 1337 counter drop"


def test_without_a_vault_and_elsewhere_than_azure_nothing_is_exempt_for_them():
    lines = accepted(guarded(vault="", resolver="10.0.0.53", mesh=()), "outbound")
    assert not [line for line in lines if "443" in line or "32526" in line]


def test_the_closed_guard_lets_loopback_through_only():
    text = rules.render_closed()
    assert [line for line in text.splitlines() if "accept" in line] == ['    iif "lo" accept', '    oif "lo" accept']


def test_every_chain_drops_what_it_does_not_name():
    for text in (rules.render(GUARD), rules.render_closed()):
        assert text.count("policy drop;") == text.count("type filter hook") == 3


reaches = st.builds(
    guard.Reach,
    cidr=st.sampled_from(["10.60.1.101/32", "10.61.0.0/16", "10.61.0.0/24"]),
    ports=st.lists(st.integers(1, 65535), max_size=3, unique=True).map(lambda ports: tuple(sorted(ports))),
)
policies = st.builds(
    guarded,
    captured_ports=st.lists(st.integers(1, 65535), max_size=3, unique=True).map(tuple),
    other_inbound=st.just(guard.Inbound.REFUSED),
    outbound=st.just(guard.Outbound.DECLARED),
    mesh=st.lists(reaches, max_size=3).map(tuple),
)


@given(policies)
def test_no_set_is_empty(policy):
    """With one, nft loads nothing of the file, and the machine stays closed."""
    assert "{  }" not in rules.render(policy)


def test_every_port_is_one_rule_without_ports():
    policy = guarded(mesh=(guard.Reach(cidr="10.61.0.0/16", ports=()),))
    assert "meta skuid 1337 ip daddr 10.61.0.0/16 meta l4proto tcp accept" in accepted(policy, "outbound")


@given(policies)
def test_only_the_sidecars_user_reaches_the_mesh(policy):
    for line in accepted(policy, "outbound"):
        if any(f"ip daddr {reach.cidr} " in line for reach in policy.mesh):
            assert line.startswith("meta skuid 1337 ")


@given(policies)
def test_one_port_less_is_never_one_rule_more(policy):
    less = guarded(captured_ports=policy.captured_ports[1:], mesh=policy.mesh[1:])
    assert len(accepted(less, "outbound")) <= len(accepted(policy, "outbound"))
    assert len(accepted(less, "inbound")) <= len(accepted(policy, "inbound"))
