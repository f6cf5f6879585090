"""ARM's resource ids, and its refusals."""

import re
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

SUBSCRIPTION = "11111111-1111-4111-8111-111111111111"
TENANT = "22222222-2222-4222-8222-222222222222"
ROOT = f"/subscriptions/{SUBSCRIPTION}"
_PARAMETER = re.compile(r"\{(\w+)\}")
_NAMES = uuid.UUID("33333333-3333-4333-8333-333333333333")


class RefusalError(Exception):
    """Azure says no: its HTTP ``status``, its ``code`` and its message.

    Source of the codes: learn.microsoft.com, "Troubleshoot common Azure deployment errors", and each service's REST
    reference.
    """

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(f'Status={status} Code="{code}" Message="{message}"')
        self.status = status
        self.code = code
        self.message = message


@dataclass(frozen=True, slots=True)
class Path:
    """How a type's ids are built.

    ``template`` starts with a scope in braces, with a slash below the subscription, and otherwise stands below a
    resource group.
    """

    template: str

    @property
    def full(self) -> str:
        """The whole template."""
        if self.template.startswith("{"):
            return f"/{self.template}"
        if self.template.startswith("/"):
            return f"{ROOT}{self.template}"
        return f"{ROOT}/resourceGroups/{{resourceGroupName}}/providers/{self.template}"

    @property
    def parameters(self) -> tuple[str, ...]:
        """The inputs that the id is made of, in their order; the last one names the resource."""
        return tuple(_PARAMETER.findall(self.full))

    @property
    def arm_type(self) -> str:
        """ARM's name of the type: ``Microsoft.Network/virtualNetworks/subnets``."""
        return type_of(self.full)

    def id(self, inputs: Mapping[str, Any]) -> str:
        """Return the id of what has these inputs; a scope is an id itself."""
        return self.full.format_map({name: str(inputs[name]).strip("/") for name in self.parameters})


def type_of(resource_id: str) -> str:
    """Return the ARM type of an id."""
    head, separator, tail = resource_id.rpartition("/providers/")
    if not separator:
        return "Microsoft.Resources/resourceGroups" if "/resourcegroups/" in head.lower() + tail.lower() else ""
    namespace, *rest = tail.split("/")
    return "/".join([namespace, *rest[::2]])


def name_of(resource_id: str) -> str:
    """Return the last name in an id."""
    return resource_id.rpartition("/")[2]


def parent_of(resource_id: str) -> str:
    """Return the id of what must exist before ``resource_id`` can."""
    head, separator, tail = resource_id.rpartition("/providers/")
    if not separator:
        return ROOT
    parts = tail.split("/")
    return f"{head}/providers/{'/'.join(parts[:-2])}" if len(parts) > 3 else head


def group_of(resource_id: str) -> str | None:
    """Return the id of the resource group of ``resource_id``, or nothing where it stands outside of one."""
    parts = resource_id.split("/")
    return "/".join(parts[:5]) if len(parts) > 4 and parts[3].lower() == "resourcegroups" else None


def guid(*parts: str) -> str:
    """Return the same id for the same parts, looking like one that Azure made up."""
    return str(uuid.uuid5(_NAMES, "/".join(parts).lower()))


CLIENT_PRINCIPAL = guid("the principal of the program's own login")
