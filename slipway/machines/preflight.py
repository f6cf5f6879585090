"""Whether a machine that others booted can join, and what that does to who uses it now: pure, from facts.

A refusal says what was found, what is allowed, and how to mend it. What is only announced is said before anything
is changed, and nothing else may happen to anybody.
"""

import ipaddress
from collections import Counter
from collections.abc import Generator, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from slipway.machines import guard as guards
from slipway.machines import onboarding
from slipway.manifests import guard

SYSTEMD_MINIMUM = 240  # Source: systemd NEWS 236, `systemd-run --collect`; 240 is what the oldest tested image has
CLOCK_SKEW_S = 60  # Source: istio 1.29.1, security/pkg/pki/ca `ClockSkewGracePeriod` is two minutes
DISK_FREE_MIB = 512  # the package holds two programs of 200 MB together, and the log of the sidecar 5 x 50 MB
_DISTRIBUTIONS = frozenset({"debian", "ubuntu"})
_ARCHITECTURES = frozenset({"amd64", "arm64"})
_PROXY_PORTS = range(15000, 15091)  # Source: Istio documentation, ops/deployment/application-requirements
_OTHER_FIREWALLS = {
    "docker": "stop it, or move its containers elsewhere: it forwards and rewrites packets by rules of its own",
    "containerd": "stop it, or move its containers elsewhere: it forwards packets by rules of its own",
    "kubelet": "a node of a cluster is no machine: declare its pods as a service of the cluster",
    "firewalld": "`systemctl disable --now firewalld`: say in the declaration who may call",
    "ufw": "`ufw disable`: say in the declaration who may call",
    "nftables": "`systemctl disable nftables`, and remove its rules: each restart of it would take the guard away",
    "netfilter-persistent": "`systemctl disable --now netfilter-persistent`, and remove its rules",
}
_JOINED = frozenset({"capturing", "confirmed"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """Why a machine cannot join: what was found, what is allowed, and the fix."""

    subject: str
    found: str
    allowed: str
    fix: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Client:
    """Connections of one other computer to one port of the machine, that are open now."""

    port: int
    remote: str
    connections: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What would happen. ``refusals`` is empty when it can; ``announced`` are sentences; ``stage`` is the machine's.

    ``is_current`` says that it is onboarded already, with the same files, and that its sidecar is ready.
    """

    refusals: tuple[Refusal, ...]
    announced: tuple[str, ...]
    clients: tuple[Client, ...]
    stage: str
    is_current: bool


def judge(kit: onboarding.Kit, policy: guard.GuardPolicy, facts: Mapping[str, Any], *, clock_skew_s: float) -> Plan:
    """Return the plan for one machine; ``clock_skew_s`` is how far its clock is ahead of the operator's."""
    joined = facts["stage"] in _JOINED
    refusals = [*_system(facts, clock_skew_s), *_place(kit, facts), *_names(policy, facts), *_access(kit, facts)]
    if not joined:
        refusals += [*_firewalls(facts), *_taken(facts)]
    return Plan(
        refusals=tuple(refusals),
        announced=tuple(_announced(kit, policy, facts)),
        clients=clients(kit.ports, facts["connections"]),
        stage=facts["stage"],
        is_current=facts["stage"] == "confirmed" and facts["digest"] == kit.digest and facts["ready"],
    )


def clients(ports: Iterable[int], connections: Iterable[Mapping[str, Any]]) -> tuple[Client, ...]:
    """Return who is connected to ``ports``, sorted."""
    known = {*ports}
    found = Counter((item["port"], item["remote"]) for item in connections if item["port"] in known)
    return tuple(
        Client(port=port, remote=remote, connections=count) for (port, remote), count in sorted(found.items())
    )


def _system(facts: Mapping[str, Any], clock_skew_s: float) -> Generator[Refusal]:
    system = facts["system"]
    if system["id"] not in _DISTRIBUTIONS:
        yield _refusal("distribution", system["id"] or "unknown", "Debian or Ubuntu", "move the service to one")
    if system["architecture"] not in _ARCHITECTURES:
        yield _refusal("architecture", system["architecture"], "amd64 or arm64", "move the service to one")
    if facts["systemd"] < SYSTEMD_MINIMUM:
        found = f"version {facts['systemd']}" if facts["systemd"] else "another init system"
        yield _refusal("systemd", found, f"version {SYSTEMD_MINIMUM} or newer", "upgrade the machine's system")
    if facts["missing"]:
        packages = "apt-get install nftables iptables sudo curl hostname passwd"
        yield _refusal("programs", f"no {', '.join(facts['missing'])}", "all of them on the PATH", f"`{packages}`")
    if abs(clock_skew_s) > CLOCK_SKEW_S:
        found = f"{abs(clock_skew_s):.0f} s {'ahead' if clock_skew_s > 0 else 'behind'}"
        yield _refusal("clock", found, f"{CLOCK_SKEW_S} s: certificates", "`timedatectl set-ntp true`, and wait")
    if facts["disk_free_mib"] < DISK_FREE_MIB:
        found = f"{facts['disk_free_mib']} MiB free below /usr/local"
        yield _refusal("disk", found, f"{DISK_FREE_MIB} MiB", "make room, or enlarge the disk")


def _place(kit: onboarding.Kit, facts: Mapping[str, Any]) -> Generator[Refusal]:
    if kit.machine.address not in facts["addresses"]:
        found = ", ".join(item for item in facts["addresses"] if not item.startswith("127.")) or "none"
        fix = f"is it another machine? Otherwise state its address for {kit.machine.name}"
        yield _refusal("address", found, kit.machine.address, fix)
    if facts["control_plane"]:
        address, port = kit.control_plane
        fix = "open the way in the network, or mend `network: {controlPlane: ...}`"
        yield _refusal("control plane", f"{address}:{port}: {facts['control_plane']}", "a connection", fix)
    if kit.machine.database is not None:
        fix = f"remove `database` from {kit.machine.name}: its team keeps PostgreSQL's settings, roles and passwords"
        yield _refusal("database", "`database` in the declaration", "none on a machine that runs already", fix)


def _names(policy: guard.GuardPolicy, facts: Mapping[str, Any]) -> Generator[Refusal]:
    """Refuse where the guard would keep the machine from its own DNS server."""
    servers = facts["resolver"]["servers"]
    if policy.outbound is guard.Outbound.DECLARED and policy.resolver not in servers:
        found = f"{facts['resolver']['kind']}, asking {', '.join(servers) or 'nobody'}"
        fix = "mend `network: {resolver: ...}`, or let the machine ask that one"
        yield _refusal("resolver", found, policy.resolver, fix)


def _access(kit: onboarding.Kit, facts: Mapping[str, Any]) -> Generator[Refusal]:
    """Refuse where the next SSH connection would not come through. Source: ssh(1), "SSH_CONNECTION"."""
    words = facts["ssh"].split()
    if not words:
        return
    source, port = words[0], int(words[3])
    ssh = kit.machine.ssh
    stated = "nobody" if ssh is None else f"{ssh.source} to port {ssh.port}"
    if ssh is not None and port == ssh.port and _is_in(source, ssh.source):
        return
    block = f"{source}/32" if ":" not in source else "an IPv4 network"
    value = f"ssh: {block}" if port == 22 else f"ssh: {{from: {block}, port: {port}}}"  # noqa: PLR2004 - SSH's own
    yield _refusal("SSH", f"this connection from {source} to port {port}", stated, f"`{value}` for the machine")


def _is_in(address: str, block: str) -> bool:
    return ipaddress.ip_address(address) in ipaddress.ip_network(block)


def _firewalls(facts: Mapping[str, Any]) -> Generator[Refusal]:
    nobody = "no other program that filters or rewrites packets"
    for unit in facts["units"]:
        if unit in _OTHER_FIREWALLS:
            yield _refusal("packet filters", f"{unit} runs", nobody, _OTHER_FIREWALLS[unit])
    rewriting = [
        f"{item['family']} {item['table']}" for item in facts["tables"] if item["rewrites"] and item["rules"]
    ]
    for table in rewriting:
        fix = f"`nft list table {table}` shows whose they are; remove them for good, then `nft delete table {table}`"
        yield _refusal("packet filters", f"table {table} rewrites addresses", nobody, fix)
    if facts["legacy_tables"]:
        found = f"iptables-legacy has tables {', '.join(facts['legacy_tables'])}"
        fix = "remove its rules and modules: `iptables-legacy --flush`, `rmmod iptable_nat`, and use iptables-nft"
        yield _refusal("packet filters", found, nobody, fix)
    for name in sorted({"docker0", "cni0", "podman0", "virbr0"} & {*facts["interfaces"]}):
        fix = "remove it with what made it: the guard forwards nothing, so what is behind it would be cut"
        yield _refusal("packet filters", f"interface {name}", nobody, fix)
    for path, lines in sorted(facts["refusals"].items()):
        for line in lines:
            fix = "say in the declaration who may call instead, and remove the line"
            yield _refusal(path, line, "no client refused by its address", fix)


def _taken(facts: Mapping[str, Any]) -> Generator[Refusal]:
    accounts, number = facts["accounts"], str(guards.SIDECAR_USER)
    for kind in ("user", "group"):
        if accounts[kind] not in {"", "istio-proxy"}:
            fix = f"give {accounts[kind]} another number: the sidecar's traffic is told by this one"
            yield _refusal(f"{kind} {number}", accounts[kind], "nobody, or istio-proxy", fix)
        if accounts[f"{kind}_number"] not in {"", number}:
            fix = "remove the account, which an earlier installation left"
            yield _refusal(f"{kind} istio-proxy", f"number {accounts[f'{kind}_number']}", number, fix)
    for item in facts["listening"]:
        if item["port"] in _PROXY_PORTS and item["protocol"] == "tcp":
            found = f"{item['program'] or 'a program'} listens on {item['address']}:{item['port']}"
            yield _refusal("ports", found, "15000 to 15090 free", "let it listen elsewhere")
    if "istio" in facts["units"]:
        fix = "`systemctl disable --now istio`, and remove its package"
        yield _refusal("sidecar", "istio.service runs, and not by Slipway", "none", fix)


def _announced(kit: onboarding.Kit, policy: guard.GuardPolicy, facts: Mapping[str, Any]) -> Generator[str]:
    is_open = policy.other_inbound is guard.Inbound.OPEN
    for item in clients(kit.ports, facts["connections"]):
        after = "new ones go through the sidecar, plaintext too" if is_open else "NEW ONES ONLY BY MUTUAL TLS"
        yield f"{item.remote} to port {item.port}: {item.connections} open connections are kept; {after}"
    for port, program in _undeclared(kit, facts["listening"]):
        said = "stays open until calls are enforced" if is_open else "IS CUT"
        yield f"port {port} ({program}) is not declared: it {said}"
    for port in sorted({item["port"] for item in facts["connections"] if ":" in item["remote"]}):
        yield f"connections by IPv6 at port {port} ARE CUT: the mesh speaks IPv4"
    if policy.outbound is guard.Outbound.DECLARED:
        yield "the machine reaches NOTHING THAT IS NOT DECLARED any more"
    yield "a connection that is begun in the instant in which the guard is loaded may take a second longer, once"
    yield "if the trial ends unconfirmed, connections that were begun during it end with it"
    if kit.has_postgres:
        yield "pg_hba.conf: lines for networks are repeated for the sidecar's address, and reloaded; no restart"
        yield "clients' addresses are not checked by those lines any more: the declaration says who may call"


def _undeclared(kit: onboarding.Kit, listening: Iterable[Mapping[str, Any]]) -> list[tuple[str, str]]:
    """Return ports, with their program, on which others are waited for and of which the declaration says nothing."""
    known = {("tcp", port) for port in kit.ports}
    if kit.machine.ssh is not None:
        known.add(("tcp", kit.machine.ssh.port))
    found = {
        (item["protocol"], item["port"]): item["program"]
        for item in listening
        if not item["address"].startswith("127.") and item["address"] != "::1"
    }
    ours = {"envoy", "pilot-agent"}
    return [
        (f"{port}/{protocol}", program or "unknown program")
        for (protocol, port), program in sorted(found.items())
        if (protocol, port) not in known and program not in ours and (protocol, port) != ("udp", 68)
    ]


def _refusal(subject: str, found: str, allowed: str, fix: str) -> Refusal:
    return Refusal(subject=subject, found=found, allowed=allowed, fix=fix)
