"""Promises that hold for everything that is created in Azure, checked with mocks that only record."""

import base64
import json
import re
import subprocess

import azure_example
import azure_types
import pytest

from components.azure import kubeconfig, place
from slipway.machines import boot_check
from slipway.mesh import azure_plan

IS_SECRET = "1b47061264138c4ac30d75fd1eb44270"  # Source: pulumi sdk/go/common/resource/sig, `Secret`
TOKEN = re.compile(r"\beyJ[\w-]{8,}\.|-----BEGIN [A-Z ]*PRIVATE KEY")
# Types that Azure gives no tags. Source: pulumi-azure-native 3.29.0, their arguments.
WITHOUT_TAGS = {
    "authorization:ManagementLockByScope",
    "authorization:RoleAssignment",
    "containerservice:MaintenanceConfiguration",
    "managedidentity:FederatedIdentityCredential",
    "monitor:DiagnosticSetting",
    "network:PrivateDnsZoneGroup",
    "network:Subnet",
    "privatedns:PrivateRecordSet",
    "storage:BlobContainer",
    "storage:BlobContainerImmutabilityPolicy",
    "storage:BlobServiceProperties",
    "storage:ManagementPolicy",
}
# Parts of a backup vault: the SDK has the argument, and Azure's answer holds none.
# Source: Azure REST reference, backup/protected-items and protection-policies, "Sample response".
TAGS_NOT_KEPT = {"recoveryservices:ProtectedItem", "recoveryservices:ProtectionPolicy"}
LOCKED = {
    "egress: open": "egress: locked",
    "mtls: permissive": "mtls: strict",
    "authorization: off": "authorization: enforced",
    "https://packages.example.com/": "file:///opt/packages/",
}


@pytest.fixture(scope="module")
def graph():
    return azure_example.record(azure_example.load())


@pytest.fixture(scope="module")
def locked():
    return azure_example.record(azure_example.load(azure_example.text_of(**LOCKED)))


def of_type(graph, suffix):
    """Return the resources of Azure or Kubernetes whose type ends in ``suffix``."""
    return [item for item in graph.all if item.typ.endswith(f":{suffix}") and not item.typ.startswith("slipway:")]


def native(graph):
    return [item for item in graph.all if item.typ.startswith("azure-native:")]


def one(graph, suffix):
    (found,) = of_type(graph, suffix)
    return found.inputs


def short(item):
    return item.typ.removeprefix("azure-native:")


def test_every_resource_has_a_parent(graph):
    roots = {name for name, request in graph.requests.items() if not request.parent}
    assert roots <= {"slipway-lab", "azure", "dev"}


def test_every_resource_is_tagged_where_azure_takes_tags(graph):
    for item in (found for found in native(graph) if short(found) not in TAGS_NOT_KEPT):
        takes = "tags" in azure_types.inputs_of(item.typ)
        assert takes is (short(item) not in WITHOUT_TAGS), item.typ
        if takes:
            assert item.inputs["tags"] == {"managed-by": "slipway", "mesh": "shop", "environment": "dev"}, item.name


def test_every_name_in_azure_is_stated_and_the_same_every_time(graph):
    """A name that Pulumi makes up changes with each replacement, and what knows it from outside is lost."""
    for item in native(graph):
        names = azure_types.names_of(item.typ)
        if short(item) != "authorization:RoleAssignment":  # its name is a GUID that nobody knows
            assert names, item.typ
            assert names <= set(item.inputs), (item.typ, names)


def test_every_input_is_one_that_the_sdk_knows(graph, locked):
    items = [*native(graph), *native(locked)]
    assert [mistake for item in items for mistake in azure_types.mistakes(item.typ, item.inputs)] == []


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("defaultOutboundAcces",), False),
        (("defaultOutboundAccess",), "false"),
        (("networkSecurityGroup", "idd"), "/subscriptions/a"),
        (("delegations",), [{"name": "a", "serviceNames": "b"}]),
        (("delegations",), {"name": "a"}),
    ],
)
def test_a_misspelt_or_mistyped_input_is_found(graph, path, value):
    inputs = dict(of_type(graph, "Subnet")[0].inputs)
    target = inputs
    for word in path[:-1]:
        target[word] = dict(target[word])
        target = target[word]
    target[path[-1]] = value
    assert len(azure_types.mistakes("azure-native:network:Subnet", inputs)) == 1


