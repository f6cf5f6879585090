"""A slice of the fuzzer: real declarations with bytes or parts changed end with exit code 0 or 2, and soon."""

import pytest

from benchmarks import fuzz

SEED = 20_261_124


@pytest.fixture
def checker(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return fuzz.Checker(tmp_path)


def test_mutated_declarations_are_refused_or_accepted(checker):
    tally = fuzz.fuzz(checker, count=400, seed=SEED)  # `make bench` runs many more
    assert tally.broken == 0, tally
    assert tally.exit_codes[0] >= 8
    assert tally.exit_codes[2] >= 200


def test_the_fuzzer_starts_from_declarations_that_are_right(checker):
    assert [ending.output for case in fuzz.corpus() if (ending := checker.check(case)).exit_code] == []


def test_the_same_seed_makes_the_same_cases():
    cases = fuzz.corpus()
    runs = [[fuzz.mutated(cases, source) for _ in range(20)] for source in map(fuzz.random.Random, (7, 7, 8))]
    assert runs[0] == runs[1] != runs[2]


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"exit_code": 1}, "exit code 1"),
        ({"output": "Traceback"}, "a traceback"),
        ({"exit_code": 2, "output": "error: wrong"}, "without a message"),
        ({"spent_s": 1.5}, "1.5 s"),
        ({"grown_mib": 300.0}, "300 MiB"),
    ],
)
def test_every_bad_end_is_noticed(changes, told):
    good = {"exit_code": 0, "output": "", "spent_s": 0.1, "grown_mib": 30.0}
    assert fuzz.Ending(**good).problems() == []
    assert told in ", ".join(fuzz.Ending(**{**good, **changes}).problems())
