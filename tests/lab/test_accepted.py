"""A slice of `python -m benchmarks accepted` on the shared lab: strict dry runs, which change nothing."""

import json

import pytest

from benchmarks import accepted
from slipway.lab import programs

pytestmark = pytest.mark.lab

GENERATED = range(12)
POLICY = {
    "apiVersion": "security.istio.io/v1",
    "kind": "AuthorizationPolicy",
    "metadata": {"name": "strict", "namespace": "default"},
    "spec": {"action": "ALLOW"},
}
ROUTE = {
    "apiVersion": "networking.istio.io/v1",
    "kind": "VirtualService",
    "metadata": {"name": "strict", "namespace": "default"},
    "spec": {"hosts": ["strict.example.com"]},
}


def test_everything_emitted_is_accepted(running_lab):
    verdict = accepted.Verdict()
    accepted.examine(running_lab.cluster, [*accepted.golden(), *accepted.generated(GENERATED)], verdict)
    assert verdict.refused == []
    assert verdict.objects > 500


def test_the_judges_do_refuse(running_lab):
    assert accepted.refusal(running_lab.cluster, "right", POLICY) == ""
    misspelt = {**POLICY, "spec": {"actoin": "ALLOW"}}
    assert "actoin" in accepted.refusal(running_lab.cluster, "misspelt", misspelt)
    assert "admission webhook" in accepted.refusal(running_lab.cluster, "without a route", ROUTE)


def test_no_proxy_has_refused_what_it_was_sent(running_lab):
    assert accepted.rejects(running_lab.cluster) == 0


def test_analysis_finds_nothing_that_the_documents_do_not_explain():
    istioctl = programs.ensure(["istioctl"])["istioctl"].bin / "istioctl"
    verdict = accepted.Verdict()
    for item in accepted.golden():
        accepted.analyse(istioctl, item, verdict)
    assert verdict.unexplained == []
    assert verdict.findings["IST0129"]


def test_analysis_of_what_runs_finds_nothing_that_the_documents_do_not_explain(running_lab):
    istioctl = programs.ensure(["istioctl"])["istioctl"].bin / "istioctl"
    assert accepted.running(istioctl, running_lab.instance.kubeconfig) == []


def test_the_analysis_does_look():
    istioctl = programs.ensure(["istioctl"])["istioctl"].bin / "istioctl"
    lost = {**ROUTE, "spec": {**ROUTE["spec"], "gateways": ["nobody"], "http": [{"redirect": {"uri": "/"}}]}}
    assert "IST0101" in {code for code, _, _ in accepted.findings(istioctl, json.dumps(lost), {})}
