"""Every line of verify is seen to fail once, by breaking what it checks."""

import time
from pathlib import Path

import breakers
import pytest

from slipway.cli import grounds
from slipway.rollout import access_log, measuring, plan, samples, senders, verify
from slipway.rollout.checks.check import Group
from slipway.rollout.sources import Manner
from slipway.world import kubernetes

pytestmark = pytest.mark.lab
# A changed filter chain keeps connections that are open for the drain time of 45 s.
SETTLED_WITHIN_S = 100.0
SEEN_TO_FAIL: set[str] = set()


class Bench:
    """The pods of verify, kept for all tests, and its checks."""

    def __init__(self, lab, place, checks) -> None:
        self.lab, self.place, self.checks = breakers.Broken(lab), place, checks
        self.senders = senders.Senders(lab.cluster, place, lab.mesh)

    def failing(self, checks) -> set[str]:
        """Return the names of those checks that are not as expected now."""
        pods = self.lab.cluster.list(kubernetes.POD, namespace="istio-egress", labels="istio=egressgateway")
        egress = [pod["status"].get("podIP", "") for pod in pods]
        found = measuring.measure(checks, self.senders.measure, egress=egress, patience_s=0.0)
        self.differences = {item.name: finding.difference for item, finding in zip(checks, found, strict=True)}
        return {name for name, difference in self.differences.items() if difference}

    def wait(self, checks, *, fails: bool) -> list[str]:
        """Measure until each check has failed once (or all pass together); return those that have not in time."""
        waiting, ends = list(checks), time.monotonic() + SETTLED_WITHIN_S
        while waiting and time.monotonic() < ends:
            failing = self.failing(waiting)
            if fails:
                SEEN_TO_FAIL.update(failing)
                waiting = [item for item in waiting if item.name not in failing]
            else:
                waiting = [item for item in checks if item.name in failing]
            time.sleep(0.5)
        return [f"{item.name}: {self.differences[item.name]}" for item in waiting]


@pytest.fixture(scope="module")
def known(running_lab):
    path = Path(__file__).resolve().parents[2] / "stacks" / "probes.yaml"
    return samples.load(path.read_bytes(), file=str(path), mesh=running_lab.mesh)


@pytest.fixture(scope="module")
def bench(running_lab, known):
    place = grounds.of_lab(running_lab.instance)
    around = place.surroundings()
    checks = plan.compile_plan(
        running_lab.mesh, known=known, internet=around.internet, ingress_authority=around.ingress_authority
    )
    found = Bench(running_lab, place, checks)
    with found.senders.standing_in(checks):
        assert found.wait(checks, fails=False) == []
        yield found


def in_groups(*groups: Group):
    return lambda check: check.group in groups


def told(*texts: str):
    return lambda check: any(text in check.name for text in texts)


REFUSALS = in_groups(
    Group.CALLER, Group.SERVER, Group.METHOD, Group.PATH, Group.PLAINTEXT, Group.OUTSIDE_CALLER, Group.BYPASS
)
NEEDS_PASSTHROUGH = told("without a certificate")
EVERYTHING_OPEN = (
    breakers.everybody_allowed,
    breakers.permissive,
    breakers.wide_scopes,
    breakers.exported,
    breakers.no_network_policies,
    breakers.no_guards,
    breakers.no_security_groups,
)


def refused_when_open(check):
    leaves = check.group is Group.OUTSIDE and check.expected.codes is None
    return (REFUSALS(check) or leaves) and not NEEDS_PASSTHROUGH(check)


def past_policies(check):
    """Whether only a NetworkPolicy stands in the way."""
    cluster = check.source.identity is None or not check.source.identity.machine
    return check.group is Group.BYPASS and cluster and not NEEDS_PASSTHROUGH(check)


def from_machines(check):
    identity = check.source.identity
    return check.group is Group.BYPASS and identity is not None and bool(identity.machine)


CASES = {
    "nobody is allowed": (
        (breakers.nobody_allowed,),
        lambda check: check.group is Group.DECLARED or "200" in check.expected.told,
    ),
    "everybody is allowed": (
        (breakers.everybody_allowed,),
        lambda check: (
            (
                in_groups(Group.SERVER, Group.METHOD, Group.PATH)(check)
                or told("(by its certificate) -> the egress")(check)
            )
            and "200" not in check.expected.told
        ),
    ),
    "plaintext is taken": (
        (breakers.permissive,),
        lambda check: (
            check.group is Group.PLAINTEXT
            and check.source.manner in {Manner.NODE, Manner.BARE}
            and "pod" in check.told
        ),
    ),
    "scopes are wide": (
        (breakers.wide_scopes,),
        lambda check: (
            check.group is Group.CALLER
            and "svc" in check.told
            and not check.source.identity.machine
            and "orders-db" not in check.told
        ),
    ),
    "no NetworkPolicy": ((breakers.no_network_policies,), past_policies),
    "neither guard nor security group": ((breakers.no_guards, breakers.no_security_groups), from_machines),
    "past the gateway": ((breakers.past_the_gateway,), told("outside hosts: storefront -> payments.example.com")),
    "a gateway that asks for no identity": ((breakers.gateway_without_identity,), NEEDS_PASSTHROUGH),
    "a database that trusts": ((breakers.trusting_database,), in_groups(Group.DATABASE)),
    "no redirect": ((breakers.no_redirect,), told("http://")),
    "another certificate": (
        (breakers.other_certificate,),
        lambda check: check.group is Group.INGRESS and "200" in check.expected.told,
    ),
    "any host": ((breakers.any_ingress_host,), told("https://undeclared")),
    "everything is open": (EVERYTHING_OPEN, refused_when_open),
}


