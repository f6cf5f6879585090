"""Mutants of the analyser: made everywhere where code decides, tried in copies of the process, noticed by cases."""

import ast

import pytest

from benchmarks.judge import cases
from benchmarks.mutants import making, replay, run, trying

CASES = ("p01-methods-on-tcp", "p08-root-namespace")


@pytest.fixture(scope="module")
def trials() -> trying.Trials:
    known = replay.witnesses(path for path in cases.all_of("traps") if path.stem in CASES)
    return trying.Trials(known, replay.touched(known), limit_s=20)


def test_every_deciding_module_is_mutated_and_the_rest_is_named():
    there = {path.stem for path in making.FOLDER.glob("*.py")}
    assert set(making.modules()) | set(making.LEFT_OUT) == there
    assert set(making.LEFT_OUT) < there


def test_mutants_change_one_place_in_code_that_runs():
    found = making.of("strings")
    assert len(found) > 40
    assert len({(item.operator, item.occurrence) for item in found}) == len(found)
    for item in found[::10]:
        before, after = item.change()
        assert before != after
        assert "->" not in before
        ast.parse(item.source())
    assert {item.function for item in found} >= {"Match.matches", "host_covers"}


def _first(module: str, function: str, operator: str) -> making.Mutant:
    return next(item for item in making.of(module) if (item.function, item.operator) == (function, operator))


def test_a_mutant_that_decides_is_noticed_and_the_analyser_stays_as_it_is(trials):
    wanted = [
        _first("authorization", "Authorization.applied", "AddNot"),  # of one function
        _first("callers", "", "RemoveDecorator"),  # of a whole module
        _first("gateways", "Gateways.arrive", "AddNot"),  # nothing gets there
    ]
    fates = {item.mutant: item for item in trials.run(wanted, jobs=2)}
    assert [fates[item].how for item in wanted] == ["killed", "killed", "survived"]
    assert not fates[wanted[2]].reached
    assert all(not item.notices(again=True) for item in trials._known)


class Endless:
    """A witness that never comes to an end."""

    def notices(self, **_how: bool) -> bool:
        while True:
            pass


def test_a_mutant_without_end_is_stopped():
    mutant = _first("trust", "_matches", "AddNot")
    touched = replay.Touched(reading=frozenset(), asking=frozenset({("trust", mutant.line)}))
    trials = trying.Trials([Endless()], [touched], limit_s=0.2)
    assert [item.how for item in trials.run([mutant], jobs=1)] == ["timeout"]


def test_equality_becomes_its_opposite_and_only_numbers_have_an_order():
    made = {(item.line, item.operator.removeprefix("ReplaceComparisonOperator_")) for item in making.of("strings")}
    star = next(line for line, text in enumerate(_lines("strings"), start=1) if text.strip() == 'if pattern == "*":')
    assert {operator for line, operator in made if line == star and "Eq" in operator} == {"Eq_NotEq"}
    numbers = {item.operator for item in making.of("network") if "len(workload.addresses) == 1" in item.change()[0]}
    assert {f"ReplaceComparisonOperator_Eq_{name}" for name in ("NotEq", "Lt", "LtE", "Gt", "GtE")} <= numbers
    assert "ReplaceComparisonOperator_Eq_Is" not in numbers


def test_a_mutant_belongs_to_the_innermost_statement():
    lines = _lines("trust")
    for item in making.of("trust"):
        if item.function:
            first, last = item.statement[0], item.statement[-1]
            assert first <= item.line <= last
            assert last - first < 3, lines[first - 1]


def _lines(module: str) -> list[str]:
    return (making.FOLDER / f"{module}.py").read_text(encoding="utf-8").splitlines()


def test_excuses_name_mutants_that_there_are():
    for item in run.excuses():
        lines = (making.FOLDER / f"{item.module}.py").read_text(encoding="utf-8").splitlines()
        assert item.line in {line.strip() for line in lines}
        assert item.mutant != item.line
        assert item.reason
