"""Failures on request, read from a control file before each operation, so that a test can change its mind.

The file is a JSON list. Each entry: ``on`` (create, update, delete or read), ``type`` and ``name`` (patterns, `*` by
default), ``do`` (throttle, refuse, partial or slow), ``times`` (1 by default), and by what it does ``code``,
``message``, ``status`` and ``seconds``. An entry is used up across restarts: its count lies in the cloud's file.
"""

import fnmatch
import json
from dataclasses import dataclass
from pathlib import Path

from standin import arm, cloud, model

# The provider's client tries a throttled request three more times. Source: azure-sdk-for-go, sdk/azcore/policy,
# `RetryOptions.MaxRetries`.
_RETRIES = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """One entry; ``seconds`` is how long a slow operation takes."""

    on: str
    do: str
    type: str = "*"
    name: str = "*"
    times: int = 1
    status: int = 409
    code: str = "OperationNotAllowed"
    message: str = "refused on request"
    seconds: float = 0.0

    def strikes(self, operation: str, known: model.ResourceType, resource_id: str) -> bool:
        """Return whether the fault is meant for this operation."""
        return (
            self.on == operation
            and fnmatch.fnmatchcase(known.short, self.type)
            and fnmatch.fnmatchcase(arm.name_of(resource_id), self.name)
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Effect:
    """What the faults do to one operation: how long it takes, and whether it ends half-way."""

    seconds: float = 0.0
    partial: Fault | None = None


class Faults:
    """The control file."""

    def __init__(self, path: Path | None, known: cloud.Cloud) -> None:
        self._path = path
        self._cloud = known

    def meet(self, operation: str, known: model.ResourceType, resource_id: str) -> Effect:
        """Return what happens to this operation; raises :class:`arm.RefusalError` where it is refused."""
        seconds, partial = 0.0, None
        for fault in self._read():
            if not fault.strikes(operation, known, resource_id):
                continue
            if fault.do == "throttle":
                self._throttle(fault)
            elif self._is_used(fault):
                if fault.do == "refuse":
                    raise arm.RefusalError(fault.status, fault.code, f"{resource_id}: {fault.message}")
                seconds += fault.seconds
                partial = fault if fault.do == "partial" else partial
        return Effect(seconds=seconds, partial=partial)

    def _throttle(self, fault: Fault) -> None:
        """Meet 429 until the provider's client gives up."""
        tries = 0
        while self._is_used(fault):
            tries += 1
            if tries > _RETRIES:
                raise arm.RefusalError(429, "TooManyRequests", f"throttled {tries} times: {fault.message}")

    def _is_used(self, fault: Fault) -> bool:
        return self._cloud.use_fault(repr(fault), fault.times)

    def _read(self) -> list[Fault]:
        if self._path is None or not self._path.exists():
            return []
        return [Fault(**entry) for entry in json.loads(self._path.read_text())]
