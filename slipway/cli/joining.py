"""What `onboard` and `retire` share: a machine of the declaration, how it is reached, and how it joins."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from slipway.cli import stacks

if TYPE_CHECKING:
    from slipway.machines import onboarding as kits
    from slipway.mesh import model
    from slipway.rollout import onboarding
    from slipway.world import kubernetes

TOKEN_AUDIENCE = "istio-ca"  # noqa: S105 - a name. Source: istio 1.29.1, pilot/cmd/pilot-agent/options `audience`
TOKEN_LIFETIME_S = 3600
WORKLOAD_ENTRY = ("networking.istio.io/v1", "WorkloadEntry")
_ROOT = "istio-ca-root-cert"


def declared(environment: str, machine: str) -> "tuple[model.Mesh, model.Machine]":
    """Return the declaration and one of its machines; raises click.UsageError for one that Slipway boots."""
    from slipway.mesh import model

    with stacks.told():
        mesh = stacks.load(environment)
    names = [item.name for item in mesh.machines]
    if machine not in names:
        raise click.UsageError(f"{environment} has no machine {machine!r}; it has: {', '.join(names) or 'none'}")
    if mesh.platform is not model.PlatformKind.EXISTING:
        message = (
            f"{environment} runs on {mesh.platform.value}, where `pulumi up` boots every machine with what it needs;"
            " only machines of `platform: existing` are onboarded"
        )
        raise click.UsageError(message)
    return mesh, mesh.machine(machine)


def joining(
    mesh: "model.Mesh", machine: str, *, host: str, ssh_config: str, cluster: "kubernetes.Cluster | None"
) -> "onboarding.Onboarding":
    """Return how ``machine`` joins by SSH; ``cluster`` hands out its token, None where it needs none.

    Raises click.UsageError where the declaration does not say what to install.
    """
    from policies.bundles import compiler
    from slipway.machines import arguments
    from slipway.machines import onboarding as kits
    from slipway.rollout import onboarding
    from slipway.world import remote

    if mesh.sidecar is None:
        message = f"stacks/{mesh.environment}.yaml has no `sidecar`; add `sidecar: {{url: https://..., sha256: ...}}`"
        raise click.UsageError(message)
    policy = compiler.compile_bundle(mesh).guards[machine]
    made = arguments.of(
        mesh,
        machine=machine,
        guard_policy=policy,
        token=None,
        package=arguments.SidecarPackage(url=mesh.sidecar.url, sha256=mesh.sidecar.sha256),
        team_cloud_config="",
    )
    account = made.machine

    def credentials() -> "kits.Credentials":
        if cluster is None:
            raise click.UsageError("a kubeconfig is needed for the machine's token")
        return _credentials(cluster, account)

    return onboarding.Onboarding(
        kit=kits.kit(made),
        policy=policy,
        machine=remote.Ssh(host=host, config=Path(ssh_config) if ssh_config else None),
        credentials=credentials,
        say=lambda line: click.echo(f"{machine}: {line}", err=True),
    )


def is_registered(cluster: "kubernetes.Cluster", machine: "model.Machine") -> bool:
    """Whether the cluster has the machine's entry: without it istiod gives its sidecar nothing."""
    from slipway.world import kubernetes

    kind = kubernetes.Kind(api_version=WORKLOAD_ENTRY[0], kind=WORKLOAD_ENTRY[1])
    return cluster.get(kind, machine.name, namespace=machine.namespace) is not None


def _credentials(cluster: "kubernetes.Cluster", machine: "model.Machine") -> "kits.Credentials":
    from slipway.machines import onboarding as kits
    from slipway.world import kubernetes

    kind = kubernetes.Kind(api_version="v1", kind="ConfigMap")
    root = cluster.get(kind, _ROOT, namespace=machine.namespace)
    if root is None:
        raise kubernetes.KubernetesError(f"there is no ConfigMap {machine.namespace}/{_ROOT}: does istiod run?")
    token = cluster.issue_token(
        machine.service_account,
        namespace=machine.namespace,
        audience=TOKEN_AUDIENCE,
        lifetime_s=TOKEN_LIFETIME_S,
    )
    return kits.Credentials(token=token, root_certificate=root["data"]["root-cert.pem"])
