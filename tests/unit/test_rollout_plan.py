from dataclasses import replace
from pathlib import Path

import pytest
import rollout_example

from slipway.diagnostics import DiagnosticsError
from slipway.mesh import loader, model
from slipway.rollout import ground_fake, plan, probes, samples, sources
from slipway.rollout.checks.check import Group
from slipway.world import files

MESH = rollout_example.mesh()
CASES = Path(__file__).parents[1] / "cases" / "bundles"
MEASURED_APART = {Group.TRACE, Group.OUTAGE, Group.BOOT, Group.ROWS}


def lines(group, declared=MESH):
    return [check for check in rollout_example.checks(declared) if check.group is group]


def phases(**changes: object):
    return replace(MESH, phases=replace(MESH.phases, **changes))


def test_every_part_of_the_proof_has_lines_and_every_line_a_name_of_its_own():
    checks = rollout_example.checks()
    assert {check.group for check in checks} == set(Group) - MEASURED_APART
    assert len({check.name for check in checks}) == len(checks)


def test_every_declared_call_is_made_by_each_of_its_names():
    told = {f"{check.source} -> {check.told}" for check in lines(Group.DECLARED)}
    assert {
        "orders -> billing.corp.local:9090 POST /invoices",
        "orders -> billing.back-office:9090 POST /invoices",
        "orders -> billing.back-office.svc.cluster.local:9090 POST /invoices",
        "storefront -> orders:8080 GET /api/orders/*",
        "billing-vm -> orders-db.data.svc.cluster.local:5432",
    } <= told
    for caller in MESH.services:
        for call in caller.service_calls:
            host = MESH.service(call.service).host
            assert any(check.request.target.host == host for check in lines(Group.DECLARED))


def test_names_of_today_are_called_at_the_workloads_own_port():
    billing = MESH.service("billing")
    moved = replace(billing, ports=tuple(replace(port, service_port=80) for port in billing.ports))
    declared = replace(MESH, services=tuple(moved if item == billing else item for item in MESH.services))
    targets = {str(check.request.target) for check in lines(Group.DECLARED, declared) if "invoices" in check.told}
    assert targets == {
        "billing.corp.local:9090",
        "billing.back-office:80",
        "billing.back-office.svc.cluster.local:80",
    }


def test_every_undeclared_pair_is_asked_at_the_caller_and_at_the_server():
    declared = {(caller.name, call.service) for caller in MESH.services for call in caller.service_calls}
    names = [service.name for service in MESH.services]
    undeclared = {(one, other) for one in names for other in names if one != other} - declared
    by_host = {service.host: service.name for service in MESH.services}
    for group in (Group.CALLER, Group.SERVER):
        hosts = [check for check in lines(group) if getattr(check.request.target, "host", "") in by_host]
        found = {(check.source.identity.service, by_host[check.request.target.host]) for check in hosts}
        assert found == undeclared


def test_what_should_be_refused_is_never_asked_twice():
    patient = {check.group for check in rollout_example.checks() if check.expected.patient}
    assert patient <= {Group.DECLARED, Group.OUTSIDE, Group.INGRESS}


def test_a_new_call_turns_its_refusals_into_a_declared_call():
    port = MESH.service("storefront").ports[0].name
    call = model.ServiceCall(service="storefront", port=port, http=(), span=MESH.services[0].span)
    services = tuple(
        replace(item, service_calls=(*item.service_calls, call)) if item.name == "orders" else item
        for item in MESH.services
    )
    wider = replace(MESH, services=services)
    pair = lambda check: check.source.identity.service == "orders" and "storefront" in check.told  # noqa: E731
    assert any(pair(check) for check in lines(Group.SERVER))
    assert not any(pair(check) for check in [*lines(Group.SERVER, wider), *lines(Group.CALLER, wider)])
    assert any(pair(check) for check in lines(Group.DECLARED, wider))


def test_while_authorization_is_only_observed_nothing_is_expected_to_be_refused_by_it():
    observed = phases(authorization=model.AuthorizationMode.OBSERVED)
    for group in (Group.CALLER, Group.SERVER, Group.METHOD, Group.PATH):
        assert lines(group, observed) == []


def test_while_plaintext_is_permitted_the_server_refuses_it_by_policy():
    permissive = phases(mtls=model.MtlsMode.PERMISSIVE)
    node = [check for check in lines(Group.PLAINTEXT, permissive) if check.source.manner is sources.Manner.NODE]
    assert {check.expected.told for check in node if "pod" in check.told} == {"403 by policy"}
    assert (
        lines(
            Group.PLAINTEXT,
            replace(permissive, phases=replace(permissive.phases, authorization=model.AuthorizationMode.OFF)),
        )
        == []
    )


