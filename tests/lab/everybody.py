"""Everybody who sends in a lab asks everybody, and the analyser has to have said what comes of it."""

from benchmarks.judge import cases, example
from slipway.cli import grounds
from slipway.rollout import samples


def gets_what_the_analyser_says(lab, *, stored):
    """Ask in a lab; what is measured has to be what the stored case says, too, which is asked without a mesh."""
    text = (lab.folder / "stacks/probes.yaml").read_bytes()
    known = samples.load(text, file="probes.yaml", mesh=lab.mesh)
    found = example.Example(lab.mesh, known, lab.cluster, grounds.of_lab(lab.instance)).case(stored)
    assert list(cases.disagreements(found)) == []
    before = cases.load(cases.FOLDER / "meshes" / f"{stored}.json")
    assert dict(found.requests) == dict(before.requests)
