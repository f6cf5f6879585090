"""Generated declarations on a real mesh with traffic: declared calls answer, all others are refused by the server."""

from collections.abc import Sequence


def main(arguments: Sequence[str] = ()) -> int:
    """Run as the command line asks; see :mod:`benchmarks.applied.run`."""
    from benchmarks.applied import run  # noqa: PLC0415 - generators are imported where no lab is

    return run.main(arguments)
