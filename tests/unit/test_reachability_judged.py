"""What real proxies made of traps and of what the judge found: the analyser has to say the same, without a mesh."""

import pytest

from benchmarks.judge import cases, relations

FOLDERS = ("traps", "found", "written", "unknown", "recorded", "meshes")
PATHS = [path for folder in FOLDERS for path in cases.all_of(folder)]


@pytest.mark.parametrize("path", PATHS, ids=[f"{path.parent.name}/{path.stem}" for path in PATHS])
def test_the_analyser_agrees_with_the_proxies(path):
    case = cases.load(path)
    assert case.requests
    assert list(relations.disagreements(case)) == []
