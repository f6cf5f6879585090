"""The judge's own parts that need no mesh: random sets, cases, shrinking, what clients and proxies tell."""

import json
import random
import sys

import pytest

from benchmarks.judge import (
    agent,
    asking,
    cases,
    court,
    deciding,
    fleet,
    focus,
    herd,
    logged,
    logs,
    relations,
    sets,
    shrink,
    standin,
)
from slipway import reachability

LOT = cases.LOT


def seeded(seed: int) -> random.Random:
    return random.Random(seed)  # noqa: S311 - repeatable on purpose


def made(seed: int) -> sets.PolicySet:
    return sets.make(seeded(seed), seed, LOT, standin.addresses())


def test_a_seed_gives_the_same_set_and_requests():
    assert json.dumps(made(5).objects) == json.dumps(made(5).objects)
    assert sets.requests(seeded(5), made(5), 9) == sets.requests(seeded(5), made(5), 9)
    assert made(5).objects != made(6).objects


def test_random_sets_use_every_field_and_are_readable():
    text = json.dumps([made(seed).objects for seed in range(200)])
    fields = (
        "principals",
        "namespaces",
        "serviceAccounts",
        "ipBlocks",
        "remoteIpBlocks",
        "methods",
        "paths",
        "hosts",
    )
    for name in (*fields, "ports", "requestPrincipals"):
        assert f'"{name}"' in text
        assert f'"not{name[0].upper()}{name[1:]}"' in text or name == "requestPrincipals"
    for name in ("notValues", "istio.io/dry-run", "portLevelMtls", "outboundTrafficPolicy", "exportTo", "rewrite"):
        assert f'"{name}"' in text
    for seed in range(40):
        asking.world([*standin.stand_in(), *made(seed).objects], cases.MESH)


def test_half_of_what_is_sent_is_allowed_where_there_is_enough():
    enough = 0
    for seed in range(6):
        world = asking.world([*standin.stand_in(), *made(seed).objects], cases.MESH)
        requests = sets.requests(seeded(seed), made(seed), 200)
        candidates = [(item, reachability.decide(world, asking.question(item))) for item in requests]
        chosen = court.balanced(candidates, 40)
        assert len(chosen) == 40
        if 20 <= _allowed(candidates) <= 180:
            assert _allowed(chosen) == 20
            enough += 1
    assert enough > 1


def _allowed(found) -> int:
    return sum(answer.outcome is reachability.Outcome.ALLOWED for _, answer in found)


def test_shrinking_leaves_what_is_needed():
    objects = [{"kind": "A", "spec": {"rules": [{"x": [1, 2], "y": 3}, {"z": 4}]}}, {"kind": "B", "spec": {}}]

    def fails(found) -> bool:
        return any(2 in rule.get("x", ()) for item in found for rule in item["spec"].get("rules", ()))

    assert shrink.smallest(objects, fails, attempts=100) == [{"kind": "A", "spec": {"rules": [{"x": [2]}]}}]


def test_shrinking_leaves_routes_their_destinations():
    route = {"match": [{"sniHosts": ["a.example"]}], "route": [{"destination": {"host": "a"}}]}
    objects = [{"kind": "VirtualService", "spec": {"hosts": ["a.example"], "tls": [route]}}]
    smallest = shrink.smallest(objects, lambda found: any(item["spec"].get("tls") for item in found), attempts=100)
    assert smallest == [{"kind": "VirtualService", "spec": {"tls": [{"route": route["route"]}]}}]


def test_fields_that_decide_are_counted():
    rule = {"to": [{"operation": {"methods": ["GET"]}}]}
    policy = {
        "apiVersion": "security.istio.io/v1",
        "kind": "AuthorizationPolicy",
        "metadata": {"name": "get", "namespace": LOT.namespaces[1]},
        "spec": {"action": "ALLOW", "rules": [rule]},
    }
    api = LOT.applications[2]
    request = sets.Request(
        source=LOT.applications[0].place,
        host=api.hostname,
        port=80,
        http=sets.Http(method="POST", path="/", host=api.hostname),
    )
    decided, unknown = deciding.fields(standin.stand_in(), [policy], [request], cases.MESH)
    assert decided["AuthorizationPolicy.rules.to.operation.methods"] == 1
    assert not unknown.total()


