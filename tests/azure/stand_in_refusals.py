"""One broken resource for each rule of the stand-in, on top of `stand_in_example.BASE`."""

import base64

import stand_in_example as example
from stand_in_example import GROUP, Made, Refused, card, cluster, network, pool, rid, rule, subnet, subnet_id, vault
from standin import arm

_TOO_LONG = base64.b64encode(b"x" * 65537).decode()
_FAR_CARD = {"name": "main", "subnet": {"id": subnet_id("app")}}
_NOBODY = {"type": "UserAssigned", "userAssignedIdentities": [
    rid("Microsoft.ManagedIdentity/userAssignedIdentities", "nobody")]}  # fmt: skip


def _pools(*pools: dict) -> dict:
    return {"agentPoolProfiles": list(pools)}


def _profile(**values: str) -> dict:
    return {"networkProfile": {"networkPlugin": "azure", **values}}


def _rule(priority: int) -> dict:
    """Return a rule as it stands in its group's own inputs."""
    outside = ("resourceGroupName", "networkSecurityGroupName", "securityRuleName")
    return {key: value for key, value in rule("x", priority).inputs.items() if key not in outside}


def _disks(times: int) -> dict:
    item = {"lun": 0, "createOption": "Attach", "managedDisk": {"id": example.DISK_ID}}
    return {"osDisk": {"createOption": "FromImage"}, "dataDisks": [item] * times}


def _lifecycle(rules: list) -> Made:
    name = f"b-lifecycle-{len(rules)}-{len(str(rules))}"
    return example.blobs("ManagementPolicy", name, managementPolicyName="default", policy={"rules": rules})


def _window(name: str, hours: int) -> Made:
    schedule = {"weekly": {"dayOfWeek": "Sunday", "intervalWeeks": 1}}
    window = {"durationHours": hours, "startTime": "02:00", "schedule": schedule}
    inputs = {"resourceGroupName": GROUP, "resourceName": "aks", "configName": name, "maintenanceWindow": window}
    return Made("containerservice:MaintenanceConfiguration", f"b-{name}", inputs)


