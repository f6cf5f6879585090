"""Everybody who sends in a lab asks everybody, and the analyser has to have said what comes of it."""

import time

from benchmarks.judge import cases, example, relations
from slipway.cli import grounds
from slipway.rollout import samples

# Connections that proxies have kept among themselves are judged by what held when they began.
# Source: istio/api mesh/v1alpha1/proxy.proto, drain_duration: 45 s.
_DRAINED_S = 45
_TRIES = 3


def gets_what_the_analyser_says(lab, *, stored):
    """Ask in a lab; what is measured has to be what the stored case says, too, which is asked without a mesh."""
    text = (lab.folder / "stacks/probes.yaml").read_bytes()
    known = samples.load(text, file="probes.yaml", mesh=lab.mesh)
    asking = example.Example(lab.mesh, known, lab.cluster, grounds.of_lab(lab.instance))
    before = dict(cases.load(cases.FOLDER / "meshes" / f"{stored}.json").requests)
    for rest in reversed(range(_TRIES)):
        found = asking.case(stored)
        contradictions = list(relations.disagreements(found))
        changed = {str(row): str(end) for row, end in found.requests if before.get(row) != end}
        if not contradictions and not changed:
            break
        time.sleep(_DRAINED_S if rest else 0)
    assert contradictions == []
    assert changed == {}
    assert len(before) == len(found.requests)
