"""`slipway explain ENV LINE`: why a proxy refused a request, from its access log."""

import json
import re
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import click

from slipway.cli import reaching, stacks

if TYPE_CHECKING:
    from slipway import reachability

_IDENTITY = re.compile(r"spiffe://[^/]+/ns/([^/]+)/sa/([^/]+)")
_MATCHED = re.compile(r"rbac_access_denied_matched_policy\[(.+?)\](?:$|[^\]])")
_RULE = re.compile(r"ns\[(.*?)\]-policy\[(.*?)\]-rule\[(\d+)\]")
# Source: Envoy documentation, access log response flags.
_FLAGS = {
    "NR": "no route matched the request",
    "UH": "no endpoint was there",
    "UF": "the connection to the endpoint failed",
    "UC": "the endpoint closed the connection",
    "UAEX": "the external authorizer refused",
    "NC": "the route leads to a service that the proxy does not know",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """What an access log says about one request; texts are empty where it says nothing."""

    caller: str
    callee: str
    port: int
    method: str
    path: str
    authority: str
    code: str
    details: str
    flags: str


@click.command()
@click.argument("environment")
@click.argument("line", required=False)
@reaching.options
@click.option("--json", "as_json", is_flag=True, help="Print the explanation as JSON.")
def explain(environment: str, line: str | None, *, where: reaching.Where, as_json: bool) -> None:
    """Explain LINE (or standard input), one JSON line of a proxy's access log as Slipway configures it.

    \b
    Says what the proxy said, and what the objects of ENVIRONMENT say about the same request.
    Exit codes as for can-i. Example: kubectl logs deploy/orders -c istio-proxy | tail -1 | slipway explain lab
    """
    from slipway import reachability
    from slipway.cli import asking, worlds

    read = parsed(line if line is not None else sys.stdin.read())
    with stacks.told(as_json=as_json):
        world = worlds.load(environment, where=where)
    found = reachability.decide(world, question(world, read))
    said = list(told(read))
    if as_json:
        click.echo(json.dumps({"proxy": said, "objects": found.to_plain()}, indent=2))
    else:
        for sentence in said:
            click.echo(f"the proxy said: {sentence}")
        click.echo(f"the objects say: {found.outcome.value}")
        for sentence in asking.answer_lines(found):
            click.echo(sentence)
    raise SystemExit(asking.EXIT_CODES[found.outcome])


def parsed(text: str) -> Line:
    """Return what a line says; raises click.UsageError for one that is no JSON object of an access log."""
    try:
        values: Any = json.loads(text.strip().splitlines()[-1] if text.strip() else "")
    except json.JSONDecodeError as error:
        raise click.UsageError(f"the line is not JSON ({error.msg}); Slipway's access logs are") from None
    if not isinstance(values, dict) or "callee" not in values or "local" not in values:
        raise click.UsageError("the line lacks `callee` and `local`: it is no access log as Slipway configures it")

    def text_of(name: str) -> str:
        value = values.get(name)
        return "" if value in (None, "-") else str(value)

    port = text_of("local").rpartition(":")[2]
    return Line(
        caller=text_of("caller"),
        callee=text_of("callee"),
        port=int(port) if port.isdigit() else 0,
        method=text_of("method"),
        path=text_of("path"),
        authority=text_of("authority"),
        code=text_of("code"),
        details=text_of("code_details") or text_of("connection_end"),
        flags=text_of("flags"),
    )


def question(world: "reachability.World", line: Line) -> "reachability.Question":
    """Return the request that a line is about; raises click.UsageError when the world lacks its parties."""
    from slipway import reachability

    callee = _workload(world, line.callee, "callee")
    source: reachability.Source = reachability.Plain(address="")
    if line.caller:
        source = _workload(world, line.caller, "caller")
    host, port = _service(world, callee, line.port)
    destination = callee if host is None else host
    address = (
        destination
        if isinstance(destination, reachability.Host)
        else reachability.WorkloadAddress(namespace=callee.namespace, name=callee.name)
    )
    return reachability.Question(
        source=source,
        destination=address,
        port=port,
        method=line.method or None,
        path=line.path or None,
        host=line.authority or None,
    )


def _workload(world: "reachability.World", identity: str, role: str) -> "reachability.Workload":
    from slipway import reachability

    match = _IDENTITY.search(identity)
    namespace, account = match.groups() if match else ("", "")
    for item in world.workloads:
        if (item.namespace, item.service_account) == (namespace, account):
            return reachability.Workload(namespace=item.namespace, name=item.name)
    raise click.UsageError(f"no workload of the environment has the identity of the {role}, `{identity}`")


def _service(
    world: "reachability.World", callee: "reachability.Workload", port: int
) -> tuple["reachability.Host | None", int]:
    """Return the service and its port that lead to a workload's port, or the port itself."""
    from slipway import reachability

    index = world.index_of[callee.namespace, callee.name]
    for service, item in reachability.leading_to(world, index, port):
        return reachability.Host(name=service.hostname), item.number
    return None, port


def told(line: Line) -> "list[str]":
    """Return what the proxy itself said about the request."""
    said = [f"{line.method} {line.path} answered {line.code}".strip() if line.code else "no answer"]
    if (match := _MATCHED.search(line.details)) is not None:
        rule = _RULE.search(match[1])
        if rule is None:
            said.append("no ALLOW policy has a rule that matches" if match[1] == "none" else f"policy {match[1]}")
        else:
            said.append(f"rule {rule[3]} of AuthorizationPolicy {rule[1]}/{rule[2]} denied it")
    said += [f"{_FLAGS[flag]} ({flag})" for flag in line.flags.split(",") if flag in _FLAGS]
    return said