_MANAGER = (
    Refused("ResourceGroupNotFound", network("RouteTable", "b-group", resourceGroupName="rg-none", location="x")),
    Refused("ParentResourceNotFound", subnet("b-parent", "10.0.20.0/24", virtualNetworkName="none")),
    Refused("InvalidResourceName", network("RouteTable", "b-name-")),
    Refused("NameAlreadyExists", Made("keyvault:Vault", "b-taken", {
        **vault("KV-shop").inputs, "resourceGroupName": "rg-other"})),
    Refused("InvalidResourceReference", card("b-reference", "nowhere")),
    Refused("InvalidResourceReference", cluster("b-identity", identity=_NOBODY)),
    Refused("in the same region", network("NetworkInterface", "b-far", location="uksouth",
                                          ipConfigurations=[_FAR_CARD])),
    Refused("LinkedInvalidPropertyId", network("NetworkInterface", "b-form", ipConfigurations=[
        {"name": "main", "subnet": {"id": example.NIC}}])),
    Refused("cannot create already existing resource", Made("network:NetworkSecurityGroup", "b-twice", {
        "resourceGroupName": GROUP, "networkSecurityGroupName": "NSG"})),
)  # fmt: skip
_ADDRESSES = (
    Refused("InvalidCIDRNotation", network("VirtualNetwork", "b-cidr", addressSpace={
        "addressPrefixes": ["10.1.0.1/16"]})),
    Refused("`addressSpace.addressPrefixes`", network("VirtualNetwork", "b-space")),
    Refused("AddressPrefixesOverlap", network("VirtualNetwork", "b-overlap", addressSpace={
        "addressPrefixes": ["10.1.0.0/16", "10.1.2.0/24"]})),
    Refused("NetcfgSubnetRangesOverlap", network("VirtualNetwork", "b-inline", addressSpace={
        "addressPrefixes": ["10.1.0.0/16"]}, subnets=[
            {"name": "one", "addressPrefix": "10.1.0.0/24"}, {"name": "two", "addressPrefix": "10.1.0.128/25"}])),
    Refused("a subnet needs `addressPrefix`", Made("network:Subnet", "b-prefix", {
        "resourceGroupName": GROUP, "virtualNetworkName": "vnet", "subnetName": "b-prefix"})),
    Refused("NetcfgSubnetRangeOutsideVnet", subnet("b-outside", "10.5.0.0/24")),
    Refused("NetcfgSubnetRangesOverlap", subnet("b-overlaps", "10.0.1.128/25")),
    Refused("InvalidSubnet", subnet("b-small", "10.0.30.0/30")),
    Refused("at least a /26", subnet("AzureBastionSubnet", "10.0.30.0/27")),
    Refused("NetworkInterfaceMustHaveSubnet", network("NetworkInterface", "b-bare")),
    Refused("PrivateIPAddressMissing", network("NetworkInterface", "b-static", ipConfigurations=[
        {"name": "main", "subnet": {"id": subnet_id("app")}, "privateIPAllocationMethod": "Static"}])),
    Refused("PrivateIPAddressNotInSubnet", card("b-elsewhere", address="10.0.2.10")),
    Refused("PrivateIPAddressInReservedRange", card("b-reserved", address="10.0.1.3")),
    Refused("PrivateIPAddressIsAllocated", card("b-allocated", address="10.0.1.10")),
    Refused("needs `remoteVirtualNetwork.id`", network("VirtualNetworkPeering", "b-peer",
        virtualNetworkName="vnet")),
    Refused("VnetAddressSpacesOverlap", network(
        "VirtualNetworkPeering", "b-twin", virtualNetworkName="vnet",
        remoteVirtualNetwork={"id": rid("Microsoft.Network/virtualNetworks", "twin")})),
)  # fmt: skip
_PERIMETER = (
    Refused("SecurityRuleConflict", rule("b-conflict", 200)),
    Refused("SecurityRuleConflict", network("NetworkSecurityGroup", "b-rules", securityRules=[
        {**_rule(100), "name": name} for name in ("one", "two")])),
    Refused("SecurityRuleInvalidPriority", rule("b-priority", 99)),
    Refused("SecurityRuleParameterMissing", rule("b-both", 300, sourceAddressPrefixes=[], sourceAddressPrefix=None)),
    Refused("SecurityRuleInvalidAddressPrefix", rule("b-host-bits", 301, sourceAddressPrefix="10.0.0.1/16")),
    Refused("a service tag or `*` stands alone", rule(
        "b-tags", 302, sourceAddressPrefix=None, sourceAddressPrefixes=["Internet", "10.0.0.0/8"])),
    Refused("SecurityRuleInvalidPortRange", rule("b-port", 303, destinationPortRange="5432-80")),
    Refused("PublicIPAddressSkuRequiresStaticAllocation", network(
        "PublicIPAddress", "b-dynamic", sku={"name": "Standard"}, publicIPAllocationMethod="Dynamic")),
    Refused("BastionHostSubnetName", example.fronted("BastionHost", "b-bastion")),
    Refused("AzureFirewallSubnetName", example.fronted("AzureFirewall", "b-firewall")),
    Refused("needs `subnet.id` and a connection", example.endpoint("b-endpoint")),
    Refused("needs `privateLinkServiceId` and `groupIds`", example.endpoint("b-link", privateLinkServiceConnections=[
        {"name": "vault", "privateLinkServiceId": rid("Microsoft.KeyVault/vaults", "kv-shop")}])),
    Refused("`location` must be global", Made("privatedns:PrivateZone", "b-zone", {
        "resourceGroupName": GROUP, "privateZoneName": "b.internal", "location": example.REGION})),
    Refused("links the same network already", example.link("b-second")),
)  # fmt: skip
_COMPUTE = (
    Refused("`networkProfile.networkInterfaces` is missing", example.machine("b-cards", "x", networkProfile={})),
    Refused("`userData` must be base64", example.machine("b-data", "nic-db", userData="#cloud-config")),
    Refused("65537 bytes", example.machine("b-long", "nic-db", userData=_TOO_LONG)),
    Refused("`osProfile.adminUsername` is missing", example.machine("b-user", "nic-db", osProfile={
        "computerName": "x"})),
    Refused("is not allowed for a user", example.machine("b-root", "nic-db", osProfile={"adminUsername": "root"})),
    Refused("needs `ssh.publicKeys`", example.machine("b-keys", "nic-db", osProfile={
        "adminUsername": "operator", "linuxConfiguration": {"disablePasswordAuthentication": True}})),
    Refused("NicInUse", example.machine("b-card", "nic-db")),
    Refused("same `lun`", example.machine("b-lun", "nic-free", storageProfile=_disks(2))),
    Refused("is in zones ['1'], the machine is not", example.machine(
        "b-zone", "nic-free", zones=["2"], storageProfile=_disks(1))),
    Refused("AttachDiskWhileBeingAttached", example.machine("b-disk", "nic-free", storageProfile=_disks(1))),
    Refused("an empty disk needs `diskSizeGB`", example.disk("b-size", diskSizeGB=None)),
)  # fmt: skip
_CONTAINERS = (
    Refused("`dnsPrefix` is required", cluster("b-dns", dnsPrefix=None)),
    Refused("the cluster needs an `identity`", cluster("b-who", identity=None)),
    Refused("a pool of mode System", cluster("b-system", **_pools(pool(mode="User")))),
    Refused("a pool's name is 1 to 12", cluster("b-pool", **_pools(pool("Much-too-long")))),
    Refused("`vmSize` is required", cluster("b-vmsize", **_pools(pool(vmSize=None)))),
    Refused("between `minCount` and `maxCount`", cluster("b-count", **_pools(
        pool(enableAutoScaling=True, minCount=3, maxCount=5, count=1)))),
    Refused("subnets of their own", cluster("b-pods", **_pools(pool(podSubnetID=subnet_id("nodes"))))),
    Refused("ServiceCidrOverlapExistingSubnetsCidr", cluster("b-service", **_profile(serviceCidr="10.0.4.0/24"))),
    Refused("overlaps 172.30.0.0/16", cluster("b-kept", **_profile(serviceCidr="172.16.0.0/12"))),
    Refused("overlaps 10.0.1.0/24", cluster("b-overlay", **_profile(podCidr="10.0.1.0/25"))),
    Refused("is not in `serviceCidr`", cluster("b-dnsip", **_profile(
        serviceCidr="172.16.0.0/16", dnsServiceIP="172.17.0.10"))),
    Refused("overlay and `podSubnetID`", cluster("b-mode", **_profile(networkPluginMode="overlay"), **_pools(
        pool(podSubnetID=subnet_id("api"))))),
    Refused("needs a subnet with `routeTable`", cluster("b-route", **_profile(outboundType="userDefinedRouting"))),
    Refused("needs a network that AKS manages", cluster("b-nat", **_profile(outboundType="managedNATGateway"))),
    Refused("takes no `authorizedIPRanges`", cluster("b-private", apiServerAccessProfile={
        "enablePrivateCluster": True, "authorizedIPRanges": ["203.0.113.0/24"]})),
    Refused("is not delegated", cluster("b-api", apiServerAccessProfile={
        "enableVnetIntegration": True, "subnetId": subnet_id("api")})),
    Refused("needs `aadProfile.managed`", cluster("b-local", aadProfile=None)),
    Refused("workload identity needs `oidcIssuerProfile.enabled`", cluster("b-oidc", securityProfile={
        "workloadIdentity": {"enabled": True}})),
    Refused("in one virtual network", Made("containerservice:AgentPool", "b-other", {
        "resourceGroupName": GROUP, "resourceName": "aks", "agentPoolName": "other", "vmSize": "Standard_D4ds_v5",
        "vnetSubnetID": subnet_id("far", "twin")})),
    Refused("a maintenance configuration is one of", _window("nightly", 4)),
    Refused("`durationHours` is at least 4", _window("aksManagedAutoUpgradeSchedule", 2)),
)  # fmt: skip
_PROTECTION = (
    Refused("are trusted already", example.credential("b-again", "system:serviceaccount:mesh:relay")),
    Refused("`audiences` takes exactly one", Made("managedidentity:FederatedIdentityCredential", "b-audience", {
        **example.credential("b-audience", "other").inputs, "audiences": []})),
    Refused("InvalidRoleDefinitionId", example.assignment("b-role", roleDefinitionId="Network Contributor")),
    Refused("InvalidPrincipalId", example.assignment("b-principal", principalId="the-relay")),
    Refused("UnmatchedPrincipalType", example.assignment(
        "b-type", principalId=arm.CLIENT_PRINCIPAL, principalType="User", scope=arm.ROOT)),
    Refused("RoleAssignmentExists", example.assignment("b-assigned")),
    Refused("`softDeleteRetentionInDays` is 7 to 90", vault("b-days", softDeleteRetentionInDays=3)),
    Refused("InvalidTenantId", vault("b-tenant", tenantId="contoso")),
    Refused("`accessPolicies` is missing", vault("b-policies", enableRbacAuthorization=False)),
    Refused("cannot be set to false", vault("b-purge", enablePurgeProtection=False)),
    Refused("`properties.value` is required", Made("keyvault:Secret", "b-value", {
        "resourceGroupName": GROUP, "vaultName": "kv-shop", "secretName": "b-value", "properties": {}})),
)  # fmt: skip
_OPERATIONS = (
    Refused("needs a destination", example.setting("b-nowhere", logs=[{"enabled": True, "category": "x"}])),
    Refused("needs `logs` or `metrics`", example.setting("b-nothing", workspaceId=example.LOG)),
    Refused("has the same destination", example.setting(
        "b-same", workspaceId=example.LOG, logs=[{"enabled": True, "categoryGroup": "allLogs"}])),
    Refused("`properties.policyId` names nothing", Made("recoveryservices:ProtectedItem", "b-item", {
        "resourceGroupName": GROUP, "vaultName": "rsv-shop", "fabricName": "Azure", "containerName": "c",
        "protectedItemName": "b-item", "properties": {"protectedItemType": "Microsoft.Compute/virtualMachines"}})),
    Refused("a hierarchical namespace needs kind StorageV2", Made("storage:StorageAccount", "bflat", {
        "resourceGroupName": GROUP, "accountName": "bflat", "kind": "Storage", "isHnsEnabled": True,
        "sku": {"name": "Standard_LRS"}})),
    Refused("`immutabilityPeriodSinceCreationInDays` is 1 to", example.blobs(
        "BlobContainerImmutabilityPolicy", "b-period", containerName="free-log", immutabilityPolicyName="default",
        immutabilityPeriodSinceCreationInDays=0)),
    Refused("`policy.rules` needs a rule", _lifecycle([])),
    Refused("needs `filters.blobTypes`", _lifecycle([{"name": "old", "type": "Lifecycle", "definition": {
        "actions": {"baseBlob": {"delete": {"daysAfterCreationGreaterThan": 35}}}, "filters": {"blobTypes": []}}}])),
    Refused("needs an action", _lifecycle([{"name": "old", "type": "Lifecycle", "definition": {
        "actions": {}, "filters": {"blobTypes": ["blockBlob"]}}}])),
    Refused("`deleteRetentionPolicy.days` is 1 to 365", example.blobs(
        "BlobServiceProperties", "b-days-of-blobs", blobServicesName="default",
        deleteRetentionPolicy={"enabled": True, "days": 400})),
)  # fmt: skip
CREATES = (*_MANAGER, *_ADDRESSES, *_PERIMETER, *_COMPUTE, *_CONTAINERS, *_PROTECTION, *_OPERATIONS)

