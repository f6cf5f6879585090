"""Register what ``resources.json`` lists by the SDK's own classes; each wave waits for the one before it."""

import importlib
import inspect
import json
import sys
from pathlib import Path

import pulumi


def python_names(cls: type) -> dict[str, str]:
    """Return the constructor's names by those on the wire."""
    module = sys.modules[cls.__module__]
    arguments = next(getattr(module, name) for name in module.__all__ if name.endswith("Args"))
    members = inspect.getmembers_static(arguments, lambda item: isinstance(item, property))
    names = {member.fget._pulumi_name: name for name, member in members}
    # The constructor's own first argument is `resource_name`.
    return {wire: "resource_name_" if name == "resource_name" else name for wire, name in names.items()}


before: list[pulumi.Resource] = []
for wave in json.loads(Path("resources.json").read_text()):
    made = []
    for token, name, inputs in wave:
        module, kind = token.split(":")
        cls = getattr(importlib.import_module(f"pulumi_azure_native.{module}"), kind)
        names = python_names(cls)
        arguments = {names[key]: value for key, value in inputs.items()}
        made.append(cls(name, **arguments, opts=pulumi.ResourceOptions(depends_on=before)))
    before = made
