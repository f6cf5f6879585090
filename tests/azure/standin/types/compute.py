"""Virtual machines and their disks.

Sources: the REST reference of Microsoft.Compute 2024-11-01 and its error codes; azure-native issues 577 and 1117 for
what previews as an update and is then refused.
"""

import base64
import binascii
from typing import Any

from standin import arm, cloud, references, values
from standin.model import Request, ResourceType

_MACHINE = "Microsoft.Compute/virtualMachines/{vmName}"
_LARGEST_DATA_BYTES = 65536  # decoded user-data and custom data
_DISK_NAME: dict[str, Any] = {
    "name": r"[\w-][\w.-]{0,79}",
    "name_says": "1 to 80 letters, digits, `_`, `-` and `.`",
}


def _check_machine(request: Request) -> None:
    """Refuse what the service refuses before it places the machine."""
    required = {
        "hardwareProfile.vmSize": "hardwareProfile.vmSize",
        "networkProfile.networkInterfaces[].id": "networkProfile.networkInterfaces",
        "storageProfile.osDisk.createOption": "storageProfile.osDisk",
    }
    for path, shown in required.items():
        if not values.at(request.inputs, path):
            raise request.refuse("InvalidParameter", f"required parameter `{shown}` is missing (null)")
    for path in ("userData", "osProfile.customData"):
        _check_data(request, path)
    _check_login(request)
    _check_cards(request)
    _check_disks(request)


def _check_data(request: Request, path: str) -> None:
    text = values.one(request.inputs, path)
    if text is None:
        return
    try:
        data = base64.b64decode(text, validate=True)
    except binascii.Error as error:
        raise request.refuse("InvalidParameter", f"`{path}` must be base64: {error}") from error
    if len(data) > _LARGEST_DATA_BYTES:
        raise request.refuse("InvalidParameter", f"`{path}` has {len(data)} bytes; at most {_LARGEST_DATA_BYTES}")


def _check_login(request: Request) -> None:
    profile = request.inputs.get("osProfile", {})
    linux = profile.get("linuxConfiguration", {})
    keys = values.at(linux, "ssh.publicKeys[]")
    if profile and not profile.get("adminUsername"):
        raise request.refuse("InvalidParameter", "required parameter `osProfile.adminUsername` is missing (null)")
    if linux.get("disablePasswordAuthentication") and not keys:
        raise request.refuse("InvalidParameter", "without a password a machine needs `ssh.publicKeys`")
    if profile.get("adminUsername", "").lower() in {"root", "admin", "administrator", "user", "guest", "test"}:
        raise request.refuse("InvalidParameter", f"the name {profile['adminUsername']} is not allowed for a user")


def _check_cards(request: Request) -> None:
    for card in values.at(request.inputs, "networkProfile.networkInterfaces[].id"):
        for other in references.users(request.cloud, card):
            if other.key != request.id.lower() and arm.type_of(other.id) == "Microsoft.Compute/virtualMachines":
                raise request.refuse("NicInUse", f"{card} is used by {other.id}")


def _check_disks(request: Request) -> None:
    """Refuse a disk of another machine or zone, and two at one number."""
    numbers = values.at(request.inputs, "storageProfile.dataDisks[].lun")
    if len(numbers) != len(set(numbers)):
        raise request.refuse("InvalidParameter", "two data disks have the same `lun`")
    for disk in values.at(request.inputs, "storageProfile.dataDisks[].managedDisk.id"):
        known = request.cloud.get(disk)
        zones = known.inputs.get("zones", []) if known is not None else []
        if zones != request.inputs.get("zones", []):
            raise request.refuse("InvalidParameter", f"disk {disk} is in zones {zones}, the machine is not")
        for other in references.users(request.cloud, disk):
            if other.key != request.id.lower() and arm.type_of(other.id) == "Microsoft.Compute/virtualMachines":
                raise request.refuse("AttachDiskWhileBeingAttached", f"{disk} is attached to {other.id}", status=409)


def _check_disk(request: Request) -> None:
    size, old = request.inputs.get("diskSizeGB"), request.old
    if values.one(request.inputs, "creationData.createOption") == "Empty" and size is None:
        raise request.refuse("InvalidParameter", "an empty disk needs `diskSizeGB`")
    if old is not None and size is not None and size < old.inputs.get("diskSizeGB", size):
        raise request.refuse("OperationNotAllowed", f"a disk cannot shrink to {size} GiB", status=409)


def _machine_answer(known: cloud.Cloud, record: cloud.Record) -> dict[str, Any]:
    return {"vmId": arm.guid(record.id, str(record.made)), "timeCreated": "2026-01-01T00:00:00Z"}


TYPES = (
    ResourceType(
        token="azure-native:compute:VirtualMachine",
        path=arm.Path(_MACHINE),
        name=r"[A-Za-z0-9]([\w.-]{0,62}\w)?",
        name_says="1 to 64 letters, digits, `.`, `_` and `-`",
        replaces=("location",),
        fixed=(
            "osProfile.customData",
            "osProfile.computerName",
            "osProfile.adminUsername",
            "osProfile.adminPassword",
            "osProfile.linuxConfiguration.ssh",
            "storageProfile.imageReference",
            "storageProfile.osDisk.createOption",
            "zones",
        ),
        hidden=("osProfile.customData", "osProfile.adminPassword", "userData"),
        rules=(_check_machine,),
        answer=_machine_answer,
    ),
    ResourceType(
        token="azure-native:compute:Disk",
        path=arm.Path("Microsoft.Compute/disks/{diskName}"),
        **_DISK_NAME,
        replaces=("location",),
        fixed=("creationData", "zones"),
        in_use="OperationNotAllowed",
        rules=(_check_disk,),
    ),
    ResourceType(
        token="azure-native:compute:DiskEncryptionSet",
        path=arm.Path("Microsoft.Compute/diskEncryptionSets/{diskEncryptionSetName}"),
        **_DISK_NAME,
        in_use="ResourceInUse",
    ),
    ResourceType(
        token="azure-native:compute:VirtualMachineExtension",
        path=arm.Path(_MACHINE + "/extensions/{vmExtensionName}"),
        hidden=("protectedSettings",),
    ),
    ResourceType(
        token="azure-native:compute:VirtualMachineRunCommandByVirtualMachine",
        path=arm.Path(_MACHINE + "/runCommands/{runCommandName}"),
        hidden=("protectedParameters", "runAsPassword"),
    ),
)
