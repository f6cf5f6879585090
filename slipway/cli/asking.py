"""What the commands of reachability share: names as people write them, answers as text and JSON."""

import ipaddress
from collections.abc import Iterable

import click

from slipway import reachability
from slipway.diagnostics import wording

OUTSIDE = "outside"
EXIT_ALLOWED = 0
EXIT_DENIED = 1
EXIT_UNKNOWN = 3
EXIT_CODES = {
    reachability.Outcome.ALLOWED: EXIT_ALLOWED,
    reachability.Outcome.DENIED: EXIT_DENIED,
    reachability.Outcome.UNKNOWN: EXIT_UNKNOWN,
}


def source(world: reachability.World, text: str) -> reachability.Workload | reachability.Plain | reachability.Outside:
    """Return the caller that ``text`` names; raises click.UsageError with the nearest name for one that is none."""
    if text == OUTSIDE:
        return reachability.Outside()
    if text.startswith(f"{OUTSIDE}:"):
        return reachability.Outside(gateway=text.removeprefix(f"{OUTSIDE}:"))
    if _is_address(text):
        return reachability.Plain(address=text)
    namespace, name = _workload(world, text)
    return reachability.Workload(namespace=namespace, name=name)


def _workload(world: reachability.World, text: str) -> tuple[str, str]:
    namespace, slash, name = text.partition("/")
    if slash and (namespace, name) in world.index_of:
        return namespace, name
    found = [] if slash else [item for item in world.workloads if item.name == text]
    if len(found) == 1:
        return found[0].namespace, found[0].name
    known = [f"{item.namespace}/{item.name}" for item in world.workloads]
    if found:
        several = wording.listed(f"{item.namespace}/{item.name}" for item in found)
        raise click.UsageError(f"{wording.quoted(text)} could be any of {several}")
    near = wording.nearest(text, known) or wording.nearest(text, (item.name for item in world.workloads))
    hint = f"; did you mean {wording.quoted(near)}?" if near else ""
    raise click.UsageError(f"there is no workload {wording.quoted(text)}{hint}; known: {wording.listed(known)}")


def destination(
    world: reachability.World, text: str, *, caller: reachability.Workload | None
) -> reachability.Host | reachability.WorkloadAddress | reachability.External:
    """Return the destination that ``text`` names: a host, ``namespace/name`` of a Service or workload, an address."""
    if _is_address(text):
        return reachability.External(address=text)
    namespace, slash, name = text.partition("/")
    if slash:
        service = f"{name}.{namespace}.svc.cluster.local"
        if service in world.services_by_host:
            return reachability.Host(name=service)
        found = _workload(world, text)
        return reachability.WorkloadAddress(namespace=found[0], name=found[1])
    if "." not in text:
        namespaces = sorted({item.namespace for item in world.services if item.kubernetes and item.key.name == text})
        own = caller is not None and caller.namespace in namespaces
        if len(namespaces) == 1 or own:
            place = caller.namespace if own and caller is not None else namespaces[0]
            return reachability.Host(name=f"{text}.{place}.svc.cluster.local")
        known = {item.key.name for item in world.services if item.kubernetes}
        near = wording.nearest(text, known)
        hint = f"; did you mean {wording.quoted(near)}?" if near else ""
        raise click.UsageError(f"there is no service {wording.quoted(text)}{hint}; known: {wording.listed(known)}")
    full = (text, f"{text}.svc.cluster.local", f"{text}.cluster.local")
    return reachability.Host(name=next((name for name in full if name in world.services_by_host), text))


def only_port(world: reachability.World, found: object) -> int:
    """Return the one port of the service called; raises click.UsageError when it has several or none."""
    services = world.services_by_host.get(found.name, []) if isinstance(found, reachability.Host) else []
    ports = sorted({port.number for item in services for port in item.ports})
    if len(ports) == 1:
        return ports[0]
    known = wording.listed(map(str, ports))
    raise click.UsageError(f"state --port: the destination has {known if ports else 'no port that is known'}")


def _is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True


def answer_lines(item: reachability.Answer) -> Iterable[str]:
    """Return the lines that explain an answer."""
    key = item.decided_by.object
    origin = f" ({key.origin})" if key is not None and key.origin else ""
    yield f"  decided by: {item.decided_by}{origin}"
    yield f"  client sees: {item.seen.value}"
    for reason in item.reasons:
        yield f"  because: {reason}"