def test_the_set_is_chosen_in_which_the_rarest_field_decides():
    rare = "AuthorizationPolicy.rules.to.operation.methods"
    random_ = seeded(4)
    tried = [sets.make(random_, 4, LOT, standin.addresses()) for _ in range(40)]
    fields = {name: 1000 * (name != rare) for one in tried for name in deciding.names(one.objects)}
    around, found = standin.stand_in(), list[sets.PolicySet]()
    for _ in range(2):
        chosen = focus.chosen(
            seeded(4),
            4,
            LOT,
            addresses=standin.addresses(),
            around=around,
            mesh_config=cases.MESH,
            fields=fields,
            count=20,
        )
        decided, _unknown = deciding.fields(around, chosen.objects, chosen.requests, cases.MESH)
        assert decided[rare] == len(chosen.requests) > 0
        found.append(chosen)
    assert found[0] == found[1]


def test_requests_of_rare_fields_come_first_and_none_that_nobody_lacks():
    first, second, third = sets.requests(seeded(1), sets.make(seeded(1), 1, LOT, standin.addresses()), 3)
    candidates = [(first, ["common"]), (second, ["scarce", "common"]), (third, ["rare", "scarce"])]
    counts = {"common": focus.WANTED, "scarce": focus.WANTED - 1}
    assert focus.most_needed(candidates, counts, 9) == [third]
    assert focus.most_needed(candidates, {"common": focus.WANTED}, 9) == [third, second]
    assert focus.most_needed(candidates, {"common": 9}, 1) == [third]


def test_what_a_client_tells():
    def told(reply, *, end="bytes", http=True) -> asking.Measured:
        return herd.measured({"end": end, "reply": reply}, http=http)

    body = json.dumps({"place": "a/b", "port": 8080, "identified": True})
    assert told(f"HTTP/1.1 200 OK\r\n\r\n{body}").identified is True
    assert told("HTTP/1.1 403 Forbidden\r\n\r\nRBAC: access denied").status == 403
    assert told(body, http=False).end == "app"
    assert told("", end="eof").end == "reset"
    assert told("", end="timeout").end == "timeout"


def test_an_answer_that_a_measurement_contradicts():
    world = asking.world(standin.stand_in(), cases.MESH)
    api = LOT.applications[2]
    request = sets.Request(source=fleet.BARE[0].place, host=api.hostname, port=9000)
    answer = reachability.decide(world, asking.question(request))
    assert asking.difference(answer, asking.Measured(end="app", port=9000)) == ""
    assert asking.difference(answer, asking.Measured(end="reset")) == "allowed, but reset"


def test_a_proxys_log_names_the_policy_that_refused(tmp_path):
    line = (
        '[2026-11-24T14:26:01.101Z] "GET / HTTP/1.1" 403 - '
        "rbac_access_denied_matched_policy[ns[judge-0-b]-policy[shut]-rule[0]] - "
        '"-" 0 19 0 - "-" "judge-7" "id" "api" "-" inbound|8080|| - 10.61.0.13:8080 10.61.0.11:50000 '
        "outbound_.80_._.api.judge-0-b.svc.cluster.local default"
    )
    folder = tmp_path / "judge-0-b_api_uid" / "istio-proxy"
    folder.mkdir(parents=True)
    known = logs.Logs(tmp_path)
    with (folder / "0.log").open("a") as file:
        file.write("2026-11-24T14:26:01.1Z std")
        file.flush()
        known.read()
        file.write(f"out F {line}\n")
    known.read()
    known.read()
    assert not known.unread
    api = LOT.applications[2]
    http = sets.Http(method="GET", path="/", host=api.hostname)
    request = sets.Request(source=LOT.applications[0].place, host=api.hostname, port=80, http=http)

    def trial(name) -> court.Trial:
        key = reachability.Key(kind="AuthorizationPolicy", namespace="judge-0-b", name=name)
        return _refused(request, key, hop=reachability.Hop.DESTINATION_SIDECAR, rule=0)

    assert _told(trial("shut"), known) == ""
    assert "refused by ns[judge-0-b]-policy[shut]" in _told(trial("other"), known)


