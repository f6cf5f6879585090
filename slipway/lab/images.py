"""The lab's container images: built from programs on this computer, kept as archives by content, never downloaded."""

import concurrent.futures
import hashlib
import json
import shutil
import tempfile
import time
import zipfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from slipway.lab import instance as instances
from slipway.lab import kubernetes, texts
from slipway.world import process

REPOSITORY = "docker.io/slipway-lab"
RECORD = "images.json"
_RECIPE = "2"  # raise it to build every image anew
_BUILDERS = 2
_ABANDONED_S = 3 * 3600.0
_BUILD_TIMEOUT_S = 300.0
_IMPORT_TIMEOUT_S = 120.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Image:
    """What goes into one image.

    ``files`` maps paths in it to files or folders here, ``archives`` to zip files that are unpacked there, ``texts``
    to contents, ``links`` to the targets of symbolic links. ``local`` keeps the archive in the instance's state
    folder instead of the shared cache, for images that hold something of one instance.
    """

    name: str
    tag: str
    files: Mapping[str, Path]
    archives: Mapping[str, Path] = field(default_factory=dict[str, Path])
    texts: Mapping[str, str] = field(default_factory=dict[str, str])
    links: Mapping[str, str] = field(default_factory=dict[str, str])
    entrypoint: tuple[str, ...]
    user: str = "0"
    environment: Mapping[str, str] = field(default_factory=dict[str, str])
    local: bool = False

    @property
    def reference(self) -> str:
        """The full name by which pods ask for it."""
        return f"{REPOSITORY}/{self.name}:{self.tag}"


def ensure(
    instance: instances.Instance, images: Sequence[Image], *, report: Callable[[str], None]
) -> tuple[str, ...]:
    """Build what has no archive, import what containerd does not hold in this content, and return the imported names.

    ``report`` gets a line for each thing done. containerd must answer.
    """
    held, record = _held(instance), instance.state / RECORD
    known: dict[str, list[str]] = json.loads(record.read_text(encoding="utf-8")) if record.exists() else {}
    imported: list[str] = []
    for image, archive in zip(images, build(instance, images, report=report), strict=True):
        if known.get(image.reference) == [archive.name, held.get(image.reference)]:
            continue
        report(f"importing {image.reference}")
        _ctr(instance, ["images", "import", str(archive)])
        known[image.reference] = [archive.name, _held(instance)[image.reference]]
        texts.write(record, json.dumps(known, indent=1) + "\n")
        imported.append(image.reference)
    return tuple(imported)


def unreachable(instance: instances.Instance) -> str:
    """Say why containerd does not answer; empty when it does."""
    argv = ["ctr", "--address", str(kubernetes.containerd_socket(instance)), "--connect-timeout=2s", "version"]
    done = process.run(argv, timeout_s=10, check=False)
    return "" if done.exit_status == 0 else done.stderr.strip()[-200:]


def build(
    instance: instances.Instance, images: Sequence[Image], *, report: Callable[[str], None]
) -> tuple[Path, ...]:
    """Return the archives of ``images``, built two at a time where there is none of their content.

    An archive is a tar file as `docker save` makes it: its layers are not compressed.
    """
    archives = tuple(_archive(instance, image) for image in images)
    with concurrent.futures.ThreadPoolExecutor(max_workers=_BUILDERS) as pool:
        building = [
            pool.submit(_build, image, archive, report)
            for image, archive in zip(images, archives, strict=True)
            if not archive.exists()
        ]
        for one in building:
            one.result()
    return archives


def _archive(instance: instances.Instance, image: Image) -> Path:
    base = instance.state if image.local else instance.cache
    return base / "images" / f"{image.name}-{_key(instance, image)}.tar"


def _build(image: Image, archive: Path, report: Callable[[str], None]) -> None:
    report(f"building {image.reference}")
    archive.parent.mkdir(parents=True, exist_ok=True)
    _forget_old(archive.parent, image.name)
    with tempfile.TemporaryDirectory(prefix=f".{image.name}-", dir=archive.parent) as temporary:
        folder = Path(temporary)
        _lay_out(image, folder / "context" / "root")
        (folder / "context" / "Containerfile").write_text(_containerfile(image), encoding="utf-8")
        built = folder / "image.tar"
        _buildah(image, folder, built)
        built.replace(archive)


def _forget_old(folder: Path, name: str) -> None:
    """Remove all but the newest archive of an image, and what builds that were killed hours ago left."""
    found = sorted(folder.glob(f"{name}-*.tar"), key=lambda path: path.stat().st_mtime, reverse=True)
    for archive in found[1:]:
        archive.unlink()
    for leftover in folder.glob(f".{name}-*"):
        if time.time() - leftover.stat().st_mtime > _ABANDONED_S:
            shutil.rmtree(leftover)


