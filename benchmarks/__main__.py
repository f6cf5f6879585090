"""`python -m benchmarks [NAME]`: run every benchmark, or one, and print its table."""

import importlib
import sys

NAMES = ("lab", "reachability")


def main() -> int:
    """Run the benchmarks named on the command line; 2 for a name that does not exist."""
    wanted = sys.argv[1:] or list(NAMES)
    unknown = [name for name in wanted if name not in NAMES]
    if unknown:
        sys.stderr.write(f"error: no benchmark {', '.join(unknown)}; there are: {', '.join(NAMES)}\n")
        return 2
    for name in wanted:
        importlib.import_module(f"benchmarks.{name}").main()
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
