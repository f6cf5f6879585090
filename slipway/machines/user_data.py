"""A machine's user-data: what cloud-init makes of a bare machine, the same on Azure and in the lab.

First boot: `bootcmd` runs in cloud-init's network stage, before sysinit.target, so before any ordinary service; it
makes the sidecar's user and loads the guard. Until then the platform's network security group is what protects, and
nothing of ours listens: PostgreSQL and the team's services are started later, and never without the guard. Then
`write_files`, and last `runcmd`: the sidecar, the database, and after them the commands of the machine's team. From
the second boot on the guard is a unit of its own before the network.
Source: Debian 12, cloud-init 22.4, systemd/cloud-init.service (`Before=sysinit.target`).
"""

import base64
import dataclasses
import hashlib
import importlib.resources
import json
from dataclasses import dataclass
from email import policy
from email.mime import multipart, text
from typing import Any

import yaml

from slipway.machines import arguments, database, guard, sidecar

SIZE_LIMIT_BYTES = 65_535  # base64. Source: Azure documentation, virtual-machines/custom-data, "64 KB"
# Lists of both parts are joined, ours first. Source: cloud-init documentation, "Merging user-data sections".
MERGE_TYPE = "list(append)+dict(no_replace,recurse_list)+str()"
TOKEN_FILE = "/var/run/secrets/tokens/istio-token"  # noqa: S105 - a path
ROOT_FILE = "/etc/certs/root-cert.pem"
_END = "SLIPWAY_END"
_LIBRARY = "/usr/local/lib/slipway"
_UNITS = "/etc/systemd/system"
_ARCHIVE_UNITS = ("slipway-archive.socket", "slipway-archive@.service")
_TOKEN_UNITS = ("slipway-token.service", "slipway-token-refresh.service", "slipway-token-refresh.timer")


@dataclass(frozen=True, slots=True, kw_only=True)
class File:
    """A file on the machine; ``mode`` as cloud-init takes it."""

    path: str
    content: str
    mode: str = "0644"


def user_data(machine: arguments.MachineArguments) -> str:
    """Return the user-data as multi-part MIME: Slipway's cloud-config, then the team's.

    Raises :class:`ValueError` when the team's text is not a cloud-config, or when both together are larger than
    what Azure takes.
    """
    parts: list[tuple[str, str, str | None]] = [("slipway.yaml", _cloud_config(machine), None)]
    if machine.team_cloud_config:
        if not machine.team_cloud_config.startswith("#cloud-config"):
            first = machine.team_cloud_config.splitlines()[0][:60]
            message = f"the cloud-config of {machine.machine.name} begins with {first!r}, not with '#cloud-config'"
            raise ValueError(message)
        parts.append(("team.yaml", machine.team_cloud_config, MERGE_TYPE))
    result = _join(parts)
    size = len(base64.b64encode(result.encode()))
    if size > SIZE_LIMIT_BYTES:
        found = f"the user-data of {machine.machine.name} has {size} bytes in base64"
        message = f"{found}; allowed are {SIZE_LIMIT_BYTES}: let {machine.machine.name}'s team fetch its larger files"
        raise ValueError(message)
    return result


def files(machine: arguments.MachineArguments) -> tuple[File, ...]:
    """Return what `write_files` writes, the guard's own files excepted."""
    found = [
        File(path="/etc/slipway/machine.env", content=_settings(machine)),
        File(path="/etc/slipway/cluster.env", content=sidecar.cluster_environment(machine)),
        File(path="/etc/slipway/mesh.yaml", content=sidecar.mesh_config(machine)),
        File(path="/etc/slipway/hosts", content=f"{sidecar.hosts_line(machine)} # slipway\n"),
        File(path="/etc/logrotate.d/istio", content=_text("logrotate.conf")),
        File(path=f"{_UNITS}/istio.service.d/10-slipway.conf", content=_text("istio-dropin.conf")),
        File(path=f"{_LIBRARY}/apply", content=_text("apply"), mode="0755"),
    ]
    if machine.token is not None:
        found += [
            File(path="/etc/slipway/token.json", content=_token_settings(machine.token)),
            *(File(path=f"{_UNITS}/{unit}", content=_text(unit)) for unit in _TOKEN_UNITS),
            File(path=f"{_LIBRARY}/fetch-token", content=_text("fetch_token.py"), mode="0755"),
        ]
    if machine.machine.database is not None:
        found += [
            File(path="/etc/slipway/postgresql.conf", content=_postgresql(machine)),
            File(path="/etc/slipway/pg_hba.source", content=database.access(machine.machine.database)),
            File(path="/etc/slipway/roles.sql", content=database.roles(machine.machine.database)),
            File(path=f"{_UNITS}/postgresql@.service.d/10-slipway.conf", content=_text("postgresql-dropin.conf")),
            File(path=f"{_LIBRARY}/database", content=_text("database"), mode="0755"),
        ]
    if machine.archive is not None:
        found += [
            File(path="/etc/slipway/archive.json", content=_plain(machine.archive)),
            *(File(path=f"{_UNITS}/{unit}", content=_text(unit)) for unit in _ARCHIVE_UNITS),
            File(path=f"{_LIBRARY}/archive", content=_text("archive.py"), mode="0755"),
        ]
    return tuple(found)


