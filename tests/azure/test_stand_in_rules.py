"""Each rule of the stand-in, broken by one resource; the same resources go through the engine in another file."""

import copy
import time

import pytest
import stand_in_example as example
import stand_in_refusals as refusals
from standin import arm, catalogue, checking, cloud, faults, manager, outputs, schema, values

ITEM = {
    "properties.policyId": example.rid("Microsoft.RecoveryServices/vaults", "rsv-shop", "backupPolicies", "daily"),
    "properties.sourceResourceId": example.rid("Microsoft.Compute/virtualMachines", "vm-db"),
}


def given(inputs):
    """Return inputs without what a case leaves out on purpose."""
    if isinstance(inputs, dict):
        return {key: given(value) for key, value in inputs.items() if value is not None}
    return [given(item) for item in inputs] if isinstance(inputs, list) else inputs


def kind_of(made):
    return catalogue.by_token(f"azure-native:{made.token}")


def id_of(made):
    return kind_of(made).path.id(made.inputs)


def create(azure, made):
    kind, inputs = kind_of(made), given(made.inputs)
    if "resourceGroupName" in inputs and kind.is_top_level:
        inputs = {"location": example.REGION, **inputs}
    return azure.create(kind, inputs)


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """Return the bytes of a cloud in which everything of the base exists."""
    path = tmp_path_factory.mktemp("cloud") / "cloud.json"
    known = cloud.Cloud(path)
    operations = manager.Manager(known, faults.Faults(None, known))
    for made in example.BASE:
        create(operations, made)
    return path.read_bytes()


@pytest.fixture
def control(tmp_path):
    return tmp_path / "faults.json"


@pytest.fixture
def azure(tmp_path, built, control):
    path = tmp_path / "cloud.json"
    path.write_bytes(built)
    known = cloud.Cloud(path)
    return manager.Manager(known, faults.Faults(control, known))


@pytest.mark.parametrize("case", [*refusals.CREATES, *refusals.CHANGES], ids=lambda case: case.says)
def test_a_refusal_comes_from_azure_and_not_from_the_types(case):
    resource = schema.resource(kind_of(case.made).token)
    assert not checking.inputs(resource, given(case.made.inputs))


@pytest.mark.parametrize("case", refusals.CREATES, ids=lambda case: case.made.name)
def test_what_azure_refuses_to_create_is_refused_and_leaves_nothing(azure, case):
    before = {record.key for record in azure.cloud.all()}
    with pytest.raises(arm.RefusalError) as refused:
        create(azure, case.made)
    assert case.says in str(refused.value)
    assert {record.key for record in azure.cloud.all()} == before


@pytest.mark.parametrize("case", refusals.CHANGES, ids=lambda case: case.says)
def test_what_azure_refuses_to_change_is_refused_and_changes_nothing(azure, case):
    before = azure.cloud.get(id_of(case.made))
    with pytest.raises(arm.RefusalError) as refused:
        azure.update(kind_of(case.made), id_of(case.made), {"location": example.REGION, **given(case.made.inputs)})
    assert case.says in str(refused.value)
    assert azure.cloud.get(id_of(case.made)) == before


@pytest.mark.parametrize("case", refusals.DELETES, ids=lambda case: f"{case.made.name}-{case.says}")
def test_what_azure_refuses_to_delete_is_refused_and_stays(azure, case):
    with pytest.raises(arm.RefusalError) as refused:
        azure.delete(kind_of(case.made), id_of(case.made))
    assert case.says in str(refused.value)
    assert azure.cloud.get(id_of(case.made)) is not None


def test_a_lock_keeps_what_it_covers_and_what_that_stands_in(azure):
    scope = id_of(example.disk("data-db"))
    create(azure, example.lock("hold", scope))
    group = catalogue.by_token("azure-native:resources:ResourceGroup")
    for kind, resource_id in ((group, f"{arm.ROOT}/resourceGroups/{example.GROUP}"), (kind_of(example.DISK), scope)):
        with pytest.raises(arm.RefusalError, match="ScopeLocked"):
            azure.delete(kind, resource_id)
    account = example.rid("Microsoft.Storage/storageAccounts", "stshop")
    for lock in (example.lock("hold", scope), example.lock("keep", account)):
        azure.delete(kind_of(lock), id_of(lock))
    azure.delete(group, f"{arm.ROOT}/resourceGroups/{example.GROUP}")
    assert [arm.name_of(record.id) for record in azure.cloud.all("Microsoft.Resources/resourceGroups")] == [
        "rg-other"
    ]


def test_a_read_only_lock_refuses_changes_too(azure):
    create(azure, example.lock("freeze", id_of(example.disk("data-db")), level="ReadOnly"))
    with pytest.raises(arm.RefusalError, match="ScopeLocked"):
        azure.update(kind_of(example.DISK), id_of(example.DISK), {**example.DISK.inputs, "diskSizeGB": 64})


def test_a_deleted_vault_keeps_its_name_until_it_is_recovered(azure):
    made = example.vault("kv-shop")
    azure.delete(kind_of(made), id_of(made))
    with pytest.raises(arm.RefusalError, match="exists in deleted state"):
        create(azure, made)
    create(azure, example.vault("kv-shop", createMode="recover"))
    assert azure.cloud.get(id_of(made)) is not None


def test_a_deleted_secret_keeps_its_name(azure):
    made = next(item for item in example.BASE if item.token == "keyvault:Secret")
    azure.delete(kind_of(made), id_of(made))
    with pytest.raises(arm.RefusalError, match="ObjectIsDeletedButRecoverable"):
        create(azure, made)


