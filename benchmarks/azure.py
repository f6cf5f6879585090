"""An environment on Azure, up for real: the stand-in's machines boot in a lab of their own, and all is asked."""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
STORIES = (
    "tests/azure/test_two_stacks.py",
    "tests/azure/test_azure_lab.py",
    "tests/azure/test_two_stacks_lab.py",
)


def main() -> int:
    """Run two stacks without a lab, and the story from `up` to `destroy` in one, of one stack and of two.

    Returns 1 when a step fails.

    It takes some minutes, and root.
    """
    argv = [sys.executable, "-m", "pytest", "-m", "long", "--durations=0", *STORIES]
    return int(subprocess.run(argv, cwd=ROOT, check=False).returncode != 0)