def key_vault(graph):
    return one(graph, "keyvault:Vault")


def archive_name():
    return azure_plan.archive_name(mesh="shop", environment="dev", region="westeurope")


def test_the_log_of_a_database_goes_to_a_container_that_only_its_machine_writes(graph):
    container = one(graph, "BlobContainer")
    assert (container["containerName"], container["publicAccess"]) == ("db-vm-log", "None")
    (right,) = (item.inputs for item in of_type(graph, "RoleAssignment") if "-writes-its-log" in item.name)
    assert right["scope"].rsplit("/", 1)[1] == "db-vm-log"
    assert right["principalId"] == "db-vm-identity-principal"
    assert right["roleDefinitionId"].endswith(place.Role.BLOB_CONTRIBUTOR.value)
    known = {
        item.name: base64.b64decode(item.inputs["userData"]).decode() for item in of_type(graph, "VirtualMachine")
    }
    assert f'"url": "https://{archive_name()}.blob.core.windows.net/db-vm-log"' in known["db-vm"]
    assert "archive_command = " in known["db-vm"]
    assert "archive_" not in known["billing-vm"]


def test_the_archive_has_no_key_and_no_public_address(graph):
    account = one(graph, "StorageAccount")
    assert not any(account[key] for key in ("allowSharedKeyAccess", "allowBlobPublicAccess", "isLocalUserEnabled"))
    assert (account["publicNetworkAccess"], account["networkRuleSet"]["defaultAction"]) == ("Disabled", "Deny")
    endpoint = next(item.inputs for item in of_type(graph, "PrivateEndpoint") if item.name == "archive-endpoint")
    assert endpoint["ipConfigurations"][0]["privateIPAddress"] == "10.20.0.37"


def test_who_asked_for_secrets_and_logs_is_written_down(graph):
    said = {item.name: item.inputs for item in of_type(graph, "DiagnosticSetting")}
    assert set(said) == {"shop-dev-logs", "vault-logs", "archive-logs"}
    assert [item["category"] for item in said["vault-logs"]["logs"]] == ["AuditEvent"]
    assert len({item["workspaceId"] for item in said.values()}) == 1


def test_nobody_changes_the_archive_while_a_backup_needs_it_and_it_goes_afterwards(graph):
    days = one(graph, "ProtectionPolicy")["properties"]["retentionPolicy"]["dailySchedule"]["retentionDuration"][
        "count"
    ]
    kept = one(graph, "BlobContainerImmutabilityPolicy")["immutabilityPeriodSinceCreationInDays"]
    (rule,) = one(graph, "ManagementPolicy")["policy"]["rules"]
    deleted = rule["definition"]["actions"]["baseBlob"]["delete"]["daysAfterCreationGreaterThan"]
    assert days <= kept < deleted


def test_the_relays_identity_is_the_one_that_an_older_program_made(graph):
    """Before the identity had a component of its own, it was a part of the relay: it must not be made anew."""
    former = "slipway:azure:Platform$slipway:azure:Relay::relay"
    for name in ("token-relay-identity", "token-relay-federation", "token-relay-writes-db-vm"):
        parents = {alias.spec.parentUrn for alias in graph.requests[name].aliases}
        assert len([item for item in parents if item.endswith(former)]) == 1, parents


def test_a_database_machine_is_backed_up_and_no_other(graph):
    item = one(graph, "ProtectedItem")
    assert item["protectedItemName"] == "VM;iaasvmcontainerv2;shop-dev;db-vm"
    assert item["properties"]["sourceResourceId"].endswith("/db-vm")
    policy = one(graph, "ProtectionPolicy")["properties"]
    assert policy["schedulePolicy"]["hourlySchedule"]["interval"] == 4
    assert policy["retentionPolicy"]["dailySchedule"]["retentionDuration"] == {"count": 30, "durationType": "Days"}


