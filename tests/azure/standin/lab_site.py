"""A lab as the place where the cloud's machines run: they boot, their disks hold data, names resolve.

What is no machine, disk, name or command stays a record. A machine boots from the very user-data of the request; it
is there when it has begun to boot, as on Azure, and only a run command waits for what happens inside.
"""

import base64
import subprocess
from pathlib import Path
from typing import Any

from slipway.lab import instance as instances
from slipway.lab import platform
from slipway.lab.machines import api, disk, record, runtime
from slipway.manifests import nsg
from slipway.world import process
from standin import arm, cloud, values

_GIB = 1024**3
_HOSTS = {
    "Microsoft.KeyVault/vaults": "vault.azure.net",
    "Microsoft.Storage/storageAccounts": "blob.core.windows.net",
}


class LabSite:
    """The lab ``instance``, for what is recorded in ``known``; disks are files in ``folder``."""

    def __init__(self, instance: instances.Instance, known: cloud.Cloud, folder: Path) -> None:
        self._instance = instance
        self._cloud = known
        self._folder = folder

    def made(self, item: cloud.Record) -> None:
        """Bring what was put to what it says."""
        try:
            match item.token.removeprefix("azure-native:"):
                case "compute:VirtualMachine":
                    self._boot(item)
                case "compute:VirtualMachineRunCommandByVirtualMachine":
                    self._run(item)
                case "compute:Disk":
                    self._make_disk(item)
                case "privatedns:PrivateRecordSet":
                    zone = item.inputs["privateZoneName"]
                    self._name(item, zone, item.inputs["aRecords"][0]["ipv4Address"])
                case "network:PrivateDnsZoneGroup":
                    endpoint = self._found(arm.parent_of(item.id))
                    service = values.at(endpoint.inputs, "privateLinkServiceConnections[].privateLinkServiceId")[0]
                    address = values.at(endpoint.inputs, "ipConfigurations[].privateIPAddress")[0]
                    self._name(item, f"{arm.name_of(service).lower()}.{_HOSTS[arm.type_of(service)]}", address)
        except (instances.LabError, process.CommandFailed) as error:
            raise arm.RefusalError(409, "OSProvisioningInternalError", f"{item.id}: {error}") from error

    def gone(self, item: cloud.Record) -> None:
        """Remove what was deleted."""
        match item.token.removeprefix("azure-native:"):
            case "compute:VirtualMachine":
                api.delete(self._instance, arm.name_of(item.id))
            case "compute:Disk":
                self._disk_file(item.id).unlink(missing_ok=True)
            case "privatedns:PrivateRecordSet" | "network:PrivateDnsZoneGroup":
                platform.set_names(self._instance, item.key, {})

    def _boot(self, item: cloud.Record) -> None:
        """Start the machine where it does not run; give it other user-data where it does, as Azure would."""
        spec = self._spec(item)
        record.write(self._instance, spec)
        if runtime.is_running(self._instance, spec.name):
            disk.write_seed(runtime.root(self._instance, spec.name), spec)
        api.start(self._instance, spec.name, lambda _: None)

    def _spec(self, item: cloud.Record) -> record.MachineSpec:
        card = self._found(values.at(item.inputs, "networkProfile.networkInterfaces[].id")[0])
        group = values.one(card.inputs, "networkSecurityGroup.id")
        disks = values.at(item.inputs, "storageProfile.dataDisks[].managedDisk.id")
        return record.MachineSpec(
            name=arm.name_of(item.id),
            address=values.at(card.inputs, "ipConfigurations[].privateIPAddress")[0],
            user_data=base64.b64decode(item.inputs["userData"]).decode(),
            nsg=tuple(_rule(found) for found in self._found(group).inputs["securityRules"]),
            # The lab's own identities: here they come from the cloud's records.
            namespace="",
            service_account="",
            data_disk=str(self._disk_file(disks[0])) if disks else "",
        )

    def _run(self, item: cloud.Record) -> None:
        """Run a command as root and, where that is asked for, fail when it does.

        Source: Azure documentation, virtual-machines/linux/run-command-managed.
        """
        done = api.execute(
            self._instance,
            arm.name_of(arm.parent_of(item.id)),
            ["/bin/sh", "-c", item.inputs["source"]["script"]],
            timeout_s=item.inputs["timeoutInSeconds"],
            check=False,
        )
        if done.exit_status != 0 and item.inputs.get("treatFailureAsDeploymentFailure"):
            message = f"{item.id}: exit status {done.exit_status}: {done.stderr[-2000:]}"
            raise arm.RefusalError(409, "VMExtensionProvisioningError", message)

    def _make_disk(self, item: cloud.Record) -> None:
        path = self._disk_file(item.id)
        path.parent.mkdir(parents=True, exist_ok=True)
        subprocess.run(["truncate", f"--size={item.inputs['diskSizeGB'] * _GIB}", str(path)], check=True, timeout=20)

    def _disk_file(self, disk_id: str) -> Path:
        return self._folder / f"{arm.guid(disk_id)}.img"

    def _name(self, item: cloud.Record, name: str, address: str) -> None:
        platform.set_names(self._instance, item.key, {name: address})

    def _found(self, resource_id: Any) -> cloud.Record:
        found = self._cloud.get(resource_id)
        if found is None:
            raise arm.RefusalError(404, "ResourceNotFound", f"The Resource '{resource_id}' was not found.")
        return found


def _rule(given: dict[str, Any]) -> nsg.NsgRule:
    """Return a rule as the lab enforces it: the inverse of what the program makes of the declaration's."""
    inbound = given["direction"] == nsg.Direction.INBOUND.value
    return nsg.NsgRule(
        name=given["name"],
        priority=given["priority"],
        direction=nsg.Direction(given["direction"]),
        access=nsg.Access(given["access"]),
        protocol=nsg.Protocol(given["protocol"]),
        remote=_listed(given, "sourceAddressPrefix" if inbound else "destinationAddressPrefix", "es"),
        ports=_listed(given, "destinationPortRange", "s"),
    )


def _listed(given: dict[str, Any], name: str, plural: str) -> tuple[str, ...]:
    return tuple(given.get(f"{name}{plural}") or [given[name]])
