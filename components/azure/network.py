"""The virtual network: subnets by role, who may talk to whom between them, and the ways out."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pulumi
from pulumi_azure_native import network

from components.azure import security_rules
from components.azure.place import Place
from slipway.mesh import azure, azure_plan, model

# The default, and the shortest: fewer ports are held by dead connections. Source: Azure documentation,
# nat-gateway/nat-gateway-resource.
IDLE_TIMEOUT_MINUTES = 4
# Source: AKS documentation, configure-azure-cni-dynamic-ip-allocation and api-server-vnet-integration.
_AKS = "Microsoft.ContainerService/managedClusters"


@dataclass(frozen=True, slots=True, kw_only=True)
class NetworkArgs:
    """The address plan and what follows from positions.

    ``plan`` is the declaration's; ``pod_network`` says whether pods have subnets; ``egress`` is the position of the
    phase: once it is locked, only nodes and gateways have a way out, because anything else would be a way around the
    egress gateway; ``zones`` are those of the public addresses, empty for none.
    """

    place: Place
    plan: model.Network
    pod_network: azure.PodNetwork
    egress: model.EgressMode
    zones: Sequence[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Part:
    """One subnet: its block, its rules, its way out (None: none) and whom Azure lets manage it (empty: nobody)."""

    block: str
    rules: tuple[network.SecurityRuleArgs, ...]
    way_out: str | None = None
    delegated_to: str = ""


class Network(pulumi.ComponentResource):
    """A virtual network with one subnet per role; no subnet has the way out that Azure would give by default.

    ``subnets`` are ids by name: ``nodes``, ``machines``, ``load-balancers``, ``endpoints``, ``api-server``, and with
    pod subnets ``pods-system``, ``pods-workloads`` and ``pods-gateways``. ``address_prefix`` are the public addresses
    from which allowed traffic to outside hosts comes.
    """

    virtual_network: network.VirtualNetwork
    subnets: Mapping[str, network.Subnet]
    address_prefix: pulumi.Output[str]

    def __init__(self, name: str, args: NetworkArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("slipway:azure:Network", name, None, opts)
        self._args = args
        self._opts = pulumi.ResourceOptions(parent=self)
        pod_subnets = args.pod_network is azure.PodNetwork.POD_SUBNET
        self.virtual_network = network.VirtualNetwork(
            "network",
            resource_group_name=args.place.group,
            location=args.place.region,
            virtual_network_name="network",
            address_space=network.AddressSpaceArgs(
                address_prefixes=azure_plan.address_space(args.plan, pod_subnets=pod_subnets)
            ),
            tags=args.place.tags,
            opts=self._opts,
        )
        egress_addresses, egress = self._way_out("egress")
        _, nodes = self._way_out("nodes")
        self.address_prefix = egress_addresses.ip_prefix
        self.subnets = self._subnets({"egress": egress, "nodes": nodes}, pod_subnets=pod_subnets)
        self.register_outputs({"network": self.virtual_network.id, "egressAddresses": self.address_prefix})

    def _way_out(self, name: str) -> tuple[network.PublicIPPrefix, network.NatGateway]:
        place = self._args.place
        addresses = network.PublicIPPrefix(
            f"{name}-addresses",
            resource_group_name=place.group,
            location=place.region,
            public_ip_prefix_name=f"{name}-addresses",
            prefix_length=azure_plan.PUBLIC_PREFIXES[name],
            sku=network.PublicIPPrefixSkuArgs(name="Standard", tier="Regional"),
            zones=[*self._args.zones],
            tags=place.tags,
            opts=self._opts,
        )
        gateway = network.NatGateway(
            f"{name}-nat",
            resource_group_name=place.group,
            location=place.region,
            nat_gateway_name=f"{name}-nat",
            sku=network.NatGatewaySkuArgs(name="Standard"),
            public_ip_prefixes=[network.SubResourceArgs(id=addresses.id)],
            idle_timeout_in_minutes=IDLE_TIMEOUT_MINUTES,
            tags=place.tags,
            opts=self._opts,
        )
        return addresses, gateway

    def _subnets(self, ways: Mapping[str, network.NatGateway], *, pod_subnets: bool) -> dict[str, network.Subnet]:
        """Create the subnets one after the other: Azure changes a virtual network by one request at a time.

        Source: Azure documentation, azure-resource-manager/troubleshooting, "AnotherOperationInProgress".
        """
        found: dict[str, network.Subnet] = {}
        for name, part in _parts(self._args, pod_subnets=pod_subnets).items():
            after = [found[last] for last in list(found)[-1:]]
            found[name] = self._subnet(name, part, ways, after)
        return found

    def _subnet(
        self, name: str, part: _Part, ways: Mapping[str, network.NatGateway], after: Sequence[pulumi.Resource]
    ) -> network.Subnet:
        place = self._args.place
        group = network.NetworkSecurityGroup(
            f"{name}-rules",
            resource_group_name=place.group,
            location=place.region,
            network_security_group_name=f"{name}-rules",
            security_rules=part.rules,
            tags=place.tags,
            opts=self._opts,
        )
        delegation = network.DelegationArgs(name="aks-delegation", service_name=part.delegated_to)
        way_out = None if part.way_out is None else network.SubResourceArgs(id=ways[part.way_out].id)
        return network.Subnet(
            name,
            resource_group_name=place.group,
            virtual_network_name=self.virtual_network.name,
            subnet_name=name,
            address_prefix=part.block,
            default_outbound_access=False,
            network_security_group=network.NetworkSecurityGroupArgs(id=group.id),
            nat_gateway=way_out,
            delegations=[delegation] if part.delegated_to else None,
            private_endpoint_network_policies="Enabled",
            opts=pulumi.ResourceOptions(parent=self, depends_on=[*after]),
        )


def _parts(args: NetworkArgs, *, pod_subnets: bool) -> dict[str, _Part]:
    """Return every subnet by its name, in the order of creation."""
    plan = args.plan
    own = azure_plan.infrastructure(plan.infrastructure)
    locked = args.egress is model.EgressMode.LOCKED
    way_out, no_internet = (None, security_rules.no_internet()) if locked else ("nodes", ())
    parts = {
        azure_plan.LOAD_BALANCERS: _Part(block=own.load_balancers, rules=()),
        "endpoints": _Part(block=own.endpoints, rules=security_rules.endpoints(plan)),
        "api-server": _Part(block=own.api_server, rules=(), delegated_to=_AKS),
        "machines": _Part(block=plan.machines, rules=no_internet, way_out=way_out),
        "nodes": _Part(block=plan.nodes, rules=security_rules.nodes(plan), way_out="nodes"),
    }
    if pod_subnets:
        pods = azure_plan.pods(plan.pods)
        parts |= {
            "pods-system": _Part(block=pods.system, rules=(), way_out="nodes", delegated_to=_AKS),
            "pods-workloads": _Part(block=pods.workloads, rules=no_internet, way_out=way_out, delegated_to=_AKS),
            "pods-gateways": _Part(block=pods.gateways, rules=(), way_out="egress", delegated_to=_AKS),
        }
    return parts
