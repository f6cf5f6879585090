"""How long work tells what it is doing: one short line at a time."""

from collections.abc import Callable
from typing import TypeAlias

Report: TypeAlias = Callable[[str], None]
