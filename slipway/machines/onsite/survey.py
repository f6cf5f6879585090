# ruff: noqa: INP001 - part of a program for another computer, not of the toolkit
"""What a machine is and does now, as plain facts: nothing is changed, and nothing is judged here."""

import grp
import json
import os
import platform
import pwd
import shutil
import socket
import subprocess
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

from . import connections, hba, saved

_TOOLS = ("systemctl", "systemd-run", "nft", "iptables", "dpkg", "sudo", "curl", "hostname", "useradd", "sha256sum")
_UNITS = ("docker", "containerd", "kubelet", "firewalld", "ufw", "nftables", "netfilter-persistent", "istio")
_READY = "http://127.0.0.1:15021/healthz/ready"
_CONNECT_TIMEOUT_S = 3.0
_TIMEOUT_S = 20.0


def facts(wanted: dict[str, Any]) -> dict[str, Any]:
    """Return everything by which the operator's side decides; ``wanted`` says what to ask for."""
    found = connections.sockets()
    names = _programs()
    return {
        "system": _system(),
        "systemd": _systemd(),
        "missing": [tool for tool in _TOOLS if shutil.which(tool) is None],
        "clock_s": time.time(),
        "addresses": _addresses(),
        "listening": [
            {
                "protocol": item.protocol,
                "address": item.local,
                "port": item.port,
                "program": names.get(item.inode, ""),
            }
            for item in connections.listening(found)
        ],
        "connections": [
            {"port": item.port, "remote": item.remote, "remote_port": item.remote_port}
            for item in connections.established(found)
        ],
        "accounts": _accounts(wanted["sidecar_number"]),
        "units": [unit for unit in _UNITS if _succeeds("systemctl", "is-active", "--quiet", f"{unit}.service")],
        "interfaces": sorted(path.name for path in Path("/sys/class/net").iterdir()),
        "tables": tables(),
        "legacy_tables": _lines(Path("/proc/net/ip_tables_names")),
        "disk_free_mib": shutil.disk_usage("/usr/local").free // 2**20,
        "resolver": _resolver(),
        "control_plane": _reach(*wanted["control_plane"]),
        "refusals": {str(path): hba.refusals(path.read_text()) for path in hba.files()},
        "ssh": os.environ.get("SLIPWAY_SSH", ""),
        "ready": ready(),
        "stage": saved.stage(),
        "digest": saved.digest(),
    }


def run(*argv: str, stdin: str = "", timeout_s: float = _TIMEOUT_S) -> str:
    """Return what a program printed; raises CalledProcessError with what it said."""
    done = subprocess.run(argv, input=stdin, capture_output=True, text=True, timeout=timeout_s, check=True)
    return done.stdout


def ready() -> bool:
    """Whether the sidecar has its certificate and everything from istiod.

    Source: istio 1.29.1, pilot/cmd/pilot-agent/status/server.go: the agent's own view of its Envoy.
    """
    try:
        with urllib.request.urlopen(_READY, timeout=2) as answer:
            return answer.status == 200  # noqa: PLR2004 - OK
    except (urllib.error.URLError, OSError):
        return False


def _succeeds(*argv: str) -> bool:
    return subprocess.run(argv, capture_output=True, timeout=_TIMEOUT_S, check=False).returncode == 0


def _system() -> dict[str, str]:
    lines = Path("/etc/os-release").read_text().splitlines()
    known = {key: value.strip('"') for key, _, value in (line.partition("=") for line in lines)}
    architecture = run("dpkg", "--print-architecture").strip() if shutil.which("dpkg") else platform.machine()
    return {"id": known.get("ID", ""), "version": known.get("VERSION_ID", ""), "architecture": architecture}


def _systemd() -> int:
    """Return systemd's version; 0 where it is not what runs this computer."""
    if not Path("/run/systemd/system").is_dir():
        return 0
    return int(run("systemctl", "--version").split()[1])


def _addresses() -> list[str]:
    known = json.loads(run("ip", "-json", "-4", "address", "show"))
    return [found["local"] for link in known for found in link.get("addr_info", [])]


def _programs() -> dict[int, str]:
    """Return the name of a program by the inode of each socket that it has."""
    found: dict[int, str] = {}
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            name = (folder / "comm").read_text().strip()
            for link in (folder / "fd").iterdir():
                target = str(link.readlink())
                if target.startswith("socket:["):
                    found.setdefault(int(target[8:-1]), name)
        except OSError:  # it has ended since
            continue
    return found


def _accounts(number: int) -> dict[str, str]:
    """Return who has the sidecar's number, and which number has the sidecar's name: user and group each."""
    known = {
        "user": [item.pw_name for item in pwd.getpwall() if item.pw_uid == number],
        "group": [item.gr_name for item in grp.getgrall() if item.gr_gid == number],
        "user_number": [str(item.pw_uid) for item in pwd.getpwall() if item.pw_name == "istio-proxy"],
        "group_number": [str(item.gr_gid) for item in grp.getgrall() if item.gr_name == "istio-proxy"],
    }
    return {key: next(iter(values), "") for key, values in known.items()}


def tables() -> list[dict[str, Any]]:
    """Return the tables of nftables, those of iptables among them: how many rules, and whether they rewrite.

    Source: libnftables-json(5).
    """
    if shutil.which("nft") is None:
        return []
    known = json.loads(run("nft", "--json", "list", "ruleset"))["nftables"]
    found = {(item["table"]["family"], item["table"]["name"]): [0, False] for item in known if "table" in item}
    for item in known:
        if "rule" in item:
            found[item["rule"]["family"], item["rule"]["table"]][0] += 1
        if item.get("chain", {}).get("type") == "nat":
            found[item["chain"]["family"], item["chain"]["table"]][1] = True
    return [
        {"family": family, "table": name, "rules": rules, "rewrites": rewrites}
        for (family, name), (rules, rewrites) in sorted(found.items())
    ]


def _lines(path: Path) -> list[str]:
    return path.read_text().split() if path.exists() else []


def _resolver() -> dict[str, Any]:
    """Return who resolves names here, and which servers it asks. Source: systemd-resolved.service(8)."""
    own = Path("/run/systemd/resolve/resolv.conf")
    plain = Path("/etc/resolv.conf")
    is_resolved = own.exists() and "127.0.0.53" in _lines(plain)
    words = _lines(own if is_resolved else plain)
    servers = [words[at + 1] for at, word in enumerate(words[:-1]) if word == "nameserver"]
    return {"kind": "systemd-resolved" if is_resolved else "plain", "servers": servers}


def _reach(address: str, port: int) -> str:
    """Return why a connection does not come about; empty when it does."""
    try:
        socket.create_connection((address, port), timeout=_CONNECT_TIMEOUT_S).close()
    except OSError as error:
        return str(error)
    return ""
