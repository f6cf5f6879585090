"""A file of the declaration as a value."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """One file of the declaration: its name as messages show it, and what it holds."""

    file: str
    text: bytes | str