def _lay_out(image: Image, root: Path) -> None:
    root.mkdir(parents=True)
    for target, source in image.files.items():
        path = root / target.lstrip("/")
        path.parent.mkdir(parents=True, exist_ok=True)
        if source.is_dir():
            shutil.copytree(source, path, ignore=_dangling, dirs_exist_ok=True)
        else:
            shutil.copy(source, path)
    for target, source in image.archives.items():
        with zipfile.ZipFile(source) as archive:
            archive.extractall(root / target.lstrip("/"))
    for target, content in image.texts.items():
        texts.write(root / target.lstrip("/"), content)
    for target, destination in image.links.items():
        path = root / target.lstrip("/")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.symlink_to(destination)
    (root / "tmp").mkdir(exist_ok=True)
    (root / "tmp").chmod(0o1777)


def _dangling(folder: str, names: list[str]) -> set[str]:
    """Name the links to nothing; `ignore_dangling_symlinks` would drop every relative link as well."""
    return {name for name in names if not Path(folder, name).exists()}


def _containerfile(image: Image) -> str:
    lines = ["FROM scratch", "COPY root /"]
    lines += [f'ENV {key}="{value}"' for key, value in sorted(image.environment.items())]
    lines += [f"USER {image.user}", f"ENTRYPOINT {json.dumps(list(image.entrypoint))}"]
    return "".join(f"{line}\n" for line in lines)


def _buildah(image: Image, folder: Path, archive: Path) -> None:
    policy = folder / "policy.json"
    policy.write_text('{"default": [{"type": "insecureAcceptAnything"}]}\n', encoding="utf-8")
    # Nothing is pulled and nothing is run: the storage lives for this one image.
    storage = ["--storage-driver", "vfs", "--root", str(folder / "storage"), "--runroot", str(folder / "run")]
    environment = {"TMPDIR": str(folder), "BUILDAH_ISOLATION": "chroot"}
    argv = ["buildah", *storage, "build", "--quiet", "--layers=false", "--timestamp", "0", "--pull-never"]
    argv += ["--signature-policy", str(policy), "--tag", image.reference, str(folder / "context")]
    process.run(argv, timeout_s=_BUILD_TIMEOUT_S, env=environment)
    argv = ["buildah", *storage, "push", "--quiet", "--signature-policy", str(policy)]
    argv += [image.reference, f"docker-archive:{archive}:{image.reference}"]
    process.run(argv, timeout_s=_BUILD_TIMEOUT_S, env=environment)


def _held(instance: instances.Instance) -> dict[str, str]:
    lines = _ctr(instance, ["images", "list"]).splitlines()[1:]
    return {line.split()[0]: line.split()[2] for line in lines if line.strip()}


def _ctr(instance: instances.Instance, words: Sequence[str]) -> str:
    argv = ["ctr", "--address", str(kubernetes.containerd_socket(instance)), "--namespace", "k8s.io", *words]
    return process.run(argv, timeout_s=_IMPORT_TIMEOUT_S).stdout


def _key(instance: instances.Instance, image: Image) -> str:
    digests = _Digests(instance.cache / "images" / "digests.json")
    parts = [_RECIPE, image.reference, image.user, *image.entrypoint]
    parts += [f"{key}={value}" for key, value in sorted(image.environment.items())]
    parts += [f"{target}={digests.of(source)}" for target, source in sorted(image.files.items())]
    parts += [f"{target}<{digests.of(source)}" for target, source in sorted(image.archives.items())]
    parts += [f"{target}={content}" for target, content in sorted(image.texts.items())]
    parts += [f"{target}>{destination}" for target, destination in sorted(image.links.items())]
    digests.save()
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:16]


class _Digests:
    """SHA-256 of files, remembered by path, size and time of change: hashing 600 MB at each `up` takes seconds."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._known: dict[str, str] = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}

    def of(self, source: Path) -> str:
        if source.is_dir():
            paths = sorted(path for path in source.rglob("*") if path.is_file())
            inside = [f"{path.relative_to(source)}={self.of(path)}" for path in paths]
            return hashlib.sha256("\n".join(inside).encode()).hexdigest()
        status = source.stat()
        key = f"{source}:{status.st_size}:{status.st_mtime_ns}:{status.st_ino}:{status.st_mode & 0o777}"
        if key not in self._known:
            with source.open("rb") as file:
                self._known[key] = hashlib.file_digest(file, "sha256").hexdigest() + f"-{status.st_mode & 0o777:o}"
        return self._known[key]

    def save(self) -> None:
        kept = {key: value for key, value in self._known.items() if Path(key.split(":")[0]).exists()}
        texts.write(self._path, json.dumps(kept))
