"""Labs for as long as a benchmark lasts: bare ones, and ones with the example and all that is declared for it."""

import argparse
import contextlib
import subprocess
import sys
from collections.abc import Generator
from pathlib import Path

from slipway.lab import instance as instances

ROOT = Path(__file__).parents[1]
_SLIPWAY = str(Path(sys.executable).with_name("slipway"))
_TIMEOUT_S = 3000


def options(parser: argparse.ArgumentParser, *, instance: str) -> None:
    """Give a benchmark the options of its lab: the name of the instance, and ``keep`` as for :func:`bare`."""
    parser.add_argument("--instance", default=instance)
    parser.add_argument("--keep", action="store_true", help="use a lab that is up, and leave it up")


@contextlib.contextmanager
def bare(name: str, *, keep: bool) -> Generator[instances.Instance]:
    """Have a lab up while the block lasts; ``keep`` takes one that is up, and leaves it up."""
    with _up(name, ["lab", "up", name], keep=keep) as instance:
        yield instance


@contextlib.contextmanager
def example(name: str, *, keep: bool) -> Generator[instances.Instance]:
    """Have a lab with the example and the environment `lab` up; ``keep`` as for :func:`bare`."""
    with _up(name, ["lab", "up", name, "--example"], ["up", "lab", "--instance", name], keep=keep) as instance:
        yield instance


@contextlib.contextmanager
def _up(name: str, *commands: list[str], keep: bool) -> Generator[instances.Instance]:
    try:
        for command in () if keep else commands:
            _slipway(*command)
        yield instances.named(name)
    finally:
        if not keep:
            _slipway("lab", "down", name)


def _slipway(*words: str) -> None:
    subprocess.run([_SLIPWAY, *words], cwd=ROOT, stdin=subprocess.DEVNULL, timeout=_TIMEOUT_S, check=True)
