"""A network, an identity with a right, a vault and a cluster whose credentials become an output."""

import pulumi
from pulumi_azure_native import authorization, containerservice, keyvault, managedidentity, network, resources

client = authorization.get_client_config_output()
config = pulumi.Config()
group = resources.ResourceGroup("rg", resource_group_name=config.require("group"), location="West Europe")
vnet = network.VirtualNetwork(
    "vnet", resource_group_name=group.name, address_space={"address_prefixes": ["10.20.0.0/16"]}
)
nodes = network.Subnet(
    "nodes", resource_group_name=group.name, virtual_network_name=vnet.name, address_prefix="10.20.0.0/24"
)
identity = managedidentity.UserAssignedIdentity(
    "cluster", resource_group_name=group.name, resource_name_="id-cluster"
)
right = authorization.RoleAssignment(
    "cluster-network",
    principal_id=identity.principal_id,
    principal_type="ServicePrincipal",
    role_definition_id=pulumi.Output.format(
        "/subscriptions/{}/providers/Microsoft.Authorization/roleDefinitions/4d97b98b-1d4f-4787-a291-c67834d212e7",
        client.subscription_id,
    ),
    scope=nodes.id,
)
vault = keyvault.Vault(
    "vault",
    resource_group_name=group.name,
    vault_name=config.get("vault") or "kv-small",
    properties=keyvault.VaultPropertiesArgs(
        sku=keyvault.SkuArgs(family="A", name=keyvault.SkuName.STANDARD),
        tenant_id=client.tenant_id,
        enable_rbac_authorization=True,
    ),
)
secret = keyvault.Secret(
    "token",
    resource_group_name=group.name,
    vault_name=vault.name,
    secret_name="token",
    properties=keyvault.SecretPropertiesArgs(value=pulumi.Output.secret("canary-of-the-vault")),
)
cluster = containerservice.ManagedCluster(
    "aks",
    resource_group_name=group.name,
    resource_name_="aks",
    dns_prefix=config.get("dns") or "aks",
    kubernetes_version="1.34.4",
    identity={"type": "UserAssigned", "user_assigned_identities": [identity.id]},
    aad_profile={"managed": True},
    disable_local_accounts=True,
    tags={"tier": config.get("tier") or "test"},
    agent_pool_profiles=[
        {"name": "system", "mode": "System", "count": 3, "vm_size": "Standard_D4ds_v5", "vnet_subnet_id": nodes.id}
    ],
    opts=pulumi.ResourceOptions(depends_on=[right]),
)
credentials = containerservice.list_managed_cluster_user_credentials_output(
    resource_group_name=group.name, resource_name=cluster.name, format="exec"
)
pulumi.export("subnet", nodes.id)
pulumi.export("principal", identity.principal_id)
pulumi.export("identities", cluster.identity.apply(lambda item: sorted(item.user_assigned_identities or {})))
pulumi.export("uri", vault.properties.vault_uri)
pulumi.export("kubeconfig", pulumi.Output.secret(credentials.kubeconfigs[0].value))
