"""`slipway can-i ENV --from X --to Y`: whether a call is allowed, what decides, and what the client sees."""

import json

import click

from slipway.cli import reaching, stacks


@click.command(name="can-i")
@click.argument("environment")
@click.option("--from", "caller", required=True, help="Workload (namespace/name or name), IP address, or `outside`.")
@click.option("--to", "callee", required=True, help="Service, host, namespace/name, or IP address.")
@click.option("--port", type=click.IntRange(1, 65535), help="Port dialled; default: the only one of the service.")
@click.option("--method", help="HTTP method; without method and path every kind of request is asked.")
@click.option("--path", help="HTTP path, with query if any.")
@click.option("--host", help="Host header, when it differs from the name called.")
@click.option("--header", "headers", multiple=True, help="Header as `name: value`; may be repeated.")
@click.option("--sni", help="The client speaks TLS of its own with this server name.")
@reaching.options
@click.option("--json", "as_json", is_flag=True, help="Print the answers as JSON.")
def can_i(
    environment: str,
    caller: str,
    callee: str,
    *,
    port: int | None,
    method: str | None,
    path: str | None,
    host: str | None,
    headers: tuple[str, ...],
    sni: str | None,
    where: reaching.Where,
    as_json: bool,
) -> None:
    """Say whether a call is allowed in ENVIRONMENT, by which object and rule, at which hop.

    \b
    ENVIRONMENT is an environment, a folder of manifests, git:REVISION:ENVIRONMENT, or live.
    Exit code 0 allowed, 1 denied, 2 bad input, 3 unknown.
    Example: slipway can-i lab --from storefront --to orders --method POST --path /api/orders
    """
    from slipway import reachability
    from slipway.cli import asking, worlds

    with stacks.told(as_json=as_json):
        world = worlds.load(environment, where=where)
    source = asking.source(world, caller)
    own = source if isinstance(source, reachability.Workload) else None
    destination = asking.destination(world, callee, caller=own)
    question = reachability.Question(
        source=source,
        destination=destination,
        port=port if port is not None else asking.only_port(world, destination),
        method=method,
        path=path,
        host=host,
        headers=tuple(_header(item) for item in headers),
        sni=sni,
    )
    answers = reachability.decide_kinds(world, question)
    if as_json:
        found = [{"request": label, **item.to_plain()} for label, item in answers]
        click.echo(json.dumps(found, indent=2))
    else:
        for label, item in answers:
            click.echo(f"{item.outcome.value}: {source} -> {destination} port {question.port} {label}".rstrip())
            for line in asking.answer_lines(item):
                click.echo(line)
    outcomes = {item.outcome for _, item in answers}
    order = (reachability.Outcome.ALLOWED, reachability.Outcome.UNKNOWN, reachability.Outcome.DENIED)
    raise SystemExit(next(asking.EXIT_CODES[item] for item in order if item in outcomes))


def _header(text: str) -> tuple[str, str]:
    name, colon, value = text.partition(":")
    if not colon or not name.strip():
        raise click.UsageError(f"a header is written `name: value`, not `{text}`")
    return name.strip().lower(), value.strip()
