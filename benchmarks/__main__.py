"""`python -m benchmarks [NAME]`: run every benchmark, or one, and print its table."""

import importlib
import sys

NAMES = ("lab", "reachability", "judge")


def main() -> int:
    """Run the benchmarks named on the command line; 2 for a name that does not exist.

    What follows ``judge`` are its options: ``python -m benchmarks judge --sets 30 --seed 7``.
    """
    wanted = sys.argv[1:] or list(NAMES)
    if wanted[0] == "judge":
        return importlib.import_module("benchmarks.judge").main(wanted[1:])
    unknown = [name for name in wanted if name not in NAMES]
    if unknown:
        sys.stderr.write(f"error: no benchmark {', '.join(unknown)}; there are: {', '.join(NAMES)}\n")
        return 2
    status = 0
    for name in wanted:
        status = importlib.import_module(f"benchmarks.{name}").main() or status
    return status


if __name__ == "__main__":
    raise SystemExit(main())