def test_what_cannot_be_made_again_is_protected(graph):
    protected = {item.name for item in native(graph) if graph.request(item).protect}
    assert protected == {"shop-dev", azure_plan.vault_name(mesh="shop", environment="dev", region="westeurope"),
                         "billing-vm-istio", "db-vm-istio",
                         "db-vm-data", "db-vm-data-lock", "backups", "databases", "db-vm-backup",
                         archive_name(), "archive-blobs", "archive-lifecycle", "db-vm-log", "db-vm-log-kept",
                         }  # fmt: skip
    assert key_vault(graph)["properties"]["enablePurgeProtection"] is True
    assert one(graph, "ManagementLockByScope")["level"] == "CanNotDelete"


def test_secrets_are_never_deleted_so_that_soft_delete_holds_no_name(graph):
    retained = {item.name for item in native(graph) if graph.request(item).retainOnDelete}
    assert retained == {"billing-vm-istio", "db-vm-istio"}


def test_a_development_environment_can_be_destroyed_whole():
    text = azure_example.text_of(**{"  region: westeurope\n": "  region: westeurope\n  keepData: false\n"})
    found = azure_example.record(azure_example.load(text))
    assert not any(found.request(item).protect for item in native(found))
    assert not of_type(found, "ManagementLockByScope")
    assert not of_type(found, "StorageAccount")
    assert not any("archive_" in base64.b64decode(item.inputs["userData"]).decode()
                   for item in of_type(found, "VirtualMachine"))  # fmt: skip
    assert "enablePurgeProtection" not in key_vault(found)["properties"]


def test_no_machine_has_a_public_address_and_no_subnet_a_way_out_by_default(graph):
    assert not of_type(graph, "PublicIPAddress")
    for item in of_type(graph, "NetworkInterface"):
        assert all("publicIPAddress" not in found for found in item.inputs["ipConfigurations"])
    for item in of_type(graph, "Subnet"):
        assert item.inputs["defaultOutboundAccess"] is False
        assert item.inputs["networkSecurityGroup"]["id"]


def inbound_allows(graph):
    for item in of_type(graph, "NetworkSecurityGroup"):
        for rule in item.inputs["securityRules"]:
            if rule["direction"] == "Inbound" and rule["access"] == "Allow":
                yield item.name, rule


@pytest.mark.parametrize("position", ["graph", "locked"])
def test_no_rule_lets_in_more_than_stated_networks(position, request):
    """Z1: neither the internet nor everything may come in, in any phase."""
    found = [*inbound_allows(request.getfixturevalue(position))]
    assert found
    for name, rule in found:
        sources = [rule.get("sourceAddressPrefix"), *rule.get("sourceAddressPrefixes", [])]
        assert not {"*", "Internet", "0.0.0.0/0"} & set(sources), name
        ports = {rule.get("destinationPortRange"), *rule.get("destinationPortRanges", [])}
        assert not {"*", "22", "15010", "15014", "15017"} & ports, name


def test_load_balancers_are_internal_and_have_a_subnet_of_their_own(graph):
    """Z2: neither istiod nor the ingress gateway gets a public address."""
    releases = {item.inputs["name"]: item.inputs for item in of_type(graph, "Release")}
    for name in ("istio-eastwestgateway", "istio-ingressgateway"):
        annotations = releases[name]["values"]["service"]["annotations"]
        prefix = "service.beta.kubernetes.io/azure-load-balancer"
        assert annotations[f"{prefix}-internal"] == "true"
        assert annotations[f"{prefix}-internal-subnet"] in {item.name for item in of_type(graph, "Subnet")}
        assert annotations[f"{prefix}-ipv4"].startswith("10.20.0.")


def ways_out(graph):
    return {item.name for item in of_type(graph, "Subnet") if "natGateway" in item.inputs}


