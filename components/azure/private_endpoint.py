"""A private endpoint: a service of Azure's with an address in the network, and the name that leads there."""

from dataclasses import dataclass

import pulumi
from pulumi_azure_native import network, privatedns

from components.azure.place import Place


@dataclass(frozen=True, slots=True, kw_only=True)
class PrivateEndpointArgs:
    """One endpoint.

    ``service`` is the id of what is reached, ``kind`` its group and ``member`` the part of it; ``zone`` is the DNS
    zone of such endpoints, ``address`` the one that it gets in ``subnet``; ``network`` is the network that asks.
    Source: Azure documentation, private-link/private-endpoint-dns, "Public DNS zone forwarders".
    """

    place: Place
    service: pulumi.Input[str]
    kind: str
    member: str
    zone: str
    address: str
    subnet: pulumi.Input[str]
    network: pulumi.Input[str]


class PrivateEndpoint(pulumi.ComponentResource):
    """An endpoint with a stated address, its zone and the zone's link to the network."""

    ready: pulumi.Resource

    def __init__(self, name: str, args: PrivateEndpointArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("slipway:azure:PrivateEndpoint", name, None, opts)
        own = pulumi.ResourceOptions(parent=self)
        zone = privatedns.PrivateZone(
            args.zone,
            resource_group_name=args.place.group,
            private_zone_name=args.zone,
            location="Global",
            tags=args.place.tags,
            opts=own,
        )
        privatedns.VirtualNetworkLink(
            f"{args.zone}-link",
            resource_group_name=args.place.group,
            private_zone_name=zone.name,
            virtual_network_link_name="network",
            location="Global",
            registration_enabled=False,
            virtual_network=privatedns.SubResourceArgs(id=args.network),
            tags=args.place.tags,
            opts=own,
        )
        endpoint = network.PrivateEndpoint(
            name,
            resource_group_name=args.place.group,
            location=args.place.region,
            private_endpoint_name=name,
            custom_network_interface_name=f"{name}-interface",
            subnet=network.SubnetArgs(id=args.subnet),
            ip_configurations=[
                network.PrivateEndpointIPConfigurationArgs(
                    name=name, group_id=args.kind, member_name=args.member, private_ip_address=args.address
                )
            ],
            private_link_service_connections=[
                network.PrivateLinkServiceConnectionArgs(
                    name=name, private_link_service_id=args.service, group_ids=[args.kind]
                )
            ],
            tags=args.place.tags,
            opts=own,
        )
        self.ready = network.PrivateDnsZoneGroup(
            f"{name}-names",
            resource_group_name=args.place.group,
            private_endpoint_name=endpoint.name,
            private_dns_zone_group_name="default",
            private_dns_zone_configs=[
                network.PrivateDnsZoneConfigArgs(name=args.kind, private_dns_zone_id=zone.id),
            ],
            opts=own,
        )
        self.register_outputs({"endpoint": endpoint.id})