def guard_files(machine: arguments.MachineArguments) -> tuple[File, ...]:
    """Return the guard's files: written and loaded before everything else."""
    return (
        File(path="/etc/slipway/closed.nft", content=guard.render_closed()),
        File(path="/etc/slipway/guard.nft", content=guard.render(machine.guard)),
        File(path=f"{_UNITS}/slipway-guard.service", content=_text("slipway-guard.service")),
    )


def _cloud_config(machine: arguments.MachineArguments) -> str:
    document: dict[str, Any] = {
        "bootcmd": [_load_guard(machine), *([_mount_data(machine)] if machine.data_folder else [])],
        "write_files": [
            {"path": file.path, "permissions": file.mode, "owner": "root:root", "content": file.content}
            for file in files(machine)
        ],
        # As text the first line is taken over into the script as it is: from here on a command that fails ends it.
        "runcmd": ["set -e", f"{_LIBRARY}/apply"],
    }
    return "#cloud-config\n" + yaml.dump(document, Dumper=_Dumper, sort_keys=False, width=1_000_000)


def sidecar_user() -> tuple[str, ...]:
    """Return the shell commands that make the sidecar's user where it is missing."""
    user = guard.SIDECAR_USER
    create = f"useradd --no-create-home --home-dir /var/lib/istio --uid {user} --gid istio-proxy istio-proxy"
    return (
        f"getent group istio-proxy > /dev/null || groupadd --gid {user} istio-proxy",
        f"getent passwd istio-proxy > /dev/null || {create}",
    )


def _load_guard(machine: arguments.MachineArguments) -> str:
    lines = ["set -eu; umask 022; mkdir -p /etc/slipway", *sidecar_user()]
    lines += [f"cat > {file.path} <<'{_END}'\n{file.content.rstrip()}\n{_END}" for file in guard_files(machine)]
    lines += [
        "systemctl daemon-reload",
        "systemctl enable --quiet slipway-guard.service",
        "systemctl reload-or-restart slipway-guard.service",
    ]
    return "\n".join((*lines, ""))


def _mount_data(machine: arguments.MachineArguments) -> str:
    """Return a script that mounts the data disk before anything is installed into its folder."""
    return _text("data-disk").replace("@FOLDER@", machine.data_folder)


def _settings(machine: arguments.MachineArguments) -> str:
    return f"SIDECAR_URL='{machine.package.url}'\nSIDECAR_SHA256='{machine.package.sha256}'\n"


def _postgresql(machine: arguments.MachineArguments) -> str:
    return database.settings(machine.machine, archived=machine.archive is not None)


def _plain(archive: arguments.Archive) -> str:
    return json.dumps(dataclasses.asdict(archive), indent=2) + "\n"


def _token_settings(source: arguments.TokenSource) -> str:
    values = {
        "metadata_url": source.metadata_url,
        "resource": source.resource,
        "client_id": source.client_id,
        "vault_url": source.vault_url,
        "secret": source.secret,
        "owner": "istio-proxy",
        "token_file": TOKEN_FILE,
        "root_file": ROOT_FILE,
        "certificate_file": "/etc/certs/cert-chain.pem",
    }
    return json.dumps(values, indent=2) + "\n"


def _join(parts: list[tuple[str, str, str | None]]) -> str:
    digest = hashlib.sha256("\0".join(content for _, content, _ in parts).encode()).hexdigest()
    document = multipart.MIMEMultipart(boundary=f"slipway-{digest[:32]}")
    for name, content, merge_type in parts:
        part = text.MIMEText(content, "cloud-config", "us-ascii" if content.isascii() else "utf-8")
        part.add_header("Content-Disposition", "attachment", filename=name)
        if merge_type is not None:
            part.add_header("Merge-Type", merge_type)
        document.attach(part)
    return document.as_string(policy=policy.compat32.clone(mangle_from_=False))


def _text(name: str) -> str:
    return importlib.resources.files("slipway.machines").joinpath("files", name).read_text(encoding="utf-8")


class _Dumper(yaml.SafeDumper):
    """Writes texts of several lines as blocks, so that a person can read the user-data."""


def _represent_text(dumper: yaml.SafeDumper, value: str) -> yaml.ScalarNode:
    return dumper.represent_scalar("tag:yaml.org,2002:str", value, style="|" if "\n" in value else None)


_Dumper.add_representer(str, _represent_text)
