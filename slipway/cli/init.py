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
_HEAD = """\
# yaml-language-server: $schema=schema/environment.schema.json
# What differs in this environment. The phases start open: nothing is refused before a runbook moves them.
"""
_LAB = """\
platform: lab                                  # lab | azure | existing
revision: "1-29-1"
"""
_AZURE = """\
platform: azure
revision: "1-29-1"
azure:
{stacks}  region: westeurope
  kubernetes: "1.34"
  admins: [00000000-0000-0000-0000-000000000000]   # yours: az ad group show --group NAME --query id
  # machines:                                  # where there are any: docs/azure.md
  #   image: publisher:offer:sku:version
  #   sidecar: {{url: "file:///opt/packages/istio-sidecar.deb", sha256: ...}}
  #   adminKey: ssh-ed25519 ...
network:                                       # networks that nothing else has which this one is connected to
  infrastructure: 10.20.0.0/24                 # load balancers, private endpoints, the API server
  machines: 10.20.1.0/24
  nodes: 10.20.2.0/24
  pods: 10.20.8.0/21
  services: 10.21.0.0/16
"""
_EXISTING = """\
platform: existing                             # a cluster that runs Istio already, and where it stays as it is
revision: "1-29-1"                             # as the label `istio.io/rev`; `default` for an istiod without one
network:                                       # kubectl get nodes,pods,services -A -o wide
  nodes: 10.20.2.0/24
  pods: 10.20.8.0/21
  services: 10.21.0.0/16
  # ingress: 10.20.0.4                         # with `ingress` in mesh.yaml: the gateway's load balancer
  # machines: 10.20.1.0/24                     # with machines, and then these three too: docs/onboarding.md
  # resolver: 10.20.0.10
  # metadata: 169.254.169.254
  # controlPlane: 10.20.0.5
"""
_TWO_STACKS = """\
  stacks: two                                  # {environment}-platform: what is Azure's; {environment}: the mesh
"""
_BEGINNINGS = {"lab": _LAB, "azure": _AZURE, "existing": _EXISTING}
_PHASES = """\
phase:
  mtls: permissive                             # permissive | strict
  egress: open                                 # open | observed | locked
  authorization: off                           # off | observed | enforced
# machines:
#   api-vm: {{address: {machine}}}
"""
_MACHINES = {"lab": "10.60.2.11", "azure": "10.20.1.11", "existing": "10.20.1.11"}


_KINDS = (
    *(("v1", kind) for kind in ("Namespace", "Node", "Pod", "Service")),
    *(("apps/v1", kind) for kind in ("Deployment", "StatefulSet", "DaemonSet")),
    *(("batch/v1", kind) for kind in ("Job", "CronJob")),
    *(
        ("networking.istio.io/v1", kind)
        for kind in (
            *("DestinationRule", "Gateway", "ServiceEntry", "Sidecar", "VirtualService"),
            *("WorkloadEntry", "WorkloadGroup"),
        )
    ),
    ("networking.istio.io/v1alpha3", "EnvoyFilter"),
    ("networking.istio.io/v1beta1", "ProxyConfig"),
    *(
        ("security.istio.io/v1", kind)
        for kind in ("AuthorizationPolicy", "PeerAuthentication", "RequestAuthentication")
    ),
    ("telemetry.istio.io/v1", "Telemetry"),
    ("extensions.istio.io/v1alpha1", "WasmPlugin"),
)