def test_while_egress_is_open_only_declared_hosts_are_asked_for():
    opened = phases(egress=model.EgressMode.OPEN)
    assert lines(Group.BYPASS, opened) == []
    assert {check.told for check in lines(Group.OUTSIDE, opened)} == {"payments.example.com"}
    assert not any(check.expected.through_egress for check in lines(Group.OUTSIDE, opened))


def test_a_scope_that_is_not_narrowed_leaves_the_refusal_to_the_server():
    opened = phases(egress=model.EgressMode.OPEN)
    assert {check.expected.told for check in lines(Group.CALLER, opened)} == {"403 by policy", "reset", "kept out"}


def test_what_a_packet_filter_keeps_from_a_machine_is_not_asked_of_its_proxy():
    """No pod calls a machine once orders calls nobody."""
    quiet = tuple(replace(item, service_calls=()) if item.name == "orders" else item for item in MESH.services)
    declared = replace(MESH, services=quiet)
    told = {f"{check.source} -> {check.told}": check.expected.told for check in lines(Group.SERVER)}
    alone = {f"{check.source} -> {check.told}": check.expected.told for check in lines(Group.SERVER, declared)}
    database = "storefront (opened scope) -> orders-db.data.svc.cluster.local:5432"
    billing = "storefront (opened scope) -> billing.back-office.svc.cluster.local:9090"
    assert (told[database], told[billing]) == ("reset", "403 by policy")
    assert (alone[database], alone[billing]) == ("kept out", "kept out")


def test_over_tcp_the_first_bytes_are_sent_before_a_refusal_is_expected():
    plain = replace(MESH, machines=tuple(replace(item, database=None) for item in MESH.machines))
    requests = [check.request for check in lines(Group.SERVER, plain) if check.request.kind is probes.Kind.TCP]
    assert requests
    assert all(request.send for request in requests)


@pytest.mark.parametrize(
    "case", sorted(path.name for path in CASES.iterdir() if (path / "environment.yaml").exists())
)
def test_whatever_can_be_declared_has_a_plan_in_which_every_line_can_fail(case):
    sources_of_case = files.read_sources(CASES / case, "environment")
    declared = loader.load(sources_of_case.mesh, sources_of_case.environment, environment_name="environment")
    internet = ground_fake.surroundings().internet
    checks = plan.compile_plan(
        declared, known=samples.Samples(), internet=internet, ingress_authority="/authority.pem"
    )
    assert checks
    opposite = {True: probes.Result(outcome="reset"), False: probes.Result(outcome="answer", code="200")}
    for check in checks:
        assert check.expected.unmet(probes.Result(outcome="unsent")), check.name
        assert check.expected.unmet(opposite[check.expected.patient]), check.name


def test_a_port_that_takes_plaintext_for_some_refuses_others_by_policy():
    port = MESH.service("orders").ports[0].name
    call = model.ServiceCall(service="orders", port=port, http=(), span=MESH.services[0].span)
    batch = model.PlainCaller(
        name="batch", network=MESH.network.nodes, until="2027-01-01", owner="", calls=(call,), span=call.span
    )
    found = [
        check for check in lines(Group.PLAINTEXT, replace(MESH, plain_callers=(batch,))) if "app=orders" in check.told
    ]
    assert {check.expected.told for check in found if check.source.manner is sources.Manner.BARE} == {"403 by policy"}
    assert sources.Manner.NODE not in {check.source.manner for check in found}


def test_samples_name_only_what_is_declared():
    text = "services:\n  order: {http: {'GET /': {}}}\ntrace: {ingress: shops, path: /, through: [billing, nobody]}\n"
    with pytest.raises(DiagnosticsError) as caught:
        samples.load(text, file="probes.yaml", mesh=MESH)
    found = [(item.code, item.found, item.span.line) for item in caught.value.diagnostics]
    assert found == [("MESH0206", "order", 2), ("MESH0214", "shops", 3), ("MESH0206", "nobody", 3)]


def test_in_an_overlay_machines_are_seen_to_have_no_way_to_pods():
    apart = replace(MESH, network=replace(MESH.network, overlay=True, egress="10.60.1.102"))
    asked = {item.name: item for item in rollout_example.checks(apart) if "a pod's own address" in item.told}
    assert {item.source.identity.name for item in asked.values()} == {"billing-vm", "db-vm"}
    assert {item.request.target.port for item in asked.values()} == {8080}
    assert len(asked) == 4
    assert not [item for item in rollout_example.checks() if "a pod's own address" in item.told]
