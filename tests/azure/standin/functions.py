"""Functions of the provider that programs call: who am I, a cluster's credentials, and every resource's getter.

Nothing here is marked as secret: the real provider does not do so either, and a program that forgets
`pulumi.Output.secret` must be found out. Source: pulumi-azure-native, provider/pkg/provider/provider.go, `Invoke`
(`MarshalProperties` without `KeepSecrets`).
"""

import base64
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from standin import arm, catalogue, cloud, manager, outputs, values

_CLIENT = {
    "clientId": arm.guid("the client's application"),
    "objectId": arm.CLIENT_PRINCIPAL,
    "subscriptionId": arm.SUBSCRIPTION,
    "tenantId": arm.TENANT,
}
_CLUSTER = "azure-native:containerservice:ManagedCluster"
_CREDENTIALS = {
    "listManagedClusterUserCredentials": "clusterUser",
    "listManagedClusterAdminCredentials": "clusterAdmin",
}
# What Azure hands out for a cluster with Entra ID: the login is by device code. Source: azure-native issue 2399.
_KUBECONFIG = """\
apiVersion: v1
kind: Config
current-context: {name}
clusters: [{{name: {name}, cluster: {{server: "https://{host}:443"}}}}]
contexts: [{{name: {name}, context: {{cluster: {name}, user: clusterUser}}}}]
users:
  - name: clusterUser
    user:
      exec:
        apiVersion: client.authentication.k8s.io/v1beta1
        command: kubelogin
        args: [get-token, --environment, AzurePublicCloud, --server-id, 6dae42f8-4368-4678-94ff-3960e28e3630,
               --client-id, 80faf920-1908-4b52-b5ef-a8e7bedfc67a, --tenant-id, {tenant}, --login, devicecode]
"""


class Functions:
    """The functions over one cloud; ``kubeconfig`` is the file that every cluster hands out instead of its own."""

    def __init__(self, known: manager.Manager, kubeconfig: Path | None) -> None:
        self._manager = known
        self._kubeconfig = kubeconfig

    def call(self, token: str, arguments: Mapping[str, Any]) -> dict[str, Any]:
        """Return the result of ``token``. Raises :class:`NotModelledError` and :class:`arm.RefusalError`."""
        name = token.rpartition(":")[2]
        if token == "azure-native:authorization:getClientConfig":
            return dict(_CLIENT)
        if name in _CREDENTIALS:
            return self._credentials(name, arguments)
        if name.startswith("get"):
            kind = catalogue.by_token(token.replace(f":{name}", f":{name.removeprefix('get')}"))
            record = self._found(kind.path.id(arguments))
            return {"id": record.id, **outputs.of(self._manager.cloud, kind, record)}
        raise catalogue.NotModelledError(f"the stand-in has no function {token}: add it to tests/azure/standin")

    def _credentials(self, name: str, arguments: Mapping[str, Any]) -> dict[str, Any]:
        kind = catalogue.by_token(_CLUSTER)
        cluster = self._found(kind.path.id(arguments))
        if name == "listManagedClusterAdminCredentials" and cluster.inputs.get("disableLocalAccounts"):
            message = (
                "Getting static credential is not allowed because this cluster is set to disable local accounts."
            )
            raise arm.RefusalError(400, "BadRequest", message)
        text = self._kubeconfig.read_text() if self._kubeconfig is not None else self._written(cluster)
        return {"kubeconfigs": [{"name": _CREDENTIALS[name], "value": base64.b64encode(text.encode()).decode()}]}

    def _written(self, cluster: cloud.Record) -> str:
        shown = outputs.of(self._manager.cloud, catalogue.by_token(_CLUSTER), cluster)
        host = values.one(shown, "privateFQDN") or values.one(shown, "fqdn")
        return _KUBECONFIG.format(name=arm.name_of(cluster.id), host=host, tenant=arm.TENANT)

    def _found(self, resource_id: str) -> cloud.Record:
        record = self._manager.cloud.get(resource_id)
        if record is None:
            raise arm.RefusalError(404, "ResourceNotFound", f"The Resource '{resource_id}' was not found.")
        return record
