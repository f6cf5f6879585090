"""containerd's store with all shared images in it, kept in the cache and laid under each new lab by hard links.

Layers and blobs never change once they are written, so labs can share their files; the databases are copied.
Importing the same images takes ten times as long.
"""

import hashlib
import shutil
from collections.abc import Sequence
from pathlib import Path

import filelock

from slipway.lab import images
from slipway.lab import instance as instances
from slipway.world import process

_COPY_TIMEOUT_S = 300.0
_DATABASES = "*.db"
_IDENTITY = Path("io.containerd.grpc.v1.introspection")


def lay(instance: instances.Instance, archives: Sequence[Path]) -> bool:
    """Give an instance without a store the one made of ``archives``; return whether it has none now.

    containerd must not run. A store with images in it stays as it is.
    """
    target = store(instance)
    if (instance.state / images.RECORD).exists():
        return False
    if target.exists():  # nothing was imported yet, or the copy was cut off
        shutil.rmtree(target)
    source = _kept(instance, archives)
    with _lock(instance):
        if not source.exists():
            return True
        _copy(source / "root", target)
        shutil.copy(source / images.RECORD, instance.state / images.RECORD)
    return False


def keep(instance: instances.Instance, archives: Sequence[Path]) -> None:
    """Keep the instance's store, made of ``archives`` and nothing else, for labs to come; containerd is stopped.

    Stores of other contents are removed from the cache: labs that were made of them have their own links.
    """
    target = _kept(instance, archives)
    with _lock(instance):
        for other in target.parent.iterdir():
            if other.is_dir():
                shutil.rmtree(other)
        unfinished = target.with_name(f".{target.name}")
        _copy(store(instance), unfinished / "root")
        shutil.copy(instance.state / images.RECORD, unfinished / images.RECORD)
        unfinished.rename(target)


def store(instance: instances.Instance) -> Path:
    """Return the folder of containerd's store."""
    return instance.state / "containerd" / "root"


def _lock(instance: instances.Instance) -> filelock.BaseFileLock:
    folder = instance.cache / "image-stores"
    folder.mkdir(parents=True, exist_ok=True)
    return filelock.FileLock(folder / ".lock", timeout=_COPY_TIMEOUT_S)


def _kept(instance: instances.Instance, archives: Sequence[Path]) -> Path:
    key = hashlib.sha256("\n".join(archive.name for archive in archives).encode()).hexdigest()[:16]
    return instance.cache / "image-stores" / key


def _copy(source: Path, target: Path) -> None:
    unfinished = target.with_name(f".{target.name}")
    if unfinished.exists():
        shutil.rmtree(unfinished)
    unfinished.parent.mkdir(parents=True, exist_ok=True)
    is_same_disk = source.stat().st_dev == unfinished.parent.stat().st_dev
    link = ["--link"] if is_same_disk else []
    argv = ["cp", "--archive", *link, "--no-target-directory", str(source), str(unfinished)]
    process.run(argv, timeout_s=_COPY_TIMEOUT_S)
    for database in unfinished.rglob(_DATABASES):
        if "snapshots" not in database.relative_to(unfinished).parts:
            own = database.with_suffix(".copy")
            shutil.copy2(database, own)
            own.replace(database)
    if (unfinished / _IDENTITY).exists():  # what is unique to one containerd; it makes a new one
        shutil.rmtree(unfinished / _IDENTITY)
    unfinished.rename(target)