def test_a_vault_with_protected_items_and_a_policy_in_use_stay(azure):
    policy = example.Made("recoveryservices:ProtectionPolicy", "daily", {
        "resourceGroupName": example.GROUP, "vaultName": "rsv-shop", "policyName": "daily"})  # fmt: skip
    create(azure, policy)
    item = copy.deepcopy(next(case.made for case in refusals.CREATES if case.made.name == "b-item"))
    item.inputs["properties"] |= {path.split(".")[1]: value for path, value in ITEM.items()}
    create(azure, item)
    with pytest.raises(arm.RefusalError, match="BMSUserErrorPolicyInUse"):
        azure.delete(kind_of(policy), id_of(policy))
    with pytest.raises(arm.RefusalError, match="there are existing resources"):
        azure.delete(catalogue.by_token("azure-native:recoveryservices:Vault"),
                     example.rid("Microsoft.RecoveryServices/vaults", "rsv-shop"))  # fmt: skip


def test_subnets_in_the_network_s_own_inputs_remove_those_that_stand_alone(azure):
    inputs = {**next(item for item in example.BASE if item.name == "twin").inputs, "location": example.REGION}
    kind, made = kind_of(example.network("VirtualNetwork", "twin")), example.network("VirtualNetwork", "twin")
    azure.update(kind, id_of(made), inputs)
    assert azure.cloud.get(example.subnet_id("far", "twin")) is not None
    azure.update(kind, id_of(made), {**inputs, "subnets": [{"name": "near", "addressPrefix": "10.9.2.0/24"}]})
    assert azure.cloud.get(example.subnet_id("far", "twin")) is None
    assert azure.cloud.get(example.subnet_id("near", "twin")) is not None


def test_a_cluster_brings_its_own_group_and_takes_it_away(azure):
    nodes = f"{arm.ROOT}/resourceGroups/MC_{example.GROUP}_aks_{example.REGION}"
    assert azure.cloud.get(nodes) is not None
    azure.delete(kind_of(example.cluster("aks")), id_of(example.cluster("aks")))
    assert azure.cloud.get(nodes) is None
    assert azure.cloud.get(id_of(example.cluster("aks")) + "/agentPools/system") is None


def test_an_identity_made_again_is_another_principal(azure):
    made = example.Made("managedidentity:UserAssignedIdentity", "id-new", {
        "resourceGroupName": example.GROUP, "resourceName": "id-new"})  # fmt: skip
    seen = set()
    for _ in range(2):
        record = create(azure, made)
        seen.add(outputs.of(azure.cloud, kind_of(made), record)["principalId"])
        azure.delete(kind_of(made), record.id)
    assert len(seen) == 2


def test_what_azure_never_gives_back_is_in_no_output(azure):
    secret = next(item for item in example.BASE if item.token == "keyvault:Secret")
    for made in (secret, example.machine("vm-db", "nic-db")):
        record = azure.cloud.get(id_of(made))
        shown = dict(values.leaves(outputs.of(azure.cloud, kind_of(made), record)))
        assert not {"properties.value", "osProfile.customData", "userData"} & set(shown)
        assert "not-in-any-output" not in map(str, shown.values())


def test_four_throttled_tries_fail_and_three_do_not(azure, control):
    control.write_text('[{"on": "create", "do": "throttle", "name": "d-*", "times": 3}]')
    create(azure, example.disk("d-three"))
    control.write_text('[{"on": "create", "do": "throttle", "name": "d-*", "times": 4}]')
    with pytest.raises(arm.RefusalError, match="TooManyRequests"):
        create(azure, example.disk("d-four"))
    create(azure, example.disk("d-four"))


def test_a_create_that_fails_half_way_leaves_what_the_next_update_repairs(azure, control):
    control.write_text('[{"on": "create", "do": "partial", "type": "compute:*", "code": "AllocationFailed"}]')
    with pytest.raises(manager.PartialError, match="AllocationFailed"):
        create(azure, example.disk("d-half"))
    made = example.disk("d-half")
    assert azure.cloud.get(id_of(made)).provisioning_state == "Failed"
    azure.update(kind_of(made), id_of(made), {**given(made.inputs), "location": example.REGION})
    assert azure.cloud.get(id_of(made)).provisioning_state == "Succeeded"


def test_a_refused_delete_is_refused_once(azure, control):
    control.write_text('[{"on": "delete", "do": "refuse", "name": "nic-free", "code": "AnotherOperationInProgress"}]')
    made = example.card("nic-free")
    with pytest.raises(arm.RefusalError, match="AnotherOperationInProgress"):
        azure.delete(kind_of(made), id_of(made))
    azure.delete(kind_of(made), id_of(made))
    assert azure.cloud.get(id_of(made)) is None


def test_a_slow_operation_goes_on_in_azure_after_a_restart(azure, control, tmp_path):
    control.write_text('[{"on": "update", "do": "slow", "seconds": 0.3}]')
    started = time.monotonic()
    made = example.disk("data-db", diskSizeGB=64)
    azure.update(kind_of(made), id_of(made), {**given(made.inputs), "location": example.REGION})
    assert time.monotonic() - started >= 0.3
    again = cloud.Cloud(tmp_path / "cloud.json")
    assert again.get(id_of(made)).inputs["diskSizeGB"] == 64
    assert again.all() == azure.cloud.all()