def _listener(mark: str, *, refused: str = "") -> dict:
    policy = {"filter_chains": [{"policy": mark}]}
    if not refused:
        return {"name": "virtualInbound", "active_state": {"listener": policy}}
    return {"name": "virtualInbound", "error_state": {"failed_configuration": policy, "details": refused}}


def test_a_proxy_works_by_a_round_refuses_it_or_has_not_heard_of_it():
    overlapping = "multiple filter chains with overlapping matching rules"
    waiting = {"missing": "the listener does not show round-2", "refused": ""}
    assert agent.listening([_listener("round-2")], "round-2") == {"missing": "", "refused": ""}
    assert agent.listening([_listener("round-1")], "round-2") == waiting
    old = [_listener("round-1"), _listener("round-1", refused=overlapping)]
    assert agent.listening(old, "round-2") == waiting
    refusing = [_listener("round-1"), _listener("round-2", refused=overlapping)]
    assert agent.listening(refusing, "round-2") == {"missing": "", "refused": overlapping}


def test_a_herd_tells_who_refuses_and_who_is_late():
    answers = {"first/a": ("", ""), "second/b": ("", "no such chain"), "third/c": ("the listener", "")}
    script = "import sys\nprint('ready', flush=True)\nfor _ in sys.stdin: print(sys.argv[1], flush=True)"
    commands = {
        place: [sys.executable, "-c", script, json.dumps({"missing": missing, "refused": refused})]
        for place, (missing, refused) in answers.items()
    }
    with herd.started(commands) as found:
        found.settle(["first/a"], "mark", timeout_s=5)
        with pytest.raises(herd.UnsettledError) as refusing:
            found.settle(["first/a", "second/b"], "mark", timeout_s=5)
        with pytest.raises(herd.UnsettledError) as late:
            found.settle(["first/a", "third/c"], "mark", timeout_s=0)
    assert (refusing.value.told, refusing.value.late) == ({"second/b": "no such chain"}, False)
    assert (list(late.value.told), late.value.late) == (["third/c"], True)


def test_only_the_sets_whose_own_proxies_refuse_are_left_out():
    second = sets.make(seeded(2), 2, fleet.Lot(number=1), standin.addresses() | _addresses_of(1))
    kept, broken = court.without_broken([made(1), second], {f"{second.lot.namespaces[1]}/api": "refused"})
    assert kept == [made(1)]
    assert [(item.set, dict(item.told)) for item in broken] == [(second, {"judge-1-b/api": "refused"})]
    assert court.without_broken([second], {"judge-plain/bare": "late"}) == ([second], [])


def _addresses_of(lot: int) -> dict[str, str]:
    return {item.place: f"10.61.1.{index}" for index, item in enumerate(fleet.Lot(number=lot).everyone)}


def test_a_recorded_case_keeps_what_its_own_objects_explain():
    rows = [
        {"from": "judge-0-a/web", "to": "far.judge-plain.svc.cluster.local", "port": 80, "path": "/", "measured": end}
        for end in ("app plaintext", 301)
    ]
    found = relations.reproduced({"objects": [], "requests": rows})
    assert found == {"objects": [], "requests": rows[:1]}


