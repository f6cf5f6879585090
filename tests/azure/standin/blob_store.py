"""Blobs as files of a folder, with what a storage account checks of them.

Source: Azure documentation, rest/api/storageservices, "Put Blob", "Specifying conditional headers for Blob service
operations" and "Blob service error codes".
"""

import base64
import hashlib
import json
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

_KEPT = "x-ms-meta-"


@dataclass(frozen=True, slots=True, kw_only=True)
class BlobAnswer:
    """A status, headers, and the bytes of a blob."""

    status: int
    headers: Mapping[str, str]
    body: bytes = b""


def refused(status: int, code: str) -> BlobAnswer:
    """Return a refusal as the storage writes it."""
    return BlobAnswer(status=status, headers={"x-ms-error-code": code})


class BlobStore:
    """The blobs of all accounts below ``folder``: each a file, and its metadata beside it.

    All containers keep what is in them, so nothing is overwritten whatever the request says.
    """

    is_away = False

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._lock = threading.Lock()

    def answer(self, method: str, name: str, headers: Mapping[str, str], body: bytes) -> BlobAnswer:
        """Answer one request for the blob ``account/container/path``; ``headers`` are by lower-case name."""
        if self.is_away:
            return refused(503, "ServerBusy")
        missing = [item for item in ("x-ms-version", "x-ms-date") if item not in headers]
        if missing:
            return refused(400, "MissingRequiredHeader")
        path = self._folder / name
        if not path.resolve().is_relative_to(self._folder.resolve()):
            return refused(400, "InvalidUri")
        with self._lock:
            return self._put(path, headers, body) if method == "PUT" else self._get(path, body=method == "GET")

    def _put(self, path: Path, headers: Mapping[str, str], body: bytes) -> BlobAnswer:
        if headers.get("x-ms-blob-type") != "BlockBlob":
            return refused(400, "MissingRequiredHeader")
        digest = base64.b64encode(hashlib.md5(body, usedforsecurity=False).digest()).decode()
        if headers.get("content-md5", digest) != digest:
            return refused(400, "Md5Mismatch")
        if path.exists():
            is_conditional = headers.get("if-none-match") == "*"
            return refused(409, "BlobAlreadyExists" if is_conditional else "BlobImmutableDueToPolicy")
        path.parent.mkdir(parents=True, exist_ok=True)
        known = {key: value for key, value in headers.items() if key.startswith(_KEPT)}
        path.with_name(f"{path.name}.metadata").write_text(json.dumps(known))
        path.write_bytes(body)
        return BlobAnswer(status=201, headers={"Content-MD5": digest})

    def _get(self, path: Path, *, body: bool) -> BlobAnswer:
        if not path.exists():
            return refused(404, "BlobNotFound")
        known = json.loads(path.with_name(f"{path.name}.metadata").read_text())
        return BlobAnswer(status=200, headers=known, body=path.read_bytes() if body else b"")
