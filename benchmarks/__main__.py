"""`python -m benchmarks [NAME...]`, or `python -m benchmarks NAME OPTIONS`: run benchmarks and print their tables."""

import importlib
import itertools
import sys

NAMES = ("lab", "reachability", "compile", "shuffled", "fuzz", "accepted", "judge")
LONG = ("applied", "azure", "mutants", "scope")  # only where they are named


def main() -> int:
    """Run the benchmarks named on the command line, or all but the long ones.

    Returns 2 for a name that does not exist, 1 when one failed.
    """
    named = list(itertools.takewhile(lambda item: not item.startswith("-"), sys.argv[1:]))
    options = sys.argv[1 + len(named) :]
    wanted = named or list(NAMES)
    unknown = [name for name in wanted if name not in NAMES + LONG]
    if unknown or (options and len(named) != 1):
        wrong = f"no benchmark {', '.join(unknown)}" if unknown else "options belong to one benchmark"
        sys.stderr.write(f"error: {wrong}; there are: {', '.join(NAMES + LONG)}\n")
        return 2
    codes = [
        importlib.import_module(f"benchmarks.{name}").main(*([options] if options else [])) or 0 for name in wanted
    ]
    return max(codes)


if __name__ == "__main__":
    raise SystemExit(main())
