# ruff: noqa: INP001 - a script for another computer, not a module
"""Bring PostgreSQL's log to a blob container and back, segment by segment, by the machine's own identity.

`archive put PATH NAME` is the database's archive_command, `archive get NAME PATH` its restore_command. Both run as
PostgreSQL's user and hand the work to `archive serve`, which systemd starts as root for each connection to a socket
that PostgreSQL's user alone may open. So the database never holds the machine's identity: all that it can ask for is
one more segment in, or one out. Nothing is ever overwritten or deleted.

Exit statuses are PostgreSQL's: `put` ends with 1 and is asked again until it ends with 0; `get` ends with 1 where
there is no such segment, and with 200 where nobody knows, so that a recovery stops instead of ending too early.
Sources: PostgreSQL documentation, "Continuous Archiving and Point-in-Time Recovery"; Azure documentation,
how-to-use-vm-token "Get a token using HTTP" and rest/api/storageservices "Put Blob", "Get Blob".
"""

import base64
import email.utils
import gzip
import hashlib
import http.client
import json
import pathlib
import re
import socket
import struct
import sys
import urllib.parse
from collections.abc import Mapping
from typing import Any, BinaryIO

SETTINGS = pathlib.Path("/etc/slipway/archive.json")
SOCKET = "/run/slipway/archive.sock"
VERSION = "2023-11-03"  # of the storage's interface
TIMEOUT_S = 30.0
CLIENT_TIMEOUT_S = 120.0
LARGEST_BYTES = 64 * 1024 * 1024  # a segment has 16 MiB unless initdb was told otherwise
# Source: PostgreSQL 15, access/xlog_internal.h: segments, partial ones, backup labels and histories of timelines.
NAME = re.compile(r"[0-9A-F]{24}(\.partial|\.[0-9A-F]{8}\.backup)?|[0-9A-F]{8}\.history")
SYSTEM = re.compile(r"[0-9]{1,20}")
DIGEST = "x-ms-meta-sha256"
DONE, MISSING, UNKNOWN = 0, 1, 200


class Failed(Exception):  # noqa: N818 - reads as the sentence that it is
    """What was asked for could not be done; the text says why, and holds nothing secret."""


class Missing(Failed):
    """There is no such segment."""


Answer = tuple[int, Mapping[str, str], bytes]


def ask(method: str, url: str, headers: Mapping[str, str], body: bytes | None = None) -> Answer:
    """Return status, headers and body; follows no redirect and uses no proxy, for the headers may hold a token."""
    parts = urllib.parse.urlsplit(url)
    kind = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
    connection = kind(parts.netloc, timeout=TIMEOUT_S)
    try:
        target = f"{parts.path}?{parts.query}" if parts.query else parts.path
        connection.request(method, target, body=body, headers=dict(headers))
        answer = connection.getresponse()
        return answer.status, {name.lower(): value for name, value in answer.getheaders()}, answer.read()
    except (OSError, http.client.HTTPException) as error:
        raise Failed(f"{parts.netloc}: {error or type(error).__name__}") from None
    finally:
        connection.close()


def authorization(settings: Mapping[str, str]) -> dict[str, str]:
    """Return the headers of a request to the storage, as the machine."""
    query = {"api-version": "2018-02-01", "resource": settings["resource"]}
    if settings["client_id"]:
        query["client_id"] = settings["client_id"]
    url = f"{settings['metadata_url']}/metadata/identity/oauth2/token?{urllib.parse.urlencode(query)}"
    status, _, body = ask("GET", url, {"Metadata": "true"})
    if status != http.HTTPStatus.OK:
        raise Failed(f"the metadata service answered {status}")
    try:
        token = json.loads(body)["access_token"]
    except (ValueError, KeyError, TypeError):
        raise Failed("the metadata service answered without a token") from None
    return {
        "Authorization": f"Bearer {token}",
        "x-ms-version": VERSION,
        "x-ms-date": email.utils.formatdate(usegmt=True),
    }


def location(settings: Mapping[str, str], wanted: Mapping[str, Any]) -> str:
    """Return the blob's address; raises Failed for names that PostgreSQL does not give."""
    system, name = str(wanted.get("system")), str(wanted.get("name"))
    if not settings["url"].startswith("https://"):
        raise Failed("the container's address does not begin with https://")
    if not SYSTEM.fullmatch(system) or not NAME.fullmatch(name):
        raise Failed(f"{system}/{name} is no file of a database's log")
    return f"{settings['url']}/{system}/{name}.gz"


