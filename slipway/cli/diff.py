"""`slipway diff A B`: the calls that a change gains and loses."""

import json
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import click

from slipway.cli import stacks

if TYPE_CHECKING:
    from slipway import reachability

_DIFFERENT = 1


@click.command()
@click.argument("before")
@click.argument("after")
@click.option("--kubeconfig", default="", help="For `live`: default KUBECONFIG, then ~/.kube/config.")
@click.option("--context", default="", help="For `live`: context of the kubeconfig.")
@click.option("--json", "as_json", is_flag=True, help="Print the difference as JSON.")
def diff(before: str, after: str, *, kubeconfig: str, context: str, as_json: bool) -> None:
    r"""Print the calls that AFTER allows and BEFORE does not, those lost, and those with another transport.

    \b
    Both are sources as for can-i; git:REVISION means the other side's environment.
    Exit code 0 without a difference, 1 with one. Example: slipway diff git:HEAD~1 lab
    """
    from slipway import reachability
    from slipway.cli import worlds

    with stacks.told(as_json=as_json):
        environment = next((item for item in (before, after) if ":" not in item and item != worlds.LIVE), "")
        where = worlds.Where(environment=environment, kubeconfig=kubeconfig, context=context)
        first, second = worlds.load(before, where=where), worlds.load(after, where=where)
    found = reachability.diff(first, second)
    if as_json:
        groups = (("gained", found.gained), ("lost", found.lost), ("changed", found.changed))
        click.echo(json.dumps({name: [_plain(item) for item in changes] for name, changes in groups}, indent=2))
    else:
        click.echo(text(found), nl=False)
    raise SystemExit(_DIFFERENT if found else 0)


def text(found: "reachability.Difference") -> str:
    """Return the difference for people, grouped by the namespace of the service called."""
    if not found:
        return "no call is gained, lost or changed\n"
    lines: list[str] = []
    for title, changes in (("gained", found.gained), ("lost", found.lost), ("changed", found.changed)):
        lines += _section(title, changes)
    return "".join(f"{line}\n" for line in lines)


def _section(title: str, changes: Iterable["reachability.Change"]) -> Iterable[str]:
    items = sorted(changes, key=lambda item: (item.destination, item.kind, item.sources))
    if not items:
        return
    yield f"{title}:"
    last = ""
    for item in items:
        if item.destination.namespace != last:
            last = item.destination.namespace
            yield f"  called in {last}:"
        place = f"{item.destination.host}:{item.destination.port} {item.kind}".rstrip()
        yield f"    {', '.join(item.sources)} -> {place}"
        yield f"      before: {_told(item.before)}"
        yield f"      after:  {_told(item.after)}"


def _told(item: "reachability.Answer | None") -> str:
    if item is None:
        return "there is no such service or caller"
    return f"{item.outcome.value} ({item.transport.value}), {item.decided_by}: {item.reasons[-1]}"


def _plain(item: "reachability.Change") -> dict[str, Any]:
    from slipway.cli import asking

    return {
        "sources": list(item.sources),
        "host": item.destination.host,
        "port": item.destination.port,
        "namespace": item.destination.namespace,
        "request": item.kind,
        "before": None if item.before is None else asking.answer_to_plain(item.before),
        "after": None if item.after is None else asking.answer_to_plain(item.after),
    }
