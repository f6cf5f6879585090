"""What exists in the stand-in's subscription, kept in one file so that a killed run loses nothing."""

import contextlib
import dataclasses
import json
import threading
import time
from collections.abc import Generator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from standin import arm


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """One resource: what was put, and when Azure has finished with it.

    ``ready_s`` is in seconds since the epoch: an operation goes on in Azure although its caller was killed.
    ``made`` counts what was created before, so that a name used again is not the same principal again.
    """

    id: str
    token: str
    inputs: dict[str, Any]
    made: int
    ready_s: float = 0.0
    failed: bool = False
    inline: bool = False

    @property
    def provisioning_state(self) -> str:
        """What Azure calls the state of the last operation."""
        if time.time() < self.ready_s:
            return "Creating"
        return "Failed" if self.failed else "Succeeded"

    @property
    def key(self) -> str:
        """The id as Azure compares it: without case."""
        return self.id.lower()


@dataclass(slots=True)
class Contents:
    """Everything that the file holds; ``kept`` are soft-deleted names by what they block."""

    records: dict[str, Record] = field(default_factory=dict)
    kept: dict[str, str] = field(default_factory=dict)
    used_faults: dict[str, int] = field(default_factory=dict)
    made: int = 0


class Cloud:
    """The records, with every change written to ``path`` before anyone hears of it."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._contents = _read(path)
        self.lock = threading.RLock()

    def get(self, resource_id: str) -> Record | None:
        """Return what has this id, whatever its case."""
        return self._contents.records.get(resource_id.lower().rstrip("/"))

    def all(self, arm_type: str | None = None) -> list[Record]:
        """Return what exists, of one ARM type where it is given."""
        found = self._contents.records.values()
        return [item for item in found if arm_type is None or arm.type_of(item.id).lower() == arm_type.lower()]

    def below(self, resource_id: str) -> list[Record]:
        """Return everything whose id stands below ``resource_id``."""
        prefix = resource_id.lower().rstrip("/") + "/"
        return [record for key, record in self._contents.records.items() if key.startswith(prefix)]

    def put(self, record: Record) -> None:
        """Keep ``record`` instead of what had its id."""
        with self._changed():
            self._contents.records[record.key] = record

    def remove(self, *records: Record) -> None:
        """Forget ``records``."""
        with self._changed():
            for record in records:
                self._contents.records.pop(record.key, None)

    def next_made(self) -> int:
        """Return a number that no other creation had."""
        with self._changed():
            self._contents.made += 1
            return self._contents.made

    def keep_name(self, what: str, resource_id: str) -> None:
        """Remember that ``what`` stays taken by the deleted ``resource_id``."""
        with self._changed():
            self._contents.kept[what.lower()] = resource_id

    def kept_name(self, what: str) -> str | None:
        """Return what was deleted but still has the name ``what``."""
        return self._contents.kept.get(what.lower())

    def free_name(self, what: str) -> None:
        """Let ``what`` be used again: it was recovered or purged."""
        with self._changed():
            self._contents.kept.pop(what.lower(), None)

    def use_fault(self, fault: str, times: int) -> bool:
        """Return whether ``fault`` strikes once more, and count it."""
        with self._changed():
            used = self._contents.used_faults.get(fault, 0)
            self._contents.used_faults[fault] = used + 1
            return used < times

    @contextlib.contextmanager
    def _changed(self) -> Generator[None, None, None]:
        """Write the file in one step after the body."""
        with self.lock:
            yield
            temporary = self._path.with_suffix(".new")
            temporary.write_text(json.dumps(dataclasses.asdict(self._contents), indent=1, sort_keys=True))
            temporary.replace(self._path)


def _read(path: Path) -> Contents:
    if not path.exists():
        return Contents()
    document = json.loads(path.read_text())
    document["records"] = {key: Record(**record) for key, record in document["records"].items()}
    return Contents(**document)
