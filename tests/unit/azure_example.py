"""The example shop on Azure: its declaration, and the program's resources as recording mocks see them."""

import base64
import json
from pathlib import Path

import grpc
import pulumi
import recording

from components import platforms
from policies.bundles import compiler
from slipway.mesh import loader

ROOT = Path(__file__).parents[2]
SUBSCRIPTION = "11111111-2222-3333-4444-555555555555"
TENANT = "99999999-8888-7777-6666-555555555555"
KUBECONFIG = {
    "apiVersion": "v1",
    "kind": "Config",
    "clusters": [{"name": "shop", "cluster": {"server": "https://shop.example.com:443"}}],
    "users": [
        {
            "name": "clusterUser",
            "user": {
                "exec": {
                    "apiVersion": "client.authentication.k8s.io/v1beta1",
                    "command": "kubelogin",
                    "args": ["get-token", "--login", "devicecode", "--server-id", "server"],
                }
            },
        }
    ],
}


def load(environment_text: str | None = None, *, name: str = "dev"):
    """Return the example's mesh on Azure; ``environment_text`` is another environment file's text."""
    folder = ROOT / "examples/azure"
    text = (folder / f"{name}.yaml").read_text() if environment_text is None else environment_text
    return loader.load(
        [loader.Source(file="mesh.yaml", text=(ROOT / "stacks/mesh.yaml").read_text())],
        loader.Source(file=f"{name}.yaml", text=text),
        environment_name=name,
    )


def text_of(**changes: str) -> str:
    """Return the example's environment file with some text replaced by other text: each has to be there."""
    text = (ROOT / "examples/azure/dev.yaml").read_text()
    for before, after in changes.items():
        assert before in text, before
        text = text.replace(before, after)
    return text


class Azure(recording.Recorder):
    """Answers as Azure does where a program depends on it: ids, names, identities, the kubeconfig.

    ``left`` are the outputs of the platform's stack, as the engine knows them.
    """

    def __init__(self, left=None) -> None:
        super().__init__()
        self._left = left

    def new_resource(self, args):
        self.registered.append(args)
        outputs = dict(args.inputs)
        if not args.typ.startswith("azure-native:"):
            return f"{args.name}-id", outputs
        identifier = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/shop-dev/providers/{args.typ}/{args.name}"
        named = [value for key, value in outputs.items() if key.endswith("Name") and key != "resourceGroupName"]
        outputs["name"] = str(named[-1]) if named else args.name
        if isinstance(identity := outputs.get("identity"), dict):
            given = identity.get("userAssignedIdentities", [])
            outputs["identity"] = {**identity, "userAssignedIdentities": {item: {} for item in given}}
        if args.typ.endswith(":UserAssignedIdentity"):
            outputs |= {
                "principalId": f"{args.name}-principal",
                "clientId": f"{args.name}-client",
                "tenantId": TENANT,
            }
        if args.typ.endswith(":ManagedCluster"):
            outputs["oidcIssuerProfile"] = {"enabled": True, "issuerURL": "https://issuer.example.com/"}
        if args.typ.endswith(":PublicIPPrefix"):
            outputs["ipPrefix"] = "203.0.113.0/30"
        return identifier, outputs

    def call(self, args):
        self.calls.append(args)
        if args.token == "pulumi:pulumi:readStackOutputs":
            if self._left is None:
                raise grpc.RpcError(f'unknown stack "{args.args["name"]}"')
            return {"outputs": self._left}
        encoded = base64.b64encode(json.dumps(KUBECONFIG).encode()).decode()
        return {"kubeconfigs": [{"name": "clusterUser", "value": encoded}]}


def record(mesh, *, preview: bool = False, stack: str | None = None, left=None) -> recording.Graph:
    """Return what the program registers for ``mesh``, in its one stack or in ``stack``; ``left`` as for `Azure`."""

    def program() -> None:
        bundle = compiler.compile_bundle(mesh)
        outputs = platforms.build(
            mesh, stack=stack or mesh.environment, bundle=bundle, folder=ROOT / "stacks", lab_instance=None
        )
        for name, value in outputs.items():
            pulumi.export(name, value)

    return recording.record(program, Azure(left), preview=preview)
