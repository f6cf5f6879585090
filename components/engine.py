"""What the engine knows of other stacks, asked for before anything is registered."""

from typing import Any

import pulumi
from google.protobuf import struct_pb2
from pulumi.runtime import rpc, settings
from pulumi.runtime.proto import resource_pb2

_READ_OUTPUTS = "pulumi:pulumi:readStackOutputs"


def full_name(stack: str) -> str:
    """Return the name by which the engine finds a stack of this project: ``organization/project/stack``."""
    return f"{pulumi.get_organization()}/{pulumi.get_project()}/{stack}"


def outputs_of(stack: str) -> dict[str, Any]:
    """Return the outputs of another stack of this project, secrets as plain values: mark again what is secret.

    It is what a StackReference reads, at once and with an error that can be answered. Secrets that this one's key
    cannot decrypt are left out. Raises grpc.RpcError, also where there is no such stack.
    Source: pulumi 3.258 pkg/resource/deploy/builtins.go, `readStackReference`.
    """
    named = struct_pb2.Struct()
    named.update({"name": full_name(stack)})
    monitor: Any = settings.get_monitor()
    answer = monitor.Invoke(resource_pb2.ResourceInvokeRequest(tok=_READ_OUTPUTS, args=named))
    found: Any = rpc.unwrap_rpc_secret(rpc.deserialize_properties(getattr(answer, "return"))["outputs"])
    return {name: rpc.unwrap_rpc_secret(value) for name, value in found.items()}
