"""The folder of built programs: complete or absent, and one builder at a time."""

import json
import os
import shutil
import tempfile
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import filelock
import platformdirs

RECEIPT = "slipway.json"
"""Lists the files of a complete folder; it is written last."""
UNFINISHED = ".building-"


@dataclass(frozen=True, slots=True, kw_only=True)
class Slot:
    """The place of one program at one key."""

    root: Path
    program: str
    key: str

    @property
    def folder(self) -> Path:
        """Where the complete program lies."""
        return self.root / self.program / self.key

    @property
    def log(self) -> Path:
        """Where the last build of this program writes what it prints."""
        return self.root / self.program / "build.log"

    def complete(self) -> bool:
        """Tell whether every file that the receipt lists is there in its full size."""
        try:
            receipt = json.loads((self.folder / RECEIPT).read_text(encoding="utf-8"))
            return all((self.folder / name).stat().st_size == size for name, size in receipt["files"].items())
        except (OSError, ValueError, KeyError, AttributeError):
            return False


def root() -> Path:
    """Return ``$SLIPWAY_CACHE``, or ``slipway`` in the user's cache folder, with ``programs`` below it."""
    chosen = os.environ.get("SLIPWAY_CACHE")
    base = Path(chosen).expanduser().absolute() if chosen else platformdirs.user_cache_path("slipway")
    return base / "programs"


def lock(slot: Slot) -> filelock.BaseFileLock:
    """Return the lock that the one builder of a program holds; the kernel frees it when the holder dies."""
    slot.folder.parent.mkdir(parents=True, exist_ok=True)
    return filelock.FileLock(slot.folder.parent / ".lock")


@contextmanager
def filling(slot: Slot) -> Generator[Path]:
    """Yield an empty folder and make it the slot's when the block ends well; the caller holds the lock.

    Folders that a killed builder left behind are removed first: the lock proves that nobody works in them.
    """
    for leftover in slot.folder.parent.glob(f"{UNFINISHED}*"):
        shutil.rmtree(leftover, ignore_errors=True)
    workplace = Path(tempfile.mkdtemp(prefix=UNFINISHED, dir=slot.folder.parent))
    try:
        result = workplace / "result"
        result.mkdir()
        yield result
        _write_receipt(result)
        if slot.folder.exists():
            shutil.rmtree(slot.folder)
        result.rename(slot.folder)
    finally:
        shutil.rmtree(workplace, ignore_errors=True)


def _write_receipt(folder: Path) -> None:
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    sizes = {path.relative_to(folder).as_posix(): path.stat().st_size for path in files}
    (folder / RECEIPT).write_text(json.dumps({"files": sizes}, indent=1), encoding="utf-8")
