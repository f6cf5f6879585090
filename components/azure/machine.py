"""One virtual machine: no public address, an identity of its own, and user-data that has nothing to hide."""

import base64
from collections.abc import Sequence
from dataclasses import dataclass

import pulumi
from pulumi_azure_native import authorization, compute, managedidentity, network, privatedns

from components.azure import place, security_rules
from slipway.machines import boot_check
from slipway.manifests.nsg import NsgRule
from slipway.mesh import azure, azure_plan, model

ADMIN = "slipway"
BOOT_TIMEOUT_S = 1800  # packages of the team's cloud-config may be many
DATA_DISK_LUN = 0
NAME_TTL_S = 60  # a machine that moves is found again within a minute
_GALLERY = "/subscriptions/"


@dataclass(frozen=True, slots=True, kw_only=True)
class MachineArgs:
    """One machine.

    ``nsg`` are the declaration's rules, ``names`` what the network's DNS answers with its address, ``user_data`` the
    text for cloud-init; ``subnet`` and ``network`` are ids, ``secret`` that of its secret in the key vault; ``keep``
    protects its data disk; ``archive`` is the id of the blob container for its database's log, None where there is
    none; ``after`` must exist before its first boot.
    """

    place: place.Place
    machine: model.Machine
    image: azure.MachineImage
    nsg: tuple[NsgRule, ...]
    names: tuple[str, ...]
    user_data: str
    subnet: pulumi.Input[str]
    network: pulumi.Input[str]
    secret: pulumi.Input[str]
    keep: bool
    archive: pulumi.Input[str] | None = None
    after: Sequence[pulumi.Resource] = ()


