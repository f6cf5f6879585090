"""Guards and network security groups by position."""

import dataclasses

import pytest
from bundle_example import PHASES, call, example, http_port, machine, service, with_phases

from policies.bundles import compiler, dependencies
from slipway.machines import arguments, guard, sidecar
from slipway.manifests.guard import Inbound, Outbound, Reach
from slipway.manifests.nsg import Access, Direction
from slipway.mesh import model

STRICT, PERMISSIVE = model.MtlsMode.STRICT, model.MtlsMode.PERMISSIVE
OFF, OBSERVED, ENFORCED = model.AuthorizationMode


@pytest.mark.parametrize(
    ("mtls", "authorization", "captured", "other"),
    [
        (STRICT, ENFORCED, (9090,), Inbound.REFUSED),
        (STRICT, OBSERVED, (9090,), Inbound.CAPTURED),
        (STRICT, OFF, (9090,), Inbound.CAPTURED),
        (PERMISSIVE, ENFORCED, (9090,), Inbound.REFUSED),
        (PERMISSIVE, OBSERVED, (), Inbound.OPEN),
        (PERMISSIVE, OFF, (), Inbound.OPEN),
    ],
)
def test_the_guard_is_never_more_closed_than_the_sidecar(mtls, authorization, captured, other):
    policy = compiler.compile_bundle(with_phases(mtls=mtls, authorization=authorization)).guards["billing-vm"]
    assert policy.captured_ports == captured
    assert policy.other_inbound is other


@pytest.mark.parametrize("egress", model.EgressMode)
def test_only_a_locked_way_out_limits_a_machine(egress):
    compiled = compiler.compile_bundle(with_phases(egress=egress))
    locked = egress is model.EgressMode.LOCKED
    assert compiled.guards["db-vm"].outbound is (Outbound.DECLARED if locked else Outbound.OPEN)
    last = compiled.nsg["db-vm"][-1]
    assert (last.access, last.direction) == (Access.DENY if locked else Access.ALLOW, Direction.OUTBOUND)


def test_a_machine_reaches_what_its_service_calls_and_nothing_else():
    assert compiler.compile_bundle(example()).guards["billing-vm"].mesh == (
        Reach(cidr="10.60.1.101/32", ports=(15012,)),
        Reach(cidr="10.60.2.12/32", ports=(5432,)),
        Reach(cidr="10.61.0.0/16", ports=(9411,)),
    )


def test_while_undeclared_calls_are_only_observed_every_machine_and_pod_is_within_reach():
    phases = with_phases(authorization_exceptions=(("orders", OBSERVED),)).phases
    reach = compiler.compile_bundle(example(phases=phases)).guards["billing-vm"].mesh
    assert reach[1:] == (Reach(cidr="10.60.2.12/32", ports=()), Reach(cidr="10.61.0.0/16", ports=()))


def test_a_machine_that_calls_an_outside_host_reaches_the_egress_gateway():
    billing = service(
        "billing",
        "back-office",
        ports=[http_port(9090)],
        externals=["payments"],
        machines=["billing-vm"],
        cluster=False,
    )
    mesh = example(
        services=(billing,),
        ingress=(),
        tracing=None,
        machines=(machine("billing-vm", "back-office", "10.60.2.11", ["billing"]),),
    )
    assert Reach(cidr="10.61.0.0/16", ports=(8443,)) in compiler.compile_bundle(mesh).guards["billing-vm"].mesh


def test_inbound_rules_name_the_callers_places():
    rules = compiler.compile_bundle(example()).nsg["db-vm"]
    (allowed,) = (item for item in rules if item.direction is Direction.INBOUND and item.access is Access.ALLOW)
    assert allowed.remote == ("10.60.2.11/32", "10.61.0.0/16")
    assert allowed.ports == ("5432",)


def test_a_port_without_callers_is_not_opened():
    idle = service("idle", "back-office", ports=[http_port(9090)], machines=["idle-vm"], cluster=False)
    mesh = example(
        services=(idle,), ingress=(), machines=(machine("idle-vm", "back-office", "10.60.2.11", ["idle"]),)
    )
    inbound = [item for item in compiler.compile_bundle(mesh).nsg["idle-vm"] if item.direction is Direction.INBOUND]
    assert [item.access for item in inbound] == [Access.DENY]


def test_an_ingress_route_to_a_machine_opens_its_port_to_the_gateways_pods():
    web = service("storefront", "shop", ports=[http_port(8080)], machines=["web-vm"], cluster=False)
    mesh = example(services=(web,), machines=(machine("web-vm", "shop", "10.60.2.11", ["storefront"]),))
    compiled = compiler.compile_bundle(mesh)
    assert ("10.61.0.0/16",) in [item.remote for item in compiled.nsg["web-vm"] if item.ports == ("8080",)]
    (policy,) = (item for item in compiled.of("NetworkPolicy") if item.namespace == "istio-ingress")
    assert {"to": [{"ipBlock": {"cidr": "10.60.2.11/32"}}], "ports": [{"protocol": "TCP", "port": 8080}]} in (
        policy.body["spec"]["egress"]
    )


