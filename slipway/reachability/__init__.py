"""Who reaches whom, by which rule: objects in, answers out. Reads objects only, never the declaration."""

from slipway.reachability import report
from slipway.reachability.answers import Answer, Decider, Hop, Key, Outcome, Seen, Transport
from slipway.reachability.applied import read_applied
from slipway.reachability.deciding import UnknownNameError, decide
from slipway.reachability.difference import Change, Difference, diff, whole
from slipway.reachability.entrances import leading_to
from slipway.reachability.idle import stop_on_idle
from slipway.reachability.questions import (
    Application,
    External,
    Host,
    Outside,
    Plain,
    Question,
    Source,
    Workload,
    WorkloadAddress,
)
from slipway.reachability.reading import is_read, read
from slipway.reachability.survey import OUTSIDE, PLAINTEXT, Destination, Matrix, Row, decide_kinds, matrix
from slipway.reachability.world import Engine, World

__all__ = [
    "OUTSIDE",
    "PLAINTEXT",
    "Answer",
    "Application",
    "Change",
    "Decider",
    "Destination",
    "Difference",
    "Engine",
    "External",
    "Hop",
    "Host",
    "Key",
    "Matrix",
    "Outcome",
    "Outside",
    "Plain",
    "Question",
    "Row",
    "Seen",
    "Source",
    "Transport",
    "UnknownNameError",
    "Workload",
    "WorkloadAddress",
    "World",
    "decide",
    "decide_kinds",
    "diff",
    "is_read",
    "leading_to",
    "matrix",
    "read",
    "read_applied",
    "report",
    "stop_on_idle",
    "whole",
]
