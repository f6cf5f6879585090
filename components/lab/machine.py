"""A lab machine as a Pulumi resource: a dynamic provider over `slipway.lab.machines`."""

import dataclasses
import sys
from typing import Any

import pulumi
from pulumi import dynamic

_IN_PLACE = ("user_data", "nsg", "names", "database", "namespace", "service_account")
_REPLACES = ("instance", "name", "address")


class LabMachineProvider(dynamic.ResourceProvider):
    """Creates, reads, updates and deletes machines of a lab by name.

    It has no fields and stands at module level: Pulumi serialises providers by module path, and a stack made with an
    older checkout must still be destroyed.
    """

    def diff(self, _id: str, _olds: dict[str, Any], _news: dict[str, Any]) -> dynamic.DiffResult:
        changed = [key for key in (*_REPLACES, *_IN_PLACE) if _olds.get(key) != _news.get(key)]
        return dynamic.DiffResult(
            changes=bool(changed),
            replaces=[key for key in changed if key in _REPLACES],
            delete_before_replace=True,
        )

    def create(self, props: dict[str, Any]) -> dynamic.CreateResult:
        _bring(props)
        return dynamic.CreateResult(id_=f"{props['instance']}/{props['name']}", outs=props)

    def read(self, id_: str, props: dict[str, Any]) -> dynamic.ReadResult:
        from slipway.lab import instance as instances  # noqa: PLC0415 - the provider runs in a process of its own
        from slipway.lab.machines import api  # noqa: PLC0415

        found = api.read(instances.named(props["instance"]), props["name"])
        return dynamic.ReadResult(id_=id_ if found is not None else "", outs=props)

    def update(self, _id: str, _olds: dict[str, Any], _news: dict[str, Any]) -> dynamic.UpdateResult:
        _bring(_news)
        return dynamic.UpdateResult(outs=_news)

    def delete(self, _id: str, _props: dict[str, Any]) -> None:
        from slipway.lab import instance as instances  # noqa: PLC0415
        from slipway.lab.machines import api  # noqa: PLC0415

        api.delete(instances.named(_props["instance"]), _props["name"])


def _bring(props: dict[str, Any]) -> None:
    """Make the machine what its properties say, whether it exists or not."""
    from slipway.lab import instance as instances  # noqa: PLC0415
    from slipway.lab.machines import api  # noqa: PLC0415

    known = {field.name: props[field.name] for field in dataclasses.fields(api.MachineSpec)}
    instance = instances.named(props["instance"])
    api.create(instance, api.MachineSpec.from_json(known), _say)


def _say(message: str) -> None:
    """Say what happens; Pulumi shows the provider's standard error."""
    sys.stderr.write(message + "\n")


class LabMachine(dynamic.Resource, module="lab", name="Machine"):
    """One machine of a lab; done when its cloud-init has finished.

    A change of user-data runs cloud-init again with the disk kept, one of NSG rules or names is made in place; a
    change of address replaces the machine.
    """

    def __init__(self, name: str, props: dict[str, pulumi.Input[Any]], opts: pulumi.ResourceOptions) -> None:
        super().__init__(LabMachineProvider(), name, {**props}, opts)
