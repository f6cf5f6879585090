import pytest

from slipway.rollout import expectations
from slipway.rollout.probes import Result

RBAC = Result(outcome="answer", code="403", body="RBAC: access denied")
APPLICATION = Result(outcome="answer", code="200", body="hello\nIP=10.61.0.7\n")
UNREACHED = Result(outcome="answer", code="503", body="upstream connect error or disconnect/reset before headers")
NO_ROUTE = Result(outcome="answer", code="502")


def ended(outcome):
    return Result(outcome=outcome)


@pytest.mark.parametrize(
    ("expected", "good"),
    [
        (expectations.works(), [APPLICATION, Result(outcome="answer", code="404")]),
        (expectations.works("200", contains="hello"), [APPLICATION]),
        (expectations.forbidden(), [RBAC]),
        (expectations.closed(), [ended("reset"), ended("eof")]),
        (expectations.unknown_to_caller(), [NO_ROUTE, ended("reset"), ended("unresolved")]),
        (expectations.nothing(), [ended("timeout"), ended("refused"), ended("forbidden"), ended("reset")]),
        (expectations.not_sent(), [ended("reset"), ended("refused")]),
        (expectations.selects("2500"), [Result(outcome="answer", code="00000", body="2500")]),
        (expectations.no_certificate(), [ended("tls_error")]),
        (expectations.stays_open(), [ended("timeout")]),
        (expectations.either("refused", expectations.forbidden(), expectations.closed()), [RBAC, ended("reset")]),
        (expectations.kept_out(), [ended("timeout"), ended("reset"), UNREACHED]),
    ],
)
def test_what_is_expected_passes_and_everything_else_differs(expected, good):
    everything = [RBAC, APPLICATION, NO_ROUTE, Result(outcome="answer", code="503", body="no healthy upstream")]
    everything += [
        ended(word) for word in ("timeout", "reset", "eof", "refused", "unresolved", "tls_error", "unsent")
    ]
    assert [expected.unmet(result) for result in good] == [""] * len(good)
    assert any(expected.unmet(result) for result in everything), "an expectation that nothing can fail"
    assert expected.unmet(ended("unsent"))


def test_an_answer_of_the_application_is_not_a_refusal_by_policy():
    assert expectations.forbidden().unmet(Result(outcome="answer", code="403", body="log in first"))
    assert expectations.unknown_to_caller().unmet(Result(outcome="answer", code="502", body="upstream failed"))


def test_an_outside_answer_must_name_a_pod_of_the_egress_gateway():
    expected = expectations.answers(told="200", through_egress=True)
    assert expected.unmet(APPLICATION, egress=["10.61.0.7"]) == ""
    for wrong in (["10.61.0.70"], ["0.61.0.7"], ["10.61.0.8"], []):
        assert expected.unmet(APPLICATION, egress=wrong)
