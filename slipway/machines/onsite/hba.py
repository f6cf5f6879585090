# ruff: noqa: INP001 - part of a program for another computer, not of the toolkit
"""PostgreSQL's access by address, for clients that come through the sidecar: their address is then the sidecar's.

Each line that lets clients of some network in is repeated, directly behind itself, for the sidecar's own address;
nothing else is changed, and the repeated lines carry a mark by which they are taken out again. Passwords and
certificates are asked for as before. Only the sidecar can send from that address: the guard sees to it.

Source: PostgreSQL documentation, "The pg_hba.conf File"; istio 1.29.1, pilot/pkg/networking/util
`InboundPassthroughBindIpv4`.
"""

import re
from pathlib import Path

SIDECAR = "127.0.0.6/32"
MARK = "# slipway: through the sidecar"
CONFIGURATION = Path("/etc/postgresql")
_KINDS = frozenset({"host", "hostssl", "hostnossl", "hostgssenc", "hostnogssenc"})
_EVERYBODY = frozenset({"all", "0.0.0.0/0", "::/0", "::0/0"})  # the sidecar's address is among them, or is IPv6
_LOCAL = re.compile(r"127\.|::1(/|$)|localhost$|samehost$|samenet$")
_WORD = re.compile(r'(?:"[^"]*"|[^\s"#])+')
_NETMASK = re.compile(r"[0-9]+(\.[0-9]+){3}")
_LEAST = 5  # kind, databases, users, address, method


def files() -> list[Path]:
    """Return the access file of each cluster, as Debian's packages lay them out."""
    return sorted(CONFIGURATION.glob("*/*/pg_hba.conf"))


def extended(text: str) -> str:
    """Return an access file with lines for the sidecar; what was added before is made anew."""
    lines: list[str] = []
    for line in without(text).splitlines(keepends=True):
        lines.append(line if line.endswith("\n") else line + "\n")
        words = _words(line)
        if words and words[-1] != "reject" and _is_of_a_network(words):
            lines.append(" ".join((*words[:3], SIDECAR, *_behind_address(words), MARK)) + "\n")
    return "".join(lines)


def without(text: str) -> str:
    """Return an access file without the lines that :func:`extended` added."""
    return "".join(line for line in text.splitlines(keepends=True) if MARK not in line)


def refusals(text: str) -> list[str]:
    """Return the lines that refuse clients by their address, which nobody can tell behind the sidecar."""
    found = ((line.strip(), _words(line)) for line in without(text).splitlines())
    return [line for line, words in found if words and "reject" in words[4:6] and _is_of_a_network(words)]


def _words(line: str) -> list[str]:
    words = _WORD.findall(line.split("#", maxsplit=1)[0] if '"' not in line else line)
    return words if len(words) >= _LEAST and words[0] in _KINDS else []


def _is_of_a_network(words: list[str]) -> bool:
    address = words[3]
    if address == "0.0.0.0" and words[4] == "0.0.0.0":  # noqa: S104 - a line's address and mask, nothing listens
        return False
    return address not in _EVERYBODY and not _LOCAL.match(address) and ":" not in address


def _behind_address(words: list[str]) -> list[str]:
    return words[5:] if "/" not in words[3] and _NETMASK.fullmatch(words[4]) else words[4:]
