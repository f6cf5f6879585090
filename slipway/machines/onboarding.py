"""What a machine that others booted is given, by the same functions as user-data: files, stages, and one program.

The program goes over standard input of whatever reaches the machine, with a document that may hold a token; the
command itself holds neither. Source: Python documentation, `zipimport`: a program may lie in a zip archive.
"""

import base64
import hashlib
import importlib.resources
import io
import json
import zipfile
from dataclasses import dataclass
from typing import Any

from slipway.machines import arguments, guard, user_data
from slipway.mesh import model

_AT_BOOT = "slipway-revert-at-boot.service"
_STARTED = "import sys\n\nfrom onsite import main\n\nsys.exit(main.main(sys.argv[1], {}))\n"
# The archive lies in memory (/run) while it runs; `-I` keeps the machine's own settings of Python out.
_LOADER = (
    "import base64, json, sys, tempfile; "
    "sys.version_info >= (3, 9) or sys.exit('slipway: Python 3.9 or newer is needed'); "
    "wanted = json.load(sys.stdin); wanted['program'] = base64.b64decode(wanted['program']); "
    "archive = tempfile.NamedTemporaryFile(dir='/run', suffix='.zip'); "
    "archive.write(wanted['program']); archive.flush(); sys.path.insert(0, archive.name); "
    "from onsite import main; sys.exit(main.main(wanted.pop('stage'), wanted))"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Credentials:
    """What lets a machine without an identity of its own join: a short-lived token, and the mesh's root (PEM)."""

    token: str
    root_certificate: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Kit:
    """Everything for one machine but what is secret; ``ports`` are those of its services, sorted."""

    machine: model.Machine
    files: tuple[user_data.File, ...]
    ports: tuple[int, ...]
    has_postgres: bool
    control_plane: tuple[str, int]

    @property
    def digest(self) -> str:
        """What identifies the files: the same declaration and toolkit give the same."""
        known = [[file.path, file.mode, file.content] for file in self.files]
        return hashlib.sha256(json.dumps(known).encode() + program()).hexdigest()


def kit(machine: arguments.MachineArguments) -> Kit:
    """Return what ``machine`` needs: the files that cloud-init would have written, and the end of a trial at boot."""
    ports = [port for service in machine.services for port in service.ports]
    text = importlib.resources.files("slipway.machines").joinpath("files", _AT_BOOT).read_text(encoding="utf-8")
    at_boot = user_data.File(path=f"/etc/systemd/system/{_AT_BOOT}", content=text)
    return Kit(
        machine=machine.machine,
        files=(*user_data.guard_files(machine), *user_data.files(machine), at_boot),
        ports=tuple(sorted({port.number for port in ports})),
        has_postgres=any(port.protocol is model.Protocol.POSTGRES for port in ports),
        control_plane=(machine.control_plane, arguments.CONTROL_PLANE_PORT),
    )


def program() -> bytes:
    """Return the program for the machine, a zip archive; the same toolkit gives the same bytes."""
    folder = importlib.resources.files("slipway.machines").joinpath("onsite")
    texts = {f"onsite/{item.name}": item.read_text(encoding="utf-8") for item in folder.iterdir() if item.is_file()}
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, text in sorted({"__main__.py": _STARTED, "onsite/__init__.py": "", **texts}.items()):
            archive.writestr(zipfile.ZipInfo(name), text, zipfile.ZIP_DEFLATED)
    return buffer.getvalue()


def command() -> str:
    """Return the command for the machine's shell, the same for every stage: as root, or by sudo without a password.

    It says where the present connection comes from, which sudo would take out of the environment.
    """
    python = f'/usr/bin/env "SLIPWAY_SSH=${{SSH_CONNECTION:-}}" /usr/bin/python3 -I -c "{_LOADER}"'
    return f'if [ "$(id -u)" = 0 ]; then exec {python}; else exec sudo -n {python}; fi'


def document(stage: str, kit: Kit, *, revert_s: int = 0, credentials: Credentials | None = None) -> bytes:
    """Return what goes over standard input for one stage; ``revert_s`` in seconds, for `capture`."""
    known: dict[str, Any] = {
        "stage": stage,
        "program": base64.b64encode(program()).decode(),
        "sidecar_number": guard.SIDECAR_USER,
        "sidecar_user": "\n".join(user_data.sidecar_user()),
        "control_plane": list(kit.control_plane),
        "digest": kit.digest,
        "address": kit.machine.address,
        "ports": list(kit.ports),
        "postgres": kit.has_postgres,
        "revert_s": revert_s,
        "token": "" if credentials is None else credentials.token,
        "root": "" if credentials is None else credentials.root_certificate,
        "token_file": user_data.TOKEN_FILE,
        "root_file": user_data.ROOT_FILE,
        "files": [
            {"path": file.path, "mode": file.mode, "content": file.content}
            for file in kit.files
            if stage == "install"
        ],
    }
    return json.dumps(known).encode()
