"""Enumerations that are looked up often."""

import enum


class Choice(enum.Enum):
    """An enumeration whose members hash by identity: the default hash runs Python code for every lookup."""

    __hash__ = object.__hash__
