"""Many requests as the few clauses that hold them: what looks like an identifier becomes ``{*}``."""

import re
from collections.abc import Iterable

from slipway.mesh import requests
from slipway.mesh.shape import Rejected

_ALIKE = 4  # so many different words in one place are values of something, not parts of an interface
_SEGMENT = re.compile(r"[A-Za-z0-9\-._~!$&'()+,;=:@]+")
_NUMBER = re.compile(r"[0-9]+")
_UUID = re.compile(r"[0-9a-fA-F]{8}-([0-9a-fA-F]{4}-){3}[0-9a-fA-F]{12}")
_LONG = re.compile(r"(?=.*[0-9])[0-9A-Za-z_-]{16,}")
_CODE = re.compile(r"[A-Za-z]{0,4}[-_]?[0-9]{3,}")


def clauses(seen: Iterable[tuple[str, str]]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return clauses as ``METHOD /path`` that hold all of ``seen``, and requests that no clause can express; sorted.

    A segment that is a number, a UUID or the like becomes ``{*}``, and so does one that has four values or more in
    otherwise equal paths. Prefixes are never widened.
    """
    requested = set(seen)
    shapes = {(method, _shape(path)) for method, path in requested if path.startswith("/")}
    for place in range(max((len(parts) for _, parts in shapes), default=0)):
        shapes = _merged(shapes, place)
    said: set[str] = set()
    unsaid = {f"{method} {path}" for method, path in requested if not path.startswith("/")}
    for method, parts in shapes:
        text = f"{method} /{'/'.join(parts)}"
        try:
            said.add(requests.parse(text))
        except Rejected:
            unsaid.add(text)
    return tuple(sorted(said, key=_by_path)), tuple(sorted(unsaid))


def grpc(clause: str) -> str | None:
    """Return a clause as a gRPC method, or None when it is none."""
    method, _, path = clause.partition(" ")
    try:
        return requests.parse_grpc(path.removeprefix("/")) if method == "POST" else None
    except Rejected:
        return None


def _by_path(clause: str) -> tuple[str, str]:
    method, _, path = clause.partition(" ")
    return path, method


def _shape(path: str) -> tuple[str, ...]:
    plain = re.split(r"[?#]", path, maxsplit=1)[0].removeprefix("/")
    return tuple(requests.ONE_SEGMENT if _is_value(part) else part for part in plain.split("/"))


def _is_value(segment: str) -> bool:
    if not segment or segment in {".", ".."}:
        return False  # left as it is: the declaration refuses it, and the draft says so
    odd = not _SEGMENT.fullmatch(segment)
    return odd or any(pattern.fullmatch(segment) for pattern in (_NUMBER, _UUID, _LONG, _CODE))


def _merged(shapes: set[tuple[str, tuple[str, ...]]], place: int) -> set[tuple[str, tuple[str, ...]]]:
    """Return ``shapes`` with many words in one place made ``{*}``; a value there takes the words beside it along."""
    groups: dict[tuple[str, tuple[str, ...], tuple[str, ...]], set[str]] = {}
    for method, parts in shapes:
        if place < len(parts):
            groups.setdefault((method, parts[:place], parts[place + 1 :]), set()).add(parts[place])
    found = {(method, parts) for method, parts in shapes if place >= len(parts)}
    for (method, before, after), words in groups.items():
        apart = words & {"", ".", ".."}  # no single segment stands for these
        alike = words - apart
        single = len(alike) >= _ALIKE or (requests.ONE_SEGMENT in alike and len(alike) > 1)
        for word in apart | ({requests.ONE_SEGMENT} if single else alike):
            found.add((method, (*before, word, *after)))
    return found
