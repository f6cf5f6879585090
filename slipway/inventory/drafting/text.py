"""A draft as the two files of a declaration, every guess marked by a comment."""

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence

from slipway.inventory.drafting import addresses, parts, paths
from slipway.manifests import scalars

_PLAIN = re.compile(r"[A-Za-z/][A-Za-z0-9/._-]*")
_WIDE = 110
_DEFAULT_PORTS = {"tls": 443, "http": 80}
_MESH_HEAD = """\
# yaml-language-server: $schema=schema/mesh.schema.json
# A first draft by `slipway init --from-cluster`: who may call whom, as far as the cluster and its logs showed it.
# A call that was not seen is not here, and is refused once calls are enforced: read every line before that.
"""
_ENVIRONMENT_HEAD = """\
# yaml-language-server: $schema=schema/environment.schema.json
# A first draft by `slipway init --from-cluster`. The phases start open: nothing is refused before they move.
platform: existing
"""


def mesh(
    *,
    name: str,
    services: Sequence[parts.Service],
    externals: Iterable[parts.External],
    calls: parts.Calls,
    remarks: Iterable[str],
) -> str:
    """Return ``mesh.yaml``."""
    hosts = {item.host: item for item in externals}
    lines = [f"# {_comment(remark)}" for remark in remarks]
    lines += [f"mesh: {name}", "services:" if services else "services: {}"]
    by_caller: dict[str, list[parts.Link]] = {}
    for link in calls.links():
        by_caller.setdefault(link.caller, []).append(link)
    by_name = {item.name: item for item in services}
    for service in services:
        lines += _service(service)
        outside = sorted(hosts[host].name for caller, host in calls.outside if caller == service.name)
        lines += _calls(by_caller.get(service.name, []), outside, by_name, calls)
    if hosts:
        lines.append("external:")
        lines += [f"  {item.name}: {_flow(_external(item))}" for item in sorted(hosts.values(), key=_name)]
    return _MESH_HEAD + "".join(f"{line}\n" for line in lines)


def environment(
    *,
    revision: str,
    revision_remark: str,
    trust_domain: str,
    mtls: str,
    exceptions: Sequence[str],
    plan: Iterable[addresses.Line],
) -> str:
    """Return ``<environment>.yaml``; ``exceptions`` are namespaces that stand at the other position of ``mtls``.

    ``trust_domain`` is empty where it is the default.
    """
    other = "permissive" if mtls == "strict" else "strict"
    position = f"{{default: {mtls}, {other}: {_list(exceptions)}}}" if exceptions else mtls
    lines = [
        f"revision: {_scalar(revision)}" + (f"  # {revision_remark}" if revision_remark else ""),
        *([f"trustDomain: {_scalar(trust_domain)}  # as its istiod is configured"] if trust_domain else []),
        "phase:",
        f"  mtls: {position}",
        "  egress: open",
        "  authorization: off",
        "network:",
        *(f"  {line.key}: {line.value}  # guessed: {line.why}" for line in plan),
    ]
    return _ENVIRONMENT_HEAD + "".join(f"{line}\n" for line in lines)


def _name(item: parts.External) -> str:
    return item.name


def _service(item: parts.Service) -> Iterator[str]:
    yield f"  {item.name}:"
    yield from (f"    # {_comment(remark)}" for remark in item.remarks)
    yield f"    namespace: {_scalar(item.namespace)}"
    workload: dict[str, object] = {}
    if dict(item.labels) != {"app": item.name}:
        workload["labels"] = dict(sorted(item.labels.items()))
    if item.account != item.name:
        workload["serviceAccount"] = item.account
    if item.kubernetes_service not in {"", item.name}:
        workload["service"] = item.kubernetes_service
    if workload:
        yield f"    workload: {_flow(workload)}"
    for port in item.ports:
        if port.guess:
            yield f"    # guessed: port {port.service} is {port.protocol}, because {_comment(port.guess)}"
    if item.ports:
        yield f"    ports: {_flow({port.key: _port(port) for port in item.ports})}"
    if item.foreign_traffic:
        yield "    traffic: external  # there are routes already"


def _port(port: parts.Port) -> object:
    stated: dict[str, object] = {} if port.key == port.protocol else {"protocol": port.protocol}
    if not stated and port.number == port.service:
        return port.number
    stated["port"] = port.number
    return {**stated, **({} if port.number == port.service else {"service": port.service})}


def _calls(
    links: Sequence[parts.Link], outside: Sequence[str], services: Mapping[str, parts.Service], calls: parts.Calls
) -> Iterator[str]:
    if links or outside:
        yield "    calls:"
    for link in links:
        yield from _call(link, services[link.callee], calls)
    yield from (f"      - {{external: {name}}}" for name in outside)


def _call(link: parts.Link, callee: parts.Service, calls: parts.Calls) -> Iterator[str]:
    stated: dict[str, object] = {"service": link.callee}
    if len(callee.ports) > 1:
        stated["port"] = link.port
    said, unsaid = paths.clauses(calls.seen.get(link, ()))
    for request in unsaid:
        yield f"      # seen, and not to be said as a clause: {_comment(request)}"
    clauses = sorted({*said, *calls.stated.get(link, ())}, key=lambda text: text.split(" ")[::-1])
    if link in calls.every:
        clauses = []
    elif not clauses:
        yield f"      # left out: no request to {link.callee} can be said as a clause"
        return
    protocol = next(port.protocol for port in callee.ports if port.key == link.port)
    methods = [paths.grpc(clause) for clause in clauses]
    if protocol == "grpc" and clauses and None not in methods:
        stated["grpc"] = methods
    elif clauses:
        stated["http"] = clauses
    line = f"      - {_flow(stated)}"
    if len(line) <= _WIDE:
        yield line
        return
    key = "grpc" if "grpc" in stated else "http"
    yield from (
        f"      {'- ' if first else '  '}{name}: {_flow(value)}" for first, (name, value) in _listed(stated, key)
    )
    yield f"        {key}:"
    yield from (f"          - {_scalar(str(clause))}" for clause in (methods if key == "grpc" else clauses))


def _listed(stated: Mapping[str, object], but: str) -> Iterator[tuple[bool, tuple[str, object]]]:
    for index, (name, value) in enumerate((name, value) for name, value in stated.items() if name != but):
        yield index == 0, (name, value)


def _external(item: parts.External) -> dict[str, object]:
    found: dict[str, object] = {"host": item.host}
    if item.protocol != "tls":
        found["protocol"] = item.protocol
    if item.port != _DEFAULT_PORTS.get(item.protocol):
        found["port"] = item.port
    return {**found, **({"addresses": list(item.addresses)} if item.addresses else {})}


def _flow(value: object) -> str:
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{_scalar(str(key))}: {_flow(item)}" for key, item in value.items()) + "}"
    if isinstance(value, Sequence) and not isinstance(value, str):
        return _list(value)
    return str(value) if isinstance(value, int) else _scalar(str(value))


def _list(values: Sequence[object]) -> str:
    return "[" + ", ".join(_flow(item) for item in values) + "]"


def _scalar(text: str) -> str:
    """Return a text as every YAML reader reads it."""
    readings = (scalars.resolve(text), scalars.resolve_for_kubernetes(text))
    plain = _PLAIN.fullmatch(text) and all(isinstance(item, str) for item in readings)
    return text if plain and scalars.ambiguity(text) is None else json.dumps(text, ensure_ascii=True)


def _comment(text: str) -> str:
    """Return ``text`` fit for a comment: on one line, whatever it quotes."""
    return text if text.isprintable() else text.encode("unicode_escape").decode("ascii")
