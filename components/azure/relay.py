"""The relay in the cluster: machines' tokens into the key vault, certificates of the ingress gateway out of it."""

import hashlib
import importlib.resources
import json
from collections.abc import Sequence
from dataclasses import dataclass

import pulumi
from pulumi_kubernetes.apps import v1 as apps
from pulumi_kubernetes.core import v1 as core
from pulumi_kubernetes.meta import v1 as meta
from pulumi_kubernetes.networking import v1 as networking
from pulumi_kubernetes.rbac import v1 as rbac

from components import platform
from slipway.machines import arguments
from slipway.mesh import azure, azure_plan, model

NAME = "token-relay"
NAMESPACE = "slipway-system"
AUTHORITY = "https://login.microsoftonline.com"  # Source: Microsoft identity platform, national-cloud: the public one
AUDIENCE = "api://AzureADTokenExchange"  # Source: AKS documentation, workload-identity-overview
_FEDERATED = "/var/run/secrets/azure/tokens"
_FEDERATED_LIFETIME_S = 3600
_USER = 65532  # nobody in particular; the script needs none
_LABELS = {"app": NAME}


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """Who the relay is in Azure: the ids of its identity's client and of its Entra tenant."""

    client: pulumi.Input[str]
    tenant: pulumi.Input[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Certificate:
    """A TLS Secret that the relay keeps: ``secret`` is its name in the key vault, ``name`` the one in the cluster."""

    secret: str
    namespace: str
    name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RelayArgs:
    """What the relay serves.

    ``vault_url`` is the key vault's address; ``image`` is one with Python 3.9. ``after`` are the machines' accounts,
    every namespace, and its rights in Azure.
    """

    identity: Identity
    vault_url: str
    machines: Sequence[model.Machine]
    certificates: Sequence[Certificate]
    image: str
    after: Sequence[pulumi.Resource] = ()


class Relay(pulumi.ComponentResource):
    """A pod that may ask for the machines' tokens and write the machines' secrets, and nothing else.

    ``ready`` is done when every machine's token has been delivered once, so machines boot after it.
    """

    ready: pulumi.Resource

    def __init__(self, name: str, args: RelayArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("slipway:azure:Relay", name, None, opts)
        self._args = args
        self._opts = pulumi.ResourceOptions(parent=self)
        namespace = core.Namespace(
            f"Namespace/{NAMESPACE}",
            metadata=meta.ObjectMetaArgs(
                name=NAMESPACE,
                labels={
                    "app.kubernetes.io/managed-by": "slipway",
                    "istio-injection": "disabled",
                    "pod-security.kubernetes.io/enforce": "restricted",
                },
            ),
            opts=self._opts,
        )
        inside = pulumi.ResourceOptions(parent=self, depends_on=[namespace])
        account = core.ServiceAccount(
            f"ServiceAccount/{NAMESPACE}/{NAME}",
            metadata=meta.ObjectMetaArgs(name=NAME, namespace=NAMESPACE),
            opts=inside,
        )
        networking.NetworkPolicy(
            f"NetworkPolicy/{NAMESPACE}/nobody-calls",
            metadata=meta.ObjectMetaArgs(name="nobody-calls", namespace=NAMESPACE),
            spec=networking.NetworkPolicySpecArgs(
                pod_selector=meta.LabelSelectorArgs(), policy_types=["Ingress"], ingress=[]
            ),
            opts=inside,
        )
        roles = [*self._token_roles(), *self._certificate_roles()]
        self.ready = self._deployment(after=[account, *roles])
        self.register_outputs({})

    def _token_roles(self) -> list[pulumi.Resource]:
        """Let the relay ask for tokens of the machines' accounts, by name, and read the mesh's root certificate."""
        accounts: dict[str, list[str]] = {}
        for machine in self._args.machines:
            accounts.setdefault(machine.namespace, []).append(machine.service_account)
        return [
            resource
            for namespace, names in sorted(accounts.items())
            for resource in self._role(
                namespace,
                [
                    rbac.PolicyRuleArgs(
                        api_groups=[""], resources=["serviceaccounts/token"], verbs=["create"], resource_names=names
                    ),
                    rbac.PolicyRuleArgs(
                        api_groups=[""],
                        resources=["configmaps"],
                        verbs=["get"],
                        resource_names=["istio-ca-root-cert"],
                    ),
                ],
            )
        ]

    def _certificate_roles(self) -> list[pulumi.Resource]:
        """Let the relay write the TLS Secrets that it keeps; a name cannot be stated for making a new one.

        Source: Kubernetes documentation, reference/access-authn-authz/rbac, "Referring to resources".
        """
        by_namespace: dict[str, list[str]] = {}
        for item in self._args.certificates:
            by_namespace.setdefault(item.namespace, []).append(item.name)
        return [
            resource
            for namespace, names in sorted(by_namespace.items())
            for resource in self._role(
                namespace,
                [
                    rbac.PolicyRuleArgs(api_groups=[""], resources=["secrets"], verbs=["create"]),
                    rbac.PolicyRuleArgs(
                        api_groups=[""], resources=["secrets"], verbs=["patch"], resource_names=names
                    ),
                ],
            )
        ]

    def _role(self, namespace: str, rules: Sequence[rbac.PolicyRuleArgs]) -> list[pulumi.Resource]:
        metadata = meta.ObjectMetaArgs(name=NAME, namespace=namespace)
        own = pulumi.ResourceOptions(parent=self, depends_on=[*self._args.after])
        role = rbac.Role(f"Role/{namespace}/{NAME}", metadata=metadata, rules=rules, opts=own)
        binding = rbac.RoleBinding(
            f"RoleBinding/{namespace}/{NAME}",
            metadata=metadata,
            role_ref=rbac.RoleRefArgs(api_group="rbac.authorization.k8s.io", kind="Role", name=NAME),
            subjects=[rbac.SubjectArgs(kind="ServiceAccount", name=NAME, namespace=NAMESPACE)],
            opts=own,
        )
        return [role, binding]

    def _deployment(self, *, after: Sequence[pulumi.Resource]) -> pulumi.Resource:
        files = self._files()
        digest = hashlib.sha256(json.dumps(files, sort_keys=True).encode()).hexdigest()
        config = core.ConfigMap(
            f"ConfigMap/{NAMESPACE}/{NAME}",
            metadata=meta.ObjectMetaArgs(name=NAME, namespace=NAMESPACE),
            data=files,
            opts=pulumi.ResourceOptions(parent=self, depends_on=[*after]),
        )
        return apps.Deployment(
            f"Deployment/{NAMESPACE}/{NAME}",
            metadata=meta.ObjectMetaArgs(name=NAME, namespace=NAMESPACE, labels=_LABELS),
            spec=apps.DeploymentSpecArgs(
                replicas=1,
                strategy=apps.DeploymentStrategyArgs(type="Recreate"),
                selector=meta.LabelSelectorArgs(match_labels=_LABELS),
                template=core.PodTemplateSpecArgs(
                    metadata=meta.ObjectMetaArgs(labels=_LABELS, annotations={"slipway.dev/settings": digest}),
                    spec=_pod(self._args.image, self._args.identity),
                ),
            ),
            opts=pulumi.ResourceOptions(parent=self, depends_on=[config]),
        )

    def _files(self) -> dict[str, str]:
        machines = [
            {
                "secret": arguments.secret_name(item.name),
                "namespace": item.namespace,
                "service_account": item.service_account,
            }
            for item in self._args.machines
        ]
        certificates = [
            {"secret": item.secret, "namespace": item.namespace, "name": item.name}
            for item in self._args.certificates
        ]
        settings = {"vault_url": self._args.vault_url, "machines": machines, "certificates": certificates}
        script = importlib.resources.files("slipway.machines").joinpath("files", "relay.py").read_text("utf-8")
        return {"relay.json": json.dumps(settings, indent=2) + "\n", "relay.py": script}


def deliver(
    args: platform.DeliveryArgs,
    *,
    settings: azure.Azure,
    identity: Identity,
    after: Sequence[pulumi.Resource],
    parent: pulumi.Resource,
) -> pulumi.Resource:
    """Run the relay in the cluster for everything that is to be delivered; return what is done with the first round.

    ``after`` must exist before it, beside what ``args`` names.
    """
    made = Relay(
        "relay",
        RelayArgs(
            identity=identity,
            vault_url=azure_plan.vault_url(settings.vault),
            machines=args.machines,
            certificates=[
                Certificate(secret=item.secret.replace(".", "-"), namespace=item.namespace, name=item.secret)
                for item in args.certificates
            ],
            image=settings.relay_image,
            after=[*args.after, *after],
        ),
        opts=pulumi.ResourceOptions(parent=parent, providers=[args.cluster]),
    )
    return made.ready


def _pod(image: str, identity: Identity) -> core.PodSpecArgs:
    environment: dict[str, pulumi.Input[str]] = {
        "AZURE_AUTHORITY_HOST": AUTHORITY,
        "AZURE_CLIENT_ID": identity.client,
        "AZURE_TENANT_ID": identity.tenant,
        "AZURE_FEDERATED_TOKEN_FILE": f"{_FEDERATED}/token",
    }
    script = ["python3", "-I", "/etc/slipway/relay.py"]
    container = core.ContainerArgs(
        name=NAME,
        image=image,
        command=script,
        env=[core.EnvVarArgs(name=name, value=value) for name, value in environment.items()],
        readiness_probe=core.ProbeArgs(
            exec_=core.ExecActionArgs(command=[*script, "--healthy"]), period_seconds=10, timeout_seconds=5
        ),
        resources=core.ResourceRequirementsArgs(
            requests={"cpu": "10m", "memory": "40Mi"}, limits={"memory": "128Mi"}
        ),
        security_context=core.SecurityContextArgs(
            allow_privilege_escalation=False,
            read_only_root_filesystem=True,
            capabilities=core.CapabilitiesArgs(drop=["ALL"]),
        ),
        volume_mounts=[
            core.VolumeMountArgs(name="settings", mount_path="/etc/slipway", read_only=True),
            core.VolumeMountArgs(name="azure", mount_path=_FEDERATED, read_only=True),
            core.VolumeMountArgs(name="state", mount_path="/run/slipway"),
        ],
    )
    federated = core.ServiceAccountTokenProjectionArgs(
        audience=AUDIENCE, expiration_seconds=_FEDERATED_LIFETIME_S, path="token"
    )
    return core.PodSpecArgs(
        service_account_name=NAME,
        containers=[container],
        node_selector={azure_plan.POOL_LABEL: azure_plan.SYSTEM},
        tolerations=[core.TolerationArgs(key="CriticalAddonsOnly", operator="Exists")],
        security_context=core.PodSecurityContextArgs(
            run_as_non_root=True,
            run_as_user=_USER,
            fs_group=_USER,
            seccomp_profile=core.SeccompProfileArgs(type="RuntimeDefault"),
        ),
        volumes=[
            core.VolumeArgs(name="settings", config_map=core.ConfigMapVolumeSourceArgs(name=NAME)),
            core.VolumeArgs(
                name="azure",
                projected=core.ProjectedVolumeSourceArgs(
                    sources=[core.VolumeProjectionArgs(service_account_token=federated)]
                ),
            ),
            core.VolumeArgs(name="state", empty_dir=core.EmptyDirVolumeSourceArgs(medium="Memory")),
        ],
    )