class Machine(pulumi.ComponentResource):
    """A machine that is done when cloud-init has ended without an error.

    New user-data is applied in place; a new image, address or zone makes another machine, to which the data disk
    moves. ``booted`` is the resource that waits.
    """

    machine: compute.VirtualMachine
    booted: pulumi.Resource

    def __init__(self, name: str, args: MachineArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("slipway:azure:Machine", name, None, opts)
        self._args, self._name = args, args.machine.name
        self._opts = pulumi.ResourceOptions(parent=self)
        identity = self._identity()
        self.machine = self._machine(identity, interface=self._interface(), data=self._data_disk())
        self._dns_names()
        self.booted = self._boot()
        self.register_outputs({"machine": self.machine.id})

    def _identity(self) -> managedidentity.UserAssignedIdentity:
        """Return an identity that may read one secret, the machine's own, and write one container, if it has one."""
        identity = managedidentity.UserAssignedIdentity(
            f"{self._name}-identity",
            resource_group_name=self._args.place.group,
            location=self._args.place.region,
            resource_name_=f"{self._name}-identity",
            tags=self._args.place.tags,
            opts=self._opts,
        )
        self._reads = place.assign(
            f"{self._name}-reads-its-secret",
            place=self._args.place,
            role=place.Role.SECRETS_USER,
            principal=identity.principal_id,
            kind=place.Principal.IDENTITY,
            scope=self._args.secret,
            opts=self._opts,
        )
        if self._args.archive is not None:
            place.assign(
                f"{self._name}-writes-its-log",
                place=self._args.place,
                role=place.Role.BLOB_CONTRIBUTOR,
                principal=identity.principal_id,
                kind=place.Principal.IDENTITY,
                scope=self._args.archive,
                opts=self._opts,
            )
        return identity

    def _interface(self) -> network.NetworkInterface:
        args = self._args
        group = network.NetworkSecurityGroup(
            f"{self._name}-rules",
            resource_group_name=args.place.group,
            location=args.place.region,
            network_security_group_name=f"{self._name}-rules",
            security_rules=security_rules.of(args.nsg),
            tags=args.place.tags,
            opts=self._opts,
        )
        return network.NetworkInterface(
            f"{self._name}-interface",
            resource_group_name=args.place.group,
            location=args.place.region,
            network_interface_name=f"{self._name}-interface",
            network_security_group=network.NetworkSecurityGroupArgs(id=group.id),
            ip_configurations=[
                network.NetworkInterfaceIPConfigurationArgs(
                    name="address",
                    primary=True,
                    private_ip_allocation_method="Static",
                    private_ip_address=args.machine.address,
                    subnet=network.SubnetArgs(id=args.subnet),
                )
            ],
            tags=args.place.tags,
            # The address can belong to one interface only, so the old one goes first.
            opts=pulumi.ResourceOptions(parent=self, delete_before_replace=True),
        )

    def _data_disk(self) -> compute.Disk | None:
        args = self._args
        if not args.machine.disk_gib:
            return None
        disk = compute.Disk(
            f"{self._name}-data",
            resource_group_name=args.place.group,
            location=args.place.region,
            disk_name=f"{self._name}-data",
            creation_data=compute.CreationDataArgs(create_option="Empty"),
            disk_size_gb=args.machine.disk_gib,
            sku=compute.DiskSkuArgs(name="Premium_LRS"),
            zones=[args.machine.zone] if args.machine.zone else None,
            network_access_policy="DenyAll",
            public_network_access="Disabled",
            tags=args.place.tags,
            opts=pulumi.ResourceOptions(parent=self, protect=args.keep),
        )
        if args.keep:
            authorization.ManagementLockByScope(
                f"{self._name}-data-lock",
                lock_name="keep-data",
                level="CanNotDelete",
                scope=disk.id,
                notes=f"The data of {self._name}: remove this lock only when it is somewhere else.",
                opts=pulumi.ResourceOptions(parent=self, protect=True),
            )
        return disk

    def _machine(
        self,
        identity: managedidentity.UserAssignedIdentity,
        *,
        interface: network.NetworkInterface,
        data: compute.Disk | None,
    ) -> compute.VirtualMachine:
        args = self._args
        return compute.VirtualMachine(
            self._name,
            resource_group_name=args.place.group,
            location=args.place.region,
            vm_name=self._name,
            zones=[args.machine.zone] if args.machine.zone else None,
            identity=compute.VirtualMachineIdentityArgs(
                type=compute.ResourceIdentityType.USER_ASSIGNED, user_assigned_identities=[identity.id]
            ),
            hardware_profile=compute.HardwareProfileArgs(vm_size=args.machine.size),
            os_profile=self._os_profile(),
            # Not customData, which a machine keeps for ever: this can change. The guard lets only root read it.
            # Source: Azure documentation, virtual-machines/user-data; cloud-init, DataSourceAzure `imds userData`.
            user_data=base64.b64encode(args.user_data.encode()).decode(),
            storage_profile=self._storage(data),
            network_profile=compute.NetworkProfileArgs(
                network_interfaces=[
                    compute.NetworkInterfaceReferenceArgs(id=interface.id, primary=True, delete_option="Detach")
                ]
            ),
            security_profile=compute.SecurityProfileArgs(
                security_type="TrustedLaunch",
                uefi_settings=compute.UefiSettingsArgs(secure_boot_enabled=True, v_tpm_enabled=True),
            ),
            diagnostics_profile=compute.DiagnosticsProfileArgs(
                boot_diagnostics=compute.BootDiagnosticsArgs(enabled=True)
            ),
            tags=args.place.tags,
            opts=pulumi.ResourceOptions(
                parent=self,
                depends_on=[self._reads, *args.after],
                delete_before_replace=True,  # the interface and the data disk are at one machine at a time
                # Azure refuses to change these in place. Source: pulumi-azure-native issues 577 and 1117.
                replace_on_changes=["osProfile.computerName", "storageProfile.imageReference", "zones"],
            ),
        )

    def _os_profile(self) -> compute.OSProfileArgs:
        key = compute.SshPublicKeyArgs(
            path=f"/home/{ADMIN}/.ssh/authorized_keys", key_data=self._args.image.admin_key
        )
        return compute.OSProfileArgs(
            computer_name=self._name,
            admin_username=ADMIN,
            linux_configuration=compute.LinuxConfigurationArgs(
                disable_password_authentication=True,
                provision_vm_agent=True,
                ssh=compute.SshConfigurationArgs(public_keys=[key]),
                patch_settings=compute.LinuxPatchSettingsArgs(
                    patch_mode="ImageDefault", assessment_mode="ImageDefault"
                ),
            ),
        )

    def _storage(self, data: compute.Disk | None) -> compute.StorageProfileArgs:
        return compute.StorageProfileArgs(
            image_reference=image_reference(self._args.image.image),
            os_disk=compute.OSDiskArgs(
                name=f"{self._name}-os",
                create_option="FromImage",
                caching=compute.CachingTypes.READ_WRITE,
                delete_option="Delete",
                disk_size_gb=azure_plan.OS_DISK_GIB,
                managed_disk=compute.ManagedDiskParametersArgs(storage_account_type="Premium_LRS"),
            ),
            data_disks=[] if data is None else [_attached(data)],
        )

    def _dns_names(self) -> None:
        """Answer the names of today with the machine's address: a zone per name, so that no other name is hidden.

        Source: Azure documentation, dns/private-dns-privatednszone.
        """
        place_of = self._args.place
        for known in self._args.names:
            zone = privatedns.PrivateZone(
                known,
                resource_group_name=place_of.group,
                private_zone_name=known,
                location="Global",
                tags=place_of.tags,
                opts=self._opts,
            )
            privatedns.VirtualNetworkLink(
                f"{known}-link",
                resource_group_name=place_of.group,
                private_zone_name=zone.name,
                virtual_network_link_name="network",
                location="Global",
                registration_enabled=False,
                virtual_network=privatedns.SubResourceArgs(id=self._args.network),
                tags=place_of.tags,
                opts=self._opts,
            )
            privatedns.PrivateRecordSet(
                f"{known}-address",
                resource_group_name=place_of.group,
                private_zone_name=zone.name,
                record_type="A",
                relative_record_set_name="@",
                ttl=NAME_TTL_S,
                a_records=[privatedns.ARecordArgs(ipv4_address=self._args.machine.address)],
                opts=self._opts,
            )

    def _boot(self) -> pulumi.Resource:
        """Wait on the machine until its user-data is applied, and fail when it is not.

        Azure calls a machine ready before cloud-init has ended. Source: Azure documentation,
        virtual-machines/linux/using-cloud-init, and run-command-managed.
        """
        args = self._args
        return compute.VirtualMachineRunCommandByVirtualMachine(
            f"{self._name}-booted",
            resource_group_name=args.place.group,
            location=args.place.region,
            vm_name=self.machine.name,
            run_command_name="booted",
            source=compute.VirtualMachineRunCommandScriptSourceArgs(script=boot_check.script(args.user_data)),
            timeout_in_seconds=BOOT_TIMEOUT_S,
            async_execution=False,
            treat_failure_as_deployment_failure=True,
            tags=args.place.tags,
            # Its name is stated, so the old one goes first.
            opts=pulumi.ResourceOptions(parent=self, replace_on_changes=["source"], delete_before_replace=True),
        )


def image_reference(image: str) -> compute.ImageReferenceArgs:
    """Return an image as Azure takes it: an id, or publisher, offer, sku and version."""
    if image.startswith(_GALLERY):
        return compute.ImageReferenceArgs(id=image)
    publisher, offer, sku, version = image.split(":")
    return compute.ImageReferenceArgs(publisher=publisher, offer=offer, sku=sku, version=version)


def _attached(disk: compute.Disk) -> compute.DataDiskArgs:
    """Attach a disk without a cache: a database's log must be on the disk when it says so.

    Source: Azure documentation, virtual-machines/premium-storage-performance, "Disk caching".
    """
    return compute.DataDiskArgs(
        lun=DATA_DISK_LUN,
        create_option="Attach",
        delete_option="Detach",
        caching=compute.CachingTypes.NONE,
        managed_disk=compute.ManagedDiskParametersArgs(id=disk.id),
    )
