import json

import rollout_example

from slipway.rollout import access_log, findings, rows, samples, telling, tracing
from slipway.rollout.checks.check import Group
from slipway.world.zipkin import Span

MESH = rollout_example.mesh()
DATABASE = MESH.service("orders-db")
STOREFRONT = "cluster.local/ns/shop/sa/storefront"
BILLING = "spiffe://cluster.local/ns/back-office/sa/billing-vm"
ORDERS = "spiffe://cluster.local/ns/shop/sa/orders"


def entry(caller, *, denied=False, cluster="inbound|5432||", local="10.60.2.12:5432"):
    end = "rbac_access_denied_matched_policy[none]" if denied else None
    found = {"upstream_cluster": cluster, "local": local, "caller": caller, "connection_end": end}
    return json.dumps({**found, "upstream_host": None if cluster is None else "10.60.2.12:5432"})


def judge(lines, monkeypatch):
    monkeypatch.setattr(access_log, "_FLUSHED_WITHIN_S", 0.0)
    text = "\n".join(["2026-11-21T11:32:49Z warn of the agent", *lines])
    found = access_log.judge(MESH, DATABASE, DATABASE.ports[0], read=lambda: text, refused=[STOREFRONT])
    return {item.expected: item.passed for item in found}


def test_the_log_names_each_caller_and_each_refusal(monkeypatch):
    lines = [entry(BILLING), entry(ORDERS), entry(f"spiffe://{STOREFRONT}", denied=True), entry(None, cluster=None)]
    assert set(judge(lines, monkeypatch).values()) == {True}


def test_a_caller_that_is_missing_or_let_in_without_being_declared_fails_its_line(monkeypatch):
    found = judge([entry(BILLING), entry(f"spiffe://{STOREFRONT}")], monkeypatch)
    assert found == {
        f"let in: {BILLING}": True,
        f"let in: {ORDERS}": False,
        f"refused: spiffe://{STOREFRONT}": False,
        "nobody else let in": False,
    }


def test_connections_to_other_ports_are_no_evidence(monkeypatch):
    found = judge([entry(BILLING, local="10.60.2.12:9090"), entry(ORDERS, cluster="outbound|5432||x")], monkeypatch)
    assert found[f"let in: {BILLING}"] is False


def test_rows_that_changed_are_named_and_no_tables_prove_nothing():
    machine = MESH.machine("db-vm")
    assert rows.compare(
        machine, "public.orders|a\npublic.products|b\n", "public.orders|a\npublic.products|b\n"
    ).passed
    changed = rows.compare(machine, "public.orders|a\npublic.products|b\n", "public.orders|c\npublic.products|b\n")
    assert changed.difference == "changed: public.orders"
    assert not rows.compare(machine, "", "").passed


def test_a_trace_without_a_span_of_every_service_fails(monkeypatch):
    monkeypatch.setattr(tracing, "_LOOKED_UP_FOR_S", 0.0)
    wanted = samples.Trace(ingress="shop", path="/", through=("orders", "storefront"))
    spans = [Span(service="orders.shop", kind="SERVER", name=""), Span(service="gateway", kind="CLIENT", name="")]
    found = tracing.look_up(wanted, "0" * 32, spans=lambda _: spans)
    assert found.difference == "no span of storefront"
    spans.append(Span(service="storefront.shop", kind="SERVER", name=""))
    assert tracing.look_up(wanted, "0" * 32, spans=lambda _: spans).passed


def test_a_report_tells_every_line_and_passes_only_when_all_do():
    good = findings.Finding(group=Group.DECLARED, subject="a -> b", expected="200", measured="200")
    bad = findings.Finding(
        group=Group.ROWS, subject="rows [x]", expected="same", measured="other", difference="changed: t", attempts=2
    )
    report = findings.Report(findings=(good, bad), stages=(("requests", 1.5),))
    assert not report.passed
    assert not findings.Report(findings=(), stages=()).passed
    assert findings.Report(findings=(good,), stages=()).passed
    text = telling.to_text(report, width=200)
    assert "rows [x]" in text
    assert "changed: t" in text
    assert "1 of 2 lines: 1 not as expected" in telling.summary(report)
    document = json.loads(telling.to_json(report))
    assert [item["passed"] for item in document["findings"]] == [True, False]
