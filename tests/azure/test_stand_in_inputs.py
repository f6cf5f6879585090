"""Inputs against the SDK's own types."""

import pytest
from standin import catalogue, checking, schema


def problems(token, inputs):
    return [problem.text for problem in checking.inputs(schema.resource(f"azure-native:{token}"), inputs)]


PLACE = {"resource_group_name": "rg"}
SUBNET = {"resourceGroupName": "rg", "virtualNetworkName": "v"}


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({**SUBNET, "adressPrefix": "x"}, "Subnet: unknown property `adressPrefix`; did you mean `addressPrefix`?"),
        ({**SUBNET, "address_prefix": "x"}, "unknown property `address_prefix`; did you mean `addressPrefix`?"),
        ({**SUBNET, "zzz": 1}, "unknown property `zzz`; known: addressPrefix, "),
        ({"virtualNetworkName": "v"}, "missing required property `resourceGroupName`"),
        ({**SUBNET, "addressPrefix": 10}, "`addressPrefix` must be a text; found int 10"),
        ({**SUBNET, "defaultOutboundAccess": "false"}, "must be true or false; found 'false'"),
        ({**SUBNET, "addressPrefixes": "10.0.0.0/8"}, "`addressPrefixes` must be a list; found '10.0.0.0/8'"),
        ({**SUBNET, "natGateway": "id"}, "`natGateway` must be an object; found 'id'"),
        ({**SUBNET, "delegations": [{"servicename": "x"}]},
         "unknown property `servicename` of `delegations[0]`; did you mean `serviceName`?"),
        ({**SUBNET, "privateEndpointNetworkPolicies": "enabled"},
         "must be one of Enabled, Disabled, NetworkSecurityGroupEnabled, RouteTableEnabled; found 'enabled'"),
    ],
)  # fmt: skip
def test_a_mistake_is_named_with_the_nearest_that_exists(given, said):
    found = problems("network:Subnet", given)
    assert len(found) == 1
    assert said in found[0]


def test_whole_numbers_texts_and_maps_are_told_apart():
    pool = {"resourceGroupName": "rg", "resourceName": "aks"}
    assert "must be a whole number" in problems("containerservice:AgentPool", {**pool, "count": 1.5})[0]
    assert "must be a whole number" in problems("containerservice:AgentPool", {**pool, "count": True})[0]
    assert (
        "`nodeLabels.tier` must be a text"
        in problems("containerservice:AgentPool", {**pool, "nodeLabels": {"tier": 1}})[0]
    )
    assert not problems(
        "containerservice:AgentPool", {**pool, "count": 3, "spotMaxPrice": -1, "vmSize": "Standard_D4ds_v5"}
    )


def test_a_union_takes_the_member_of_its_discriminator_and_no_snake_case():
    group = {"resourceGroupName": "rg", "firewallPolicyName": "p"}
    rule = {"name": "r", "ruleType": "NetworkRule", "ipProtocols": ["TCP"], "source_addresses": ["10.0.0.0/8"]}
    collection = {"ruleCollectionType": "FirewallPolicyFilterRuleCollection", "rules": [rule]}
    found = problems("network:FirewallPolicyRuleCollectionGroup", {**group, "ruleCollections": [collection]})
    assert len(found) == 1
    assert (
        "unknown property `source_addresses` of `ruleCollections[0].rules[0]`; did you mean `sourceAddresses`?"
        in found[0]
    )
    rule["sourceAddresses"] = rule.pop("source_addresses")
    assert not problems("network:FirewallPolicyRuleCollectionGroup", {**group, "ruleCollections": [collection]})
    rule["ruleType"] = "NetworkRules"
    assert problems("network:FirewallPolicyRuleCollectionGroup", {**group, "ruleCollections": [collection]})


def test_sizes_of_machines_are_not_limited_to_the_sdk_s_examples():
    machine = {"resourceGroupName": "rg", "hardwareProfile": {"vmSize": "Standard_D4ds_v6"}}
    assert not problems("compute:VirtualMachine", machine)


@pytest.mark.parametrize("kind", catalogue.TYPES.values(), ids=lambda kind: kind.short)
def test_every_table_speaks_of_properties_that_the_sdk_has(kind):
    resource = schema.resource(kind.token)
    assert resource.api_version
    assert set(kind.path.parameters) <= set(resource.inputs)
    for path in (*kind.replaces, *kind.fixed, *kind.hidden, *(name for name, _ in kind.inline)):
        fields = resource.inputs
        for name in path.split("."):
            assert name in fields, path
            shape = fields[name].shape
            fields = schema.fields(shape.cls) if isinstance(shape, schema.Typed) else {}


def test_what_the_sdk_does_not_have_is_refused():
    with pytest.raises(schema.NotInSdkError, match="no module"):
        schema.resource("azure-native:networks:Subnet")
    with pytest.raises(schema.NotInSdkError, match="no resource"):
        schema.resource("azure-native:network:Subnets")
    with pytest.raises(catalogue.NotModelledError, match="add it"):
        catalogue.by_token("azure-native:aad:DomainService")
