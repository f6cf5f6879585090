"""What one sidecar costs in a mesh of 1000 services: with and without scope, and per request by its callers."""

from collections.abc import Sequence


def main(arguments: Sequence[str] = ()) -> int:
    """Run as the command line asks; see :mod:`benchmarks.scope.run`."""
    from benchmarks.scope import run  # noqa: PLC0415 - generators are imported where no lab is

    return run.main(arguments)
