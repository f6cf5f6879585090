"""Mutants of the analyser, made by cosmic-ray, before the judge's recorded cases: how many are noticed."""

from collections.abc import Sequence


def main(arguments: Sequence[str] = ()) -> int:
    """Run as the command line asks; see :mod:`benchmarks.mutants.run`."""
    from benchmarks.mutants import run  # noqa: PLC0415 - the tool is imported where it is used

    return run.main(arguments)