def test_once_locked_only_nodes_and_gateways_have_a_way_out(graph, locked):
    """Z5: a pod or machine that ignores its sidecar finds no other way to the internet."""
    assert ways_out(graph) == {"nodes", "machines", "pods-system", "pods-workloads", "pods-gateways"}
    assert ways_out(locked) == {"nodes", "pods-system", "pods-gateways"}
    for name in ("machines-rules", "pods-workloads-rules"):
        (rule,) = next(item.inputs["securityRules"] for item in locked.all if item.name == name)
        what = (rule["access"], rule["destinationAddressPrefix"], rule["direction"])
        assert what == ("Deny", "Internet", "Outbound"), name
    assert one(locked, "ManagedCluster")["networkProfile"]["outboundType"] == "userAssignedNATGateway"


def test_the_cluster_is_istios_own_private_and_without_local_accounts(graph):
    """Z8, Z11: no add-on mesh, nobody without Entra, an API that is private unless networks are stated."""
    cluster = one(graph, "ManagedCluster")
    assert cluster["serviceMeshProfile"] == {"mode": "Disabled"}
    assert cluster["disableLocalAccounts"] is True
    assert cluster["aadProfile"]["enableAzureRBAC"] is True
    assert cluster["apiServerAccessProfile"]["enablePrivateCluster"] is True
    assert "authorizedIPRanges" not in cluster["apiServerAccessProfile"]
    text = azure_example.text_of(**{"  region: westeurope\n": "  region: westeurope\n  api: [203.0.113.16/28]\n"})
    access = one(azure_example.record(azure_example.load(text)), "ManagedCluster")["apiServerAccessProfile"]
    assert access["enablePrivateCluster"] is False
    assert access["authorizedIPRanges"] == ["203.0.113.16/28"]


def test_the_clusters_identity_has_its_rights_before_the_cluster_and_no_others(graph):
    rights = [item for item in of_type(graph, "RoleAssignment") if "-manages-" in item.name]
    scopes = {item.inputs["scope"].rsplit("/", 1)[1] for item in rights}
    assert scopes == {"nodes", "load-balancers", "api-server", "pods-system", "pods-workloads", "pods-gateways"}
    assert {item.name for item in rights} <= graph.before("shop-dev", kind="ManagedCluster")


def test_every_role_says_what_kind_of_principal_it_is_for(graph):
    for item in of_type(graph, "RoleAssignment"):
        assert item.inputs["principalType"] in {"ServicePrincipal", "Group"}
        assert item.inputs["roleDefinitionId"].startswith(f"/subscriptions/{azure_example.SUBSCRIPTION}/providers/")


def test_a_machine_reads_its_own_secret_and_nothing_else(graph):
    for machine in ("billing-vm", "db-vm"):
        principal = f"{machine}-identity-principal"
        rights = [item.inputs for item in of_type(graph, "RoleAssignment") if item.inputs["principalId"] == principal]
        found = {item["scope"].rsplit("/", 1)[1]: item["roleDefinitionId"].rsplit("/", 1)[1] for item in rights}
        log = {"db-vm-log": place.Role.BLOB_CONTRIBUTOR.value} if machine == "db-vm" else {}
        assert found == {f"{machine}-istio": place.Role.SECRETS_USER.value, **log}


def test_a_machine_has_trusted_launch_and_a_static_address(graph):
    for item in of_type(graph, "VirtualMachine"):
        profile = item.inputs["securityProfile"]
        assert profile["securityType"] == "TrustedLaunch"
        assert profile["uefiSettings"] == {"secureBootEnabled": True, "vTpmEnabled": True}
        assert item.inputs["diagnosticsProfile"]["bootDiagnostics"]["enabled"] is True
        assert "customData" not in item.inputs["osProfile"]
        assert item.inputs["osProfile"]["linuxConfiguration"]["disablePasswordAuthentication"] is True


def test_user_data_names_the_machines_own_secret_and_holds_none(graph):
    """S1: what anybody may read in Azure holds no credential."""
    for item in of_type(graph, "VirtualMachine"):
        text = base64.b64decode(item.inputs["userData"]).decode()
        assert f'"secret": "{item.name}-istio"' in text
        assert not TOKEN.search(text)