def store(settings: Mapping[str, str], wanted: Mapping[str, Any], content: bytes) -> str:
    """Put one segment where none is, and return what happened; the storage checks that it came whole.

    The same content once more is well: PostgreSQL asks again after a crash. Raises Failed for everything else.
    """
    url, digest = location(settings, wanted), hashlib.sha256(content).hexdigest()
    packed = gzip.compress(content, compresslevel=1, mtime=0)
    known = authorization(settings)
    headers = {
        **known,
        "x-ms-blob-type": "BlockBlob",
        "If-None-Match": "*",
        "Content-MD5": base64.b64encode(hashlib.md5(packed, usedforsecurity=False).digest()).decode(),
        "Content-Type": "application/gzip",
        DIGEST: digest,
    }
    status, answered, _ = ask("PUT", url, headers, packed)
    if status == http.HTTPStatus.CREATED:
        return "stored"
    if status in {http.HTTPStatus.CONFLICT, http.HTTPStatus.PRECONDITION_FAILED}:
        status, there, _ = ask("HEAD", url, known)
        if status == http.HTTPStatus.OK and there.get(DIGEST) == digest:
            return "there already"
        if status == http.HTTPStatus.OK:
            raise Failed(f"{wanted['name']} is in the archive already, with other content; nothing is overwritten")
    raise Failed(f"the storage answered {status} {answered.get('x-ms-error-code', '')}".rstrip())


def fetch(settings: Mapping[str, str], wanted: Mapping[str, Any]) -> bytes:
    """Return one segment as it was stored; raises Missing where there is none, Failed where nobody knows."""
    url = location(settings, wanted)
    status, headers, body = ask("GET", url, authorization(settings))
    if status == http.HTTPStatus.NOT_FOUND and headers.get("x-ms-error-code") == "BlobNotFound":
        raise Missing(f"there is no {wanted['name']} in the archive")
    if status != http.HTTPStatus.OK:
        raise Failed(f"the storage answered {status} {headers.get('x-ms-error-code', '')}".rstrip())
    try:
        content = gzip.decompress(body)
    except (OSError, EOFError):
        raise Failed(f"{wanted['name']} in the archive is not whole") from None
    if hashlib.sha256(content).hexdigest() != headers.get(DIGEST):
        raise Failed(f"{wanted['name']} in the archive is not what was stored")
    return content


def received(source: BinaryIO, length: int) -> bytes:
    """Return what was handed over, whole; raises Failed."""
    if not 0 <= length <= LARGEST_BYTES:
        raise Failed(f"{length} bytes; allowed are {LARGEST_BYTES}")
    content = source.read(length)
    if len(content) != length:
        raise Failed(f"{len(content)} of {length} bytes came")
    return content


def serve(source: BinaryIO, target: BinaryIO) -> int:
    """Answer one request; what fails goes into the journal as an error."""
    content, said = b"", {}
    try:
        settings = json.loads(SETTINGS.read_text(encoding="utf-8"))
        wanted = json.loads(source.readline(4096))
        if wanted.get("do") == "put":
            said = {"done": store(settings, wanted, received(source, int(wanted["length"])))}
        else:
            content = fetch(settings, wanted)
            said = {"done": "fetched"}
    except Missing as error:
        said = {"failed": str(error), "missing": True}
    except Failed as error:
        said = {"failed": str(error)}
        sys.stderr.write(f"<3>{error}\n")
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        said = {"failed": f"a request or settings of another shape ({type(error).__name__})"}
        sys.stderr.write(f"<3>{said['failed']}\n")
    target.write(json.dumps({**said, "length": len(content)}).encode() + b"\n" + content)
    target.flush()
    return int("failed" in said)


def request(wanted: Mapping[str, Any], content: bytes = b"") -> tuple[dict[str, Any], bytes]:
    """Hand one request to the service; returns what it said and what came with it."""
    try:
        with socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(CLIENT_TIMEOUT_S)
            connection.connect(SOCKET)
            connection.sendall(json.dumps(wanted).encode() + b"\n" + content)
            connection.shutdown(socket.SHUT_WR)
            with connection.makefile("rb") as answer:
                said = json.loads(answer.readline(4096))
                body = answer.read(said["length"])
    except (OSError, ValueError, KeyError) as error:
        raise Failed(f"slipway-archive.socket: {error}") from None
    if len(body) != said["length"]:
        raise Failed("the answer is not whole")
    return said, body


def system_identifier() -> str:
    """Return the number of the database cluster in whose folder this runs: a new cluster gets a new place.

    Source: PostgreSQL 15, catalog/pg_control.h, `ControlFileData`: it begins with the number.
    """
    with pathlib.Path("global/pg_control").open("rb") as file:
        return str(struct.unpack("=Q", file.read(8))[0])


def put(path: pathlib.Path, name: str) -> int:
    """Archive one file; 1 until it is stored."""
    content = path.read_bytes()
    said, _ = request({"do": "put", "system": system_identifier(), "name": name, "length": len(content)}, content)
    if "failed" in said:
        raise Failed(said["failed"])
    return DONE


def get(name: str, path: pathlib.Path) -> int:
    """Bring one file back to ``path``."""
    said, content = request({"do": "get", "system": system_identifier(), "name": name})
    if said.get("missing"):
        return MISSING
    if "failed" in said:
        raise Failed(said["failed"])
    path.write_bytes(content)
    return DONE


def main(words: list[str]) -> int:
    """Do what the first word says."""
    try:
        if words[0] == "serve":
            return serve(sys.stdin.buffer, sys.stdout.buffer)
        if words[0] == "put":
            return put(pathlib.Path(words[1]), words[2])
        return get(words[1], pathlib.Path(words[2]))
    except (Failed, OSError) as error:
        sys.stderr.write(f"slipway archive: {error}\n")
        return UNKNOWN if words[0] == "get" else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
