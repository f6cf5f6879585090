"""`slipway init ENV`: a declaration to start from."""

from pathlib import Path

import click

from slipway.cli import stacks

_MESH = """\
# yaml-language-server: $schema=schema/mesh.schema.json
# Who may call whom. Shared by all environments; whatever is not stated here is refused once a phase says so.
mesh: {name}
services:
  web:
    namespace: {name}
    ports: {{http: 8080}}                        # protocol: the port on which the workload listens
    calls:
      - {{service: api, http: ["GET /api/*"]}}   # methods and paths; leave `http` out to allow every request
      # - {{external: payments}}
  api:
    namespace: {name}
    ports: {{http: 8080}}
    # workload: {{labels: {{app: api}}, serviceAccount: api}}   # how its pods are found, where names differ
    # timeout: 5s
    # runsOn: [api-vm]                         # on a machine of the environment instead of in the cluster
# external:
#   payments: {{host: payments.example.com}}     # TLS by SNI through the egress gateway
# ingress:
#   shop: {{host: shop.example.com, routes: {{/: web}}}}
# tracing: {{zipkin: {{samplePercent: 1}}}}
"""
_ENVIRONMENT = """\
# yaml-language-server: $schema=schema/environment.schema.json
# What differs in this environment. The phases start open: nothing is refused before a runbook moves them.
platform: lab                                  # lab | azure | existing
revision: "1-29-1"
phase:
  mtls: permissive                             # permissive | strict
  egress: open                                 # open | observed | locked
  authorization: off                           # off | observed | enforced
# machines:
#   api-vm: {{address: 10.60.2.11}}
"""


@click.command()
@click.argument("environment")
@click.option("--mesh", "name", default="shop", show_default=True, help="The name of the mesh.")
def init(environment: str, *, name: str) -> None:
    r"""Write a commented declaration for ENVIRONMENT below `stacks/`; files that are there stay as they are.

    \b
    Example: slipway init prod --mesh shop && slipway check prod
    """
    from slipway.mesh import names, schema, shape

    for word in (environment, name):
        try:
            names.parse_label(word)
        except shape.Rejected as rejected:
            raise click.BadParameter(f"{rejected.sentence}; {rejected.hint}") from rejected
    folder = Path(stacks.FOLDER)
    texts = {
        folder / f"{environment}.yaml": _ENVIRONMENT.format(),
        folder / "schema" / "mesh.schema.json": schema.to_json(schema.mesh_schema()),
        folder / "schema" / "environment.schema.json": schema.to_json(schema.environment_schema()),
    }
    if not (folder / "mesh").is_dir():
        texts[folder / "mesh.yaml"] = _MESH.format(name=name)
    for path, text in sorted(texts.items()):
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            with path.open("x", encoding="utf-8") as file:
                file.write(text)
        except FileExistsError:
            click.echo(f"{path}: is there already, left as it is", err=True)
        else:
            click.echo(f"{path}: written", err=True)