def test_no_input_holds_a_token_or_a_key(graph):
    """S2: nothing secret in what Pulumi writes into its state."""
    for item in graph.all:
        text = json.dumps(item.inputs, default=str)
        assert not TOKEN.search(text) or item.typ.endswith(":ConfigMap"), item.name


def test_the_kubeconfig_and_the_secrets_values_are_marked_secret(graph):
    provider = graph.requests["dev-cluster"].object
    assert provider["kubeconfig"][azure_types.SECRET] == IS_SECRET
    for item in of_type(graph, "Secret"):
        value = graph.request(item).object["properties"]["value"]
        assert value[azure_types.SECRET] == IS_SECRET
        assert "properties.value" in graph.request(item).ignoreChanges


def test_a_machine_boots_after_its_right_its_token_and_the_way_to_istiod(graph):
    before = graph.before("db-vm", kind="VirtualMachine")
    assert {"db-vm-reads-its-secret", "Deployment/slipway-system/token-relay", "istio-eastwestgateway"} <= before
    assert {"ServiceAccount/data/db-vm", "WorkloadEntry/data/db-vm"} <= before


def test_the_database_lives_on_a_disk_of_its_own_without_a_cache(graph):
    machine = next(item.inputs for item in of_type(graph, "VirtualMachine") if item.name == "db-vm")
    (disk,) = machine["storageProfile"]["dataDisks"]
    assert (disk["caching"], disk["deleteOption"], disk["createOption"]) == ("None", "Detach", "Attach")
    assert one(graph, "Disk")["zones"] == machine["zones"] == ["2"]
    assert "folder=/var/lib/postgresql" in base64.b64decode(machine["userData"]).decode()


def test_gateways_run_where_the_way_out_is_and_nothing_else_does(graph):
    pools = {item.name: item.inputs for item in of_type(graph, "AgentPool")}
    assert pools["gateways"]["nodeTaints"] == ["slipway.dev/pool=gateways:NoSchedule"]
    assert pools["gateways"]["podSubnetID"].endswith("/pods-gateways")
    assert pools["workloads"]["podSubnetID"].endswith("/pods-workloads")
    for item in of_type(graph, "Release"):
        if item.inputs["name"].endswith("gateway"):
            assert item.inputs["values"]["nodeSelector"] == {"slipway.dev/pool": "gateways"}
            assert item.inputs["values"]["tolerations"][0]["value"] == "gateways"


def test_the_relay_may_ask_for_the_machines_tokens_by_name_only(graph):
    roles = {item.name: item.inputs["rules"] for item in of_type(graph, "Role")}
    tokens, root = roles["Role/data/token-relay"]
    assert (tokens["resources"], tokens["verbs"], tokens["resourceNames"]) == (
        ["serviceaccounts/token"], ["create"], ["db-vm"])  # fmt: skip
    assert root["resourceNames"] == ["istio-ca-root-cert"]
    written = [
        item.inputs for item in of_type(graph, "RoleAssignment") if item.name.startswith("token-relay-writes-")
    ]
    assert {item["scope"].rsplit("/", 1)[1] for item in written} == {"billing-vm-istio", "db-vm-istio"}


def test_an_environment_without_machines_needs_no_relay_for_them():
    text = azure_example.text_of()
    text = text[: text.index("machines:\n  billing-vm")] + "runsOn: {billing: [cluster], orders-db: [cluster]}\n" + \
        text[text.index("phase:"):]  # fmt: skip
    found = azure_example.record(azure_example.load(text.replace("  region:", "  pods: overlay\n  region:")
                                                    .replace("10.20.8.0/21", "10.32.0.0/12")))  # fmt: skip
    assert not of_type(found, "VirtualMachine")
    assert one(found, "ManagedCluster")["networkProfile"]["networkPluginMode"] == "overlay"
    assert ways_out(found) == {"nodes", "machines"}
    assert {item.name for item in of_type(found, "Role")} == {"Role/istio-ingress/token-relay"}