def test_a_gateway_shows_its_round_by_routes_which_come_last(monkeypatch):
    dumps = {"listeners": [_beacon("round-2")], "routes": [{"route_config": "round-1"}]}

    def told(query: str) -> dict:
        return {"configs": dumps["routes" if "route" in query else "listeners"]}

    monkeypatch.setattr(agent, "_admin", told)
    monkeypatch.setattr(agent, "_busy", list)
    assert agent._settled("round-2") == {"missing": "the routes do not show round-2", "refused": ""}
    dumps["routes"] = [{"route_config": "round-2"}]
    assert agent._settled("round-2") == {"missing": "", "refused": ""}
    dumps.update(listeners=[_listener("round-2")], routes=[])
    assert agent._settled("round-2") == {"missing": "", "refused": ""}


def _beacon(mark: str) -> dict:
    return {**_listener(mark), "name": f"0.0.0.0_{fleet.BEACON}"}


def test_a_log_tells_whether_a_gateway_or_what_is_behind_it_refused(tmp_path):
    line = (
        '[2026-11-24T14:26:01.101Z] "GET / HTTP/1.1" 403 - '
        "rbac_access_denied_matched_policy[none] - "
        '"-" 0 19 0 - "-" "judge-7" "id" "shop.example.com" "-" - - 10.61.0.13:18080 10.60.0.10:50000 - -'
    )
    folder = tmp_path / "judge-0-a_gate_uid" / "istio-proxy"
    folder.mkdir(parents=True)
    known = logs.Logs(tmp_path)
    (folder / "0.log").write_text(f"2026-11-24T14:26:01.1Z stdout F {line}\n")
    known.read()
    http = sets.Http(method="GET", path="/", host="shop.example.com")
    request = sets.Request(source=fleet.OUTSIDE, pod=LOT.gate.place, port=18080, http=http)

    def trial(hop: reachability.Hop) -> court.Trial:
        key = reachability.Key(kind="AuthorizationPolicy", namespace="judge-0-a", name="at-gate")
        return _refused(request, key, hop=hop, rule=None)

    assert _told(trial(reachability.Hop.INGRESS_GATEWAY), known) == ""
    assert "the ingress gateway refused" in _told(trial(reachability.Hop.DESTINATION_SIDECAR), known)


def _told(trial, known) -> str:
    return logged.contradiction(trial.answer, known.of(trial), entering=trial.request.source == fleet.OUTSIDE)


def test_what_proxies_logged_is_kept_with_a_case():
    row = {
        "from": "judge-0-a/web", "to": "api.judge-0-b.svc.cluster.local", "port": 80, "method": "GET", "path": "/",
        "host": "api.judge-0-b.svc.cluster.local", "measured": "403",
    }  # fmt: skip
    shut = {
        "apiVersion": "security.istio.io/v1",
        "kind": "AuthorizationPolicy",
        "metadata": {"name": "shut", "namespace": "judge-0-b"},
        "spec": {"action": "DENY", "rules": [{}]},
    }
    agreeing = {"by_caller": False, "policy": "ns[judge-0-b]-policy[shut]-rule[0]"}
    row |= {"logged": agreeing}
    ((request, measured),) = cases.of_document("one", {"objects": [shut], "requests": [row]}).requests
    assert cases.document([shut], [(request, measured)], mesh={})["requests"] == [row]
    assert relations.reproduced({"objects": [shut], "requests": [row]})["requests"] == [row]
    for other in ({"by_caller": True}, {"policy": "ns[judge-0-b]-policy[shut]-rule[1]"}, {"policy": "none"}):
        assert (
            relations.reproduced({"objects": [shut], "requests": [row | {"logged": agreeing | other}]})["requests"]
            == []
        )


def _refused(request, key, *, hop, rule) -> court.Trial:
    answer = reachability.Answer(
        outcome=reachability.Outcome.DENIED,
        seen=reachability.Seen.FORBIDDEN_403,
        decided_by=reachability.Decider(hop=hop, object=key, rule=rule),
        reasons=("",),
    )
    measured = asking.Measured(end="status", status=403, mark="judge-7")
    return court.Trial(set_number=0, lot=0, request=request, answer=answer, measured=measured, difference="")