@click.command()
@click.argument("environment")
@click.option("--mesh", "name", default="shop", show_default=True, help="The name of the mesh.")
@click.option(
    "--platform",
    type=click.Choice([*_BEGINNINGS]),
    default="lab",
    show_default=True,
    help="Where the environment runs; not for --from-cluster.",
)
@click.option(
    "--stacks",
    "count",
    type=click.Choice(["one", "two"]),
    default="one",
    show_default=True,
    help="On Azure: two, where the mesh is applied by people without rights in Azure.",
)
@click.option("--from-cluster", is_flag=True, help="Draft it from what runs in a cluster, which is only read.")
@click.option("--kubeconfig", default="", help="For --from-cluster: default KUBECONFIG, then ~/.kube/config.")
@click.option("--context", default="", help="For --from-cluster: context of the kubeconfig.")
@click.option(
    "--namespace", "namespaces", multiple=True, metavar="NAME", help="For --from-cluster: only this one; repeatable."
)
@click.option(
    "--access-log",
    "logs",
    multiple=True,
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    help="For --from-cluster: an access log of sidecars, whose calls are drafted; repeatable.",
)
def init(
    environment: str,
    *,
    name: str,
    platform: str,
    count: str,
    from_cluster: bool,
    kubeconfig: str,
    context: str,
    namespaces: tuple[str, ...],
    logs: tuple[Path, ...],
) -> None:
    """Write a commented declaration for ENVIRONMENT below `stacks/`; files that are there stay as they are.

    \b
    With --from-cluster it is a first draft: Services, workloads and ServiceAccounts become services, policies and
    access logs (JSON lines as Slipway's sidecars write them, or Istio's default text) become calls. What becomes of
    each Istio object is printed: taken over, left alone, or in the way.
    Examples: slipway init prod --mesh shop && slipway check prod
              slipway init prod --mesh shop --platform azure --stacks two
              slipway init prod --mesh shop --platform existing && slipway check prod --live
              kubectl logs -n shop -l app=orders -c istio-proxy --tail=-1 > orders.log
              slipway init prod --mesh shop --from-cluster --access-log orders.log
    """
    _check_names(environment, name)
    if not from_cluster and (namespaces or logs or kubeconfig or context):
        raise click.UsageError("--kubeconfig, --context, --namespace and --access-log go with --from-cluster")
    if count == "two" and platform != "azure":
        raise click.UsageError("--stacks two goes with --platform azure")
    beginning = _HEAD + _BEGINNINGS[platform] + _PHASES
    mesh, stated = (
        _MESH.format(name=name),
        beginning.format(
            machine=_MACHINES[platform], stacks=_TWO_STACKS.format(environment=environment) if count == "two" else ""
        ),
    )
    if from_cluster:
        mesh, stated = _drafted(name, kubeconfig=kubeconfig, context=context, namespaces=namespaces, logs=logs)
    _write(environment, mesh, stated)


def _check_names(*words: str) -> None:
    from slipway.mesh import names, shape

    for word in words:
        try:
            names.parse_label(word)
        except shape.Rejected as rejected:
            raise click.BadParameter(f"{rejected.sentence}; {rejected.hint}") from rejected


def _drafted(
    name: str, *, kubeconfig: str, context: str, namespaces: tuple[str, ...], logs: tuple[Path, ...]
) -> tuple[str, str]:
    """Return the two files of a draft, and print what becomes of what is there."""
    from slipway.cli import clusters
    from slipway.inventory import reading
    from slipway.inventory.drafting import access_log, draft
    from slipway.world import live

    cluster = clusters.connect(kubeconfig=kubeconfig, context=context)
    objects = live.read(cluster, _KINDS)
    settings, unread = clusters.mesh_configs(cluster)
    seen = access_log.read("\n".join(path.read_text(encoding="utf-8", errors="replace") for path in logs))
    found = draft.draft(reading.read((*objects, *settings)), seen, mesh=name, namespaces=namespaces)
    for note in found.notes:
        place = f"{note.namespace}/{note.name}" if note.namespace else note.name
        click.echo(f"{note.verdict.value}: {note.kind} {place}: {note.reason}")
    for remark in found.remarks:
        click.echo(f"not placed: {remark}")
    if unread:
        click.echo(f"not read: the trust domain, which is taken for cluster.local: {unread}")
    return found.mesh, found.environment


def _write(environment: str, mesh: str, stated: str) -> None:
    from slipway.mesh import schema

    folder = Path(stacks.FOLDER)
    texts = {
        folder / f"{environment}.yaml": stated,
        folder / "schema" / "mesh.schema.json": schema.to_json(schema.mesh_schema()),
        folder / "schema" / "environment.schema.json": schema.to_json(schema.environment_schema()),
    }
    if not (folder / "mesh").is_dir():
        texts[folder / "mesh.yaml"] = mesh
    for path, text in sorted(texts.items()):
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            with path.open("x", encoding="utf-8") as file:
                file.write(text)
        except FileExistsError:
            click.echo(f"{path}: is there already, left as it is", err=True)
        else:
            click.echo(f"{path}: written", err=True)