def test_reaches_merge_by_block_and_every_port_swallows_single_ones():
    found = dependencies.merged(
        [
            Reach(cidr="10.9.0.0/16", ports=(2,)),
            Reach(cidr="10.10.0.0/16", ports=(3,)),
            Reach(cidr="10.9.0.0/16", ports=(1, 2)),
            Reach(cidr="10.10.0.0/16", ports=()),
        ]
    )
    assert found == (Reach(cidr="10.9.0.0/16", ports=(1, 2)), Reach(cidr="10.10.0.0/16", ports=()))


def test_without_a_vault_no_rule_speaks_of_it():
    network = example().network
    without = model.Network(**{**{f: getattr(network, f) for f in network.__slots__}, "vault": ""})
    compiled = compiler.compile_bundle(example(network=without))
    assert "allow-vault" not in [item.name for item in compiled.nsg["db-vm"]]
    assert compiled.guards["db-vm"].vault == ""


def test_a_machine_beside_pods_of_one_service_carries_their_labels():
    both = service("billing", "back-office", ports=[http_port(9090)], machines=["billing-vm"])
    caller = service("orders", "shop", ports=[http_port(8080)], calls=[call("billing", "http")])
    mesh = example(
        services=(both, caller),
        ingress=(),
        machines=(machine("billing-vm", "back-office", "10.60.2.11", ["billing"]),),
    )
    compiled = compiler.compile_bundle(mesh)
    (entry,) = compiled.of("WorkloadEntry")
    assert entry.body["spec"]["labels"] == {"app": "billing", "slipway.dev/machine": "billing-vm"}
    assert compiled.of("Service") == ()
    assert [item.name for item in compiled.of("Sidecar") if item.namespace == "back-office"] == [
        "billing.pods",
        "default",
    ]


def test_the_exception_of_one_service_is_its_own_peer_authentication():
    mesh = with_phases(mtls=STRICT, mtls_exceptions=(("billing", PERMISSIVE),))
    modes = {item.key[1:]: item.body["spec"] for item in compiler.compile_bundle(mesh).of("PeerAuthentication")}
    assert modes["back-office", "default"] == {"mtls": {"mode": "STRICT"}}
    assert modes["back-office", "billing.billing-vm"] == {
        "selector": {"matchLabels": {"slipway.dev/machine": "billing-vm"}},
        "mtls": {"mode": "PERMISSIVE"},
    }
    assert PHASES.mtls is STRICT


def test_a_machines_proxy_says_the_labels_of_its_entry():
    workload = model.Workload(labels=(("app", "billing"), ("tier", "back")), service_account="b", service="billing")
    both = dataclasses.replace(
        service("billing", "back-office", ports=[http_port(9090)], machines=["billing-vm"]), workload=workload
    )
    mesh = example(
        services=(both,), ingress=(), machines=(machine("billing-vm", "back-office", "10.60.2.11", ["billing"]),)
    )
    (entry,) = compiler.compile_bundle(mesh).of("WorkloadEntry")
    inputs = arguments.of(
        mesh,
        machine="billing-vm",
        guard_policy=compiler.compile_bundle(mesh).guards["billing-vm"],
        token=arguments.TokenSource(metadata_url="", resource="", client_id="", vault_url="", secret=""),
        package=arguments.SidecarPackage(url="", sha256=""),
        team_cloud_config="",
    )
    assert sidecar.labels(inputs) == entry.body["spec"]["labels"]


class TestAdministration:
    """SSH past the sidecar, from where the declaration says: guard, rule set and capture agree on it."""

    SSH = model.Administration(source="10.20.9.0/24", port=2222)

    def mesh(self):
        mesh = example()
        found = tuple(dataclasses.replace(item, ssh=self.SSH) for item in mesh.machines)
        return dataclasses.replace(mesh, machines=found)

    def test_the_guard_lets_it_in_and_nobody_else(self):
        policy = compiler.compile_bundle(self.mesh()).guards["billing-vm"]
        assert policy.administration == (Reach(cidr="10.20.9.0/24", ports=(2222,)),)
        assert "ip saddr 10.20.9.0/24 tcp dport { 2222 } accept" in guard.render(policy)
        assert "dport { 22" not in guard.render(compiler.compile_bundle(example()).guards["billing-vm"])

    def test_the_network_security_group_does_too(self):
        (rule,) = [
            item for item in compiler.compile_bundle(self.mesh()).nsg["billing-vm"] if item.name == "allow-ssh"
        ]
        assert (rule.access, rule.direction, rule.remote, rule.ports) == (
            Access.ALLOW,
            Direction.INBOUND,
            ("10.20.9.0/24",),
            ("2222",),
        )

    def test_the_sidecar_does_not_take_it(self):
        mesh = self.mesh()
        made = arguments.of(
            mesh,
            machine="billing-vm",
            guard_policy=compiler.compile_bundle(mesh).guards["billing-vm"],
            token=None,
            package=arguments.SidecarPackage(url="file:///opt/packages/istio-sidecar.deb", sha256="ab" * 32),
            team_cloud_config="",
        )
        assert "ISTIO_LOCAL_EXCLUDE_PORTS='22,15090,15021,15020,2222'" in sidecar.cluster_environment(made)