def _in_overlay() -> azure_example.Azure:
    text = (
        azure_example.text_of()
        .replace("  region:", "  pods: overlay\n  region:")
        .replace("10.20.8.0/21", "10.32.0.0/12")
    )
    return azure_example.record(azure_example.load(text))


def test_in_an_overlay_machines_reach_load_balancers_and_no_node():
    found = _in_overlay()
    rules = next(item for item in of_type(found, "NetworkSecurityGroup") if item.name == "nodes-rules")
    told = [
        (
            item["name"],
            item["access"],
            item["sourceAddressPrefix"],
            item["destinationAddressPrefix"],
            item["destinationPortRange"],
        )
        for item in sorted(rules.inputs["securityRules"], key=lambda item: item["priority"])
    ]
    machines, nodes = "10.20.1.0/24", "10.20.2.0/24"
    assert told == [
        ("allow-istiod", "Allow", machines, "10.20.0.4/32", "15012"),
        ("allow-services", "Allow", machines, "10.20.0.4/32", "15443"),
        ("allow-traces", "Allow", machines, "10.20.0.4/32", "9411"),
        ("allow-egress", "Allow", machines, "10.20.0.6/32", "8443"),
        ("deny-istiod", "Deny", "VirtualNetwork", "10.20.0.4/32", "*"),
        ("deny-egress", "Deny", "VirtualNetwork", "10.20.0.6/32", "*"),
        ("deny-machines", "Deny", machines, nodes, "*"),
    ]


def test_in_an_overlay_istio_knows_two_networks():
    found = _in_overlay()
    (system,) = [item for item in of_type(found, "Namespace") if item.name == "Namespace/istio-system"]
    assert system.inputs["metadata"]["labels"]["topology.istio.io/network"] == "pods"
    releases = {item.name: item.inputs["values"] for item in of_type(found, "Release")}
    assert releases["istiod-1-29-1"]["global"]["network"] == "pods"
    door = releases["istio-eastwestgateway"]
    assert door["service"]["loadBalancerSourceRanges"] == ["10.20.1.0/24"]
    assert door["service"]["annotations"]["service.beta.kubernetes.io/azure-load-balancer-internal"] == "true"
    assert "loadBalancerSourceRanges" not in releases["istio-ingressgateway"]["service"]
    entries = list(of_type(found, "WorkloadEntry"))
    assert {item.inputs["spec"]["network"] for item in entries} == {"machines"}


def test_a_preview_asks_azure_for_nothing_that_is_not_there_yet():
    preview = azure_example.record(azure_example.load(), preview=True)
    assert len(preview.all) > 100


def test_the_kubeconfig_logs_in_without_a_device_code():
    encoded = base64.b64encode(json.dumps(azure_example.KUBECONFIG).encode()).decode()
    (user,) = json.loads(kubeconfig.readable(encoded))["users"]
    assert user["user"]["exec"]["args"] == ["get-token", "--server-id", "server", "--login", "azurecli"]


def test_another_way_of_logging_in_is_left_as_it_is():
    other = {**azure_example.KUBECONFIG, "users": [{"name": "lab", "user": {"client-certificate": "/etc/a"}}]}
    assert json.loads(kubeconfig.readable(base64.b64encode(json.dumps(other).encode()).decode())) == other


def test_a_names_zone_holds_that_name_only(graph):
    zones = {item.inputs["privateZoneName"] for item in of_type(graph, "PrivateZone")}
    assert zones == {"billing.corp.local", "privatelink.vaultcore.azure.net", "privatelink.blob.core.windows.net"}


def test_a_boot_check_goes_before_its_successor_for_both_have_one_name(graph):
    found = of_type(graph, "VirtualMachineRunCommandByVirtualMachine")
    assert [graph.request(item).deleteBeforeReplace for item in found] == [True, True]


def test_other_user_data_makes_another_boot_check():
    first, second = boot_check.script("a"), boot_check.script("b")
    assert first != second
    assert "@" not in first.replace("@WANTED@", "@")
    for text in (first, second):
        assert subprocess.run(["sh", "-n"], input=text, text=True, check=False).returncode == 0
