import rollout_example

from slipway.rollout import measuring, probes
from slipway.rollout.checks.check import Group

CHECKS = rollout_example.checks()
WORKS = next(check for check in CHECKS if check.group is Group.DECLARED and check.request.kind is probes.Kind.HTTP)
REFUSED = next(check for check in CHECKS if check.group is Group.SERVER)
FINE = probes.Result(outcome="answer", code="200", body=WORKS.expected.contains)


class Answers:
    """Gives the results of one name after the other, the last one for ever."""

    def __init__(self, *, works, refused) -> None:
        self.results = {WORKS.name: works, REFUSED.name: refused}
        self.sent = []

    def __call__(self, checks) -> dict[str, probes.Result]:
        self.sent.append([check.name for check in checks])
        return {check.name: self._next(self.results[check.name]) for check in checks}

    @staticmethod
    def _next(found) -> probes.Result:
        return found.pop(0) if len(found) > 1 else found[0]


def measure(answers, monkeypatch, patience_s=60.0):
    monkeypatch.setattr(measuring, "_PAUSE_S", 0.0)
    works, refused = measuring.measure([WORKS, REFUSED], answers, egress=(), patience_s=patience_s)
    return works, refused


def test_what_should_work_may_take_a_while(monkeypatch):
    reset, forbidden = (
        probes.Result(outcome="reset"),
        probes.Result(outcome="answer", code="403", body="RBAC: access denied"),
    )
    answers = Answers(works=[reset, reset, FINE], refused=[forbidden])
    works, refused = measure(answers, monkeypatch)
    assert works.passed
    assert works.attempts == 3
    assert refused.passed
    assert refused.attempts == 1


def test_what_should_be_refused_may_not(monkeypatch):
    answers = Answers(works=[FINE], refused=[FINE, probes.Result(outcome="reset")])
    _, refused = measure(answers, monkeypatch)
    assert not refused.passed
    assert answers.sent == [[WORKS.name, REFUSED.name]]


def test_a_source_that_cannot_be_used_proves_nothing(monkeypatch):
    answers = Answers(works=[FINE], refused=[probes.Result(outcome="unsent", detail="no pod")])
    works, refused = measure(answers, monkeypatch, patience_s=0.0)
    assert works.passed
    assert not refused.passed
    assert "no pod" in refused.difference


def test_a_refusal_waits_while_the_proxy_does_not_reach_the_service(monkeypatch):
    dead = probes.Result(outcome="answer", code="503", body="upstream connect error or disconnect/reset")
    forbidden = probes.Result(outcome="answer", code="403", body="RBAC: access denied")
    _, refused = measure(Answers(works=[FINE], refused=[dead, forbidden]), monkeypatch)
    assert refused.passed
    assert refused.attempts == 2
    _, allowed = measure(Answers(works=[FINE], refused=[dead, FINE, forbidden]), monkeypatch)
    assert not allowed.passed