_MACHINE = example.machine("vm-db", "nic-db").inputs
# What stands in `stand_in_example.BASE`, changed in a way that Azure refuses to update.
CHANGES = (
    Refused("PropertyChangeNotAllowed", Made("compute:VirtualMachine", "vm-db", {
        **_MACHINE, "osProfile": {**_MACHINE["osProfile"], "customData": base64.b64encode(b"#other").decode()}})),
    Refused("a disk cannot shrink", example.disk("data-db", diskSizeGB=16)),
    Refused("A new agent pool was introduced", cluster("aks", **_pools(pool(), pool("user", mode="User")))),
    Refused("cannot go back", cluster("aks-back", kubernetesVersion="1.33.1")),
    Refused("skips a minor version", cluster("aks-ahead", kubernetesVersion="1.36.0")),
    Refused("can only be set when a vault is created", vault("kv-days", softDeleteRetentionInDays=90)),
    Refused("cannot be removed once it was set", vault("kv-shop", enablePurgeProtection=None)),
    Refused("InUsePrefixCannotBeDeleted", network("VirtualNetwork", "vnet", addressSpace={
        "addressPrefixes": ["10.0.0.0/23"]})),
    Refused("InUseSubnetCannotBeUpdated", subnet("app", "10.0.40.0/24")),
)  # fmt: skip
# What stands in `stand_in_example.BASE` and cannot be deleted, because of something else.
DELETES = (
    Refused("InUseNetworkSecurityGroupCannotBeDeleted", network("NetworkSecurityGroup", "nsg")),
    Refused("InUseSubnetCannotBeDeleted", subnet("app", "10.0.1.0/24")),
    Refused("NicInUse", example.card("nic-db")),
    Refused("OperationNotAllowed", example.disk("data-db")),
    Refused("InUseSubnetCannotBeDeleted", network("VirtualNetwork", "vnet")),
    Refused("delete its nested resources first", Made("privatedns:PrivateZone", "mesh.internal", {
        "resourceGroupName": GROUP, "privateZoneName": "mesh.internal"})),
    Refused("ContainerImmutableDueToPolicy", example.blobs("BlobContainer", "kept-log", containerName="kept-log")),
    Refused("at least one system node pool", Made("containerservice:AgentPool", "system", {
        "resourceGroupName": GROUP, "resourceName": "aks", "agentPoolName": "system"})),
)  # fmt: skip