@pytest.mark.parametrize("case", CASES)
def test_lines_fail_when_what_they_check_is_broken_and_pass_when_it_is_mended(bench, case):
    broken, chosen = CASES[case]
    checks = [check for check in bench.checks if chosen(check)]
    assert checks
    with breakers.all_of(bench.lab, *broken):
        assert bench.wait(checks, fails=True) == []
    assert bench.wait(bench.checks, fails=False) == []


def test_every_line_of_the_plan_was_seen_to_fail(bench):
    assert {check.name for check in bench.checks} - SEEN_TO_FAIL == set()


def measured(bench, known, *groups: Group, progress=lambda _: None):
    """Return the findings of a whole run of verify, with little patience, by subject and expectation."""
    run = verify.Verification(
        bench.lab.mesh,
        known=known,
        cluster=bench.lab.cluster,
        place=bench.place,
        options=verify.Options(groups=frozenset(groups)),
        progress=progress,
    )
    return {(item.group, item.subject, item.expected): item for item in run.run().findings}


@pytest.fixture
def little_patience(monkeypatch):
    monkeypatch.setattr(measuring, "PATIENCE_S", 0.0)
    monkeypatch.setattr(access_log, "_FLUSHED_WITHIN_S", 3.0)


@pytest.mark.usefixtures("little_patience")
class TestWhatIsMeasuredApart:
    """Lines that are no single request. These runs replace the pods of the bench, so they come last."""

    def test_the_access_log_tells_who_is_missing_and_who_should_not_be_there(self, bench, known):
        groups = (Group.DECLARED, Group.SERVER, Group.DATABASE)
        failed: set[str] = set()
        for breaker in (breakers.nobody_allowed, breakers.everybody_allowed):
            with breaker(bench.lab):
                time.sleep(5)
                found = measured(bench, known, *groups)
                failed |= {key[2] for key, item in found.items() if "access log" in key[1] and not item.passed}
        lines = {key[2] for key in measured(bench, known, *groups) if "access log" in key[1]}
        assert failed == lines
        assert lines

    def test_a_trace_without_the_machine_and_a_request_without_permission(self, bench, known):
        with breakers.no_telemetry(bench.lab):
            ends, differences = time.monotonic() + SETTLED_WITHIN_S, set()
            while "no span of billing" not in differences and time.monotonic() < ends:
                differences = {item.difference for item in measured(bench, known, Group.TRACE).values()}
        assert differences == {"", "no span of billing"}
        with breakers.nobody_allowed(bench.lab):
            time.sleep(3)
            assert passed(measured(bench, known, Group.TRACE)) == []

    def test_a_row_that_somebody_adds_meanwhile(self, bench, known):
        def sql(statement) -> str:
            argv = ["psql", "--dbname=shop", f"--command={statement}"]
            return bench.place.run_on_machine("db-vm", argv, user="postgres")

        def meddle(stage) -> None:
            if stage == "probing pods":
                sql("insert into orders (id, product, quantity) values (99, 'cup', 1)")

        try:
            found = measured(bench, known, Group.ROWS, progress=meddle)
        finally:
            sql("delete from orders where id = 99")
        assert [item.difference for item in found.values()] == ["changed: public.orders"]

    @pytest.mark.parametrize(
        ("group", "guard"),
        [(Group.OUTAGE, breakers.no_guards), (Group.BOOT, breakers.guards_that_do_nothing)],
    )
    def test_a_machine_without_a_guard_is_open_while_its_sidecar_is_away(self, bench, known, group, guard):
        opened = (guard, breakers.no_security_groups, breakers.permissive, breakers.everybody_allowed)
        with breakers.all_of(bench.lab, *opened):
            found = measured(bench, known, group)
        assert [key for key in passed(found) if "afterwards" not in key[1]] == []
        with breakers.nobody_allowed(bench.lab):
            found = measured(bench, known, group)
        assert [key for key in passed(found) if "afterwards" in key[1]] == []


def test_everything_is_as_before(bench, known):
    found = measured(bench, known, *Group)
    assert [(key, item.difference) for key, item in found.items() if not item.passed] == []


def passed(found):
    return [key for key, item in found.items() if item.passed]
