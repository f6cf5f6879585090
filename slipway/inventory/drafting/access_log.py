"""Access logs of sidecars and gateways as calls: JSON lines with our labels, and Istio's default text."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

_SCHEME = "spiffe://"
_DENIED = (
    "rbac_access_denied"  # Source: envoyproxy/envoy 1.37 source/extensions/filters/common/rbac, response details
)
_INBOUND, _OUTBOUND = "inbound|", "outbound|"
_WORD = re.compile(r'"([^"]*)"|\[([^\]]*)\]|(\S+)')
# Source: istio/istio 1.29.1 pilot/pkg/model/telemetry_logging.go, EnvoyTextLogFormat.
_TEXT = (
    *("start_time", "request", "code", "flags", "code_details", "connection_end", "failure"),
    *("bytes_received", "bytes_sent", "duration_ms", "upstream_time", "forwarded", "agent", "trace"),
    *("authority", "upstream_host", "upstream_cluster", "upstream_local", "local", "remote", "sni", "route"),
)


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class Seen:
    """One kind of call that was answered.

    ``caller`` is an identity (``spiffe://...``), or an address where the log has none; ``callee`` likewise;
    ``address`` is the caller's in any case, ``port`` the workload's. Of a call that leaves through a gateway ``host``
    is the outside host and ``port`` its own. ``method`` is empty for a connection.
    """

    caller: str
    callee: str
    address: str
    port: int
    method: str = ""
    path: str = ""
    host: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Log:
    """What a log tells: calls, and how many lines were passed over by reason."""

    seen: frozenset[Seen]
    passed_over: Mapping[str, int]


def read(text: str) -> Log:
    """Return the calls of a log; other lines among them are counted and passed over.

    Calls are taken from the server's side, where Envoy knows the caller by its certificate. Refused ones are none.
    """
    seen: set[Seen] = set()
    reasons: dict[str, int] = {}
    for line in filter(None, map(str.strip, text.splitlines())):
        entry = _json(line) if line.startswith("{") else _text(line)
        found = "not an access log" if entry is None else _seen(entry)
        if isinstance(found, Seen):
            seen.add(found)
        else:
            reasons[found] = reasons.get(found, 0) + 1
    return Log(seen=frozenset(seen), passed_over=dict(sorted(reasons.items())))


def _json(line: str) -> Mapping[str, str] | None:
    try:
        found: Any = json.loads(line)
    except ValueError:
        return None
    if not isinstance(found, dict) or "upstream_cluster" not in found:
        return None
    return {str(key): "" if value is None else str(value) for key, value in found.items()}


def _text(line: str) -> Mapping[str, str] | None:
    words = [next((group for group in match.groups() if group is not None), "") for match in _WORD.finditer(line)]
    if len(words) != len(_TEXT):
        return None
    entry = {key: "" if word == "-" else word for key, word in zip(_TEXT, words, strict=True)}
    request = entry["request"].split(" ")
    method, path = (request[0], request[1]) if len(request) == 3 else ("", "")  # noqa: PLR2004 - method, path, protocol
    return {**entry, "method": method, "path": path.partition("?")[0]}


def _seen(entry: Mapping[str, str]) -> Seen | str:
    cluster, method = entry.get("upstream_cluster", ""), entry.get("method", "")
    address = _address(entry.get("remote", ""))
    caller = entry.get("caller") or address
    if _DENIED in f"{entry.get('code_details')} {entry.get('connection_end')}":
        return "refused by policy"
    if not entry.get("upstream_host"):
        return "answered by nobody"
    if cluster.startswith(_INBOUND):
        port = _port(entry.get("local", ""))
        callee = entry.get("callee") or _address(entry.get("local", ""))
        if not caller or not callee or port is None:
            return "without caller or callee"
        path = entry.get("path", "")
        return Seen(caller=caller, callee=callee, address=address, port=port, method=method, path=path)
    if cluster.startswith(_OUTBOUND) and entry.get("caller", "").startswith(_SCHEME):
        _, number, _, host = (cluster.split("|") + [""] * 4)[:4]
        port = int(number) if number.isdigit() else 0
        return Seen(caller=caller, callee="", address=address, port=port, host=host)
    return "the client's side of a call"


def _address(text: str) -> str:
    return text.rpartition(":")[0].strip("[]")


def _port(text: str) -> int | None:
    number = text.rpartition(":")[2]
    return int(number) if number.isascii() and number.isdigit() else None
