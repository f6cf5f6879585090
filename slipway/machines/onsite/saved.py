# ruff: noqa: INP001 - part of a program for another computer, not of the toolkit
"""What was there before: kept on the machine until it is put back, and the stage that the machine is at.

Everything is written beside its place and renamed, so that a cut at any instant leaves the old or the new.
"""

import base64
import json
import os
import shutil
import stat
from collections.abc import Iterable
from pathlib import Path
from typing import Any

FOLDER = Path("/var/lib/slipway-onboarding")
# Stages, in order; nothing at all is the stage of a machine that was never onboarded.
INSTALLED, CAPTURING, CONFIRMED = "installed", "capturing", "confirmed"


def stage() -> str:
    """Return the machine's stage, empty for none."""
    path = FOLDER / "stage"
    return path.read_text().strip() if path.exists() else ""


def enter(name: str) -> None:
    """Note the stage."""
    write(FOLDER / "stage", f"{name}\n".encode())


def digest() -> str:
    """Return what was installed last, as the operator named it."""
    path = FOLDER / "digest"
    return path.read_text().strip() if path.exists() else ""


def keep(paths: Iterable[str], *, folders: Iterable[str], facts: dict[str, Any]) -> None:
    """Keep what each path holds and which folders are there: what is kept already is the truth."""
    FOLDER.mkdir(mode=0o700, parents=True, exist_ok=True)
    known = before() or {
        "files": {},
        "folders": {path: os.path.lexists(path) for path in folders},
        "facts": facts,
    }
    files = {path: _held(Path(path)) for path in sorted(set(paths) - known["files"].keys())}
    write(FOLDER / "before.json", json.dumps({**known, "files": {**files, **known["files"]}}).encode())


def before() -> dict[str, Any]:
    """Return what was kept; empty when nothing was."""
    kept = FOLDER / "before.json"
    return json.loads(kept.read_text()) if kept.exists() else {}


def put_back(known: dict[str, Any]) -> None:
    """Make the kept files what they were, remove those that were not there, and folders that are new and ours."""
    for path, held in known["files"].items():
        if held is None:
            Path(path).unlink(missing_ok=True)
        elif _held(Path(path)) != held:
            write(Path(path), base64.b64decode(held["content"]), mode=held["mode"], owner=(held["uid"], held["gid"]))
            os.utime(path, ns=(held["mtime"], held["mtime"]))
    for path, was_there in known["folders"].items():
        place = Path(path)
        if was_there:
            continue
        if place.is_symlink():
            place.unlink()
        elif place.is_dir():
            shutil.rmtree(place)


def forget() -> None:
    """Remove what was kept: the machine is as it was."""
    shutil.rmtree(FOLDER, ignore_errors=False)


def write(path: Path, content: bytes, *, mode: int = 0o600, owner: tuple[int, int] = (0, 0)) -> None:
    """Replace ``path`` at once; it is never readable for more than ``mode`` says."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.slipway-new")
    temporary.unlink(missing_ok=True)
    with os.fdopen(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        os.fchown(file.fileno(), *owner)
        os.fchmod(file.fileno(), mode)
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(path)


def _held(path: Path) -> dict[str, Any] | None:
    if not path.exists():
        return None
    found = path.stat()
    return {
        "content": base64.b64encode(path.read_bytes()).decode(),
        "mode": stat.S_IMODE(found.st_mode),
        "uid": found.st_uid,
        "gid": found.st_gid,
        "mtime": found.st_mtime_ns,
    }
