"""The judge: random policies in a real mesh, requests through real proxies, and the analyser's answers beside."""

from collections.abc import Sequence


def main(arguments: Sequence[str] = ()) -> int:
    """Run the judge as the command line asks; see :mod:`benchmarks.judge.run`."""
    from benchmarks.judge import run  # noqa: PLC0415 - generators are imported where no lab is

    return run.main(arguments)
