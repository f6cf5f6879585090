"""What the platform's stack of an environment leaves for the mesh's: a short contract, checked before it is used."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import grpc
import pulumi

from components import engine
from components.azure import relay
from policies.bundles import bundle as bundles
from slipway.diagnostics import wording
from slipway.manifests import canonical, nsg
from slipway.mesh import model, stack_parts

OUTPUT = "handover"
KUBECONFIG = "kubeconfig"


@dataclass(frozen=True, slots=True, kw_only=True)
class Handover:
    """What the mesh's stack knows of the platform: how the cluster is reached, and who its relay is in Azure.

    ``cluster`` identifies the cluster for as long as it lives; ``kubeconfig`` is secret.
    """

    cluster: pulumi.Input[str]
    kubeconfig: pulumi.Output[str]
    relay: relay.Identity


class _NotReadyError(Exception):
    """The platform is not as the declaration needs it; the text says what to run."""


def output(
    mesh: model.Mesh,
    *,
    machines: Mapping[str, str],
    cluster: pulumi.Input[str],
    identity: relay.Identity | None,
) -> dict[str, Any]:
    """Return the output by which the platform's stack says what it has made; there is nothing secret in it.

    ``machines`` are the digests of :func:`made_of`; ``identity`` is that of the relay, None where there is nothing to
    deliver.
    """
    return {
        "cluster": cluster,
        "relay": None if identity is None else {"client": identity.client, "tenant": identity.tenant},
        "certificates": bool(mesh.ingress),
        "machines": dict(machines),
    }


def made_of(bundle: bundles.Bundle, user_data: Mapping[str, str]) -> dict[str, str]:
    """Return by machine a digest of what it was made of: the rules at its interface, and its user-data."""
    return {name: _digest(bundle.nsg[name], text) for name, text in user_data.items()}


def _digest(rules: Sequence[nsg.NsgRule], user_data: str) -> str:
    text = json.dumps([[canonical.rule_to_plain(rule) for rule in rules], user_data], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def read(mesh: model.Mesh, *, machines: Mapping[str, str]) -> Handover:
    """Return what the platform's stack of ``mesh`` has left; ``machines`` are the digests of what is declared now.

    A preview of what is not there yet goes on with values that nobody knows, and a warning. Raises pulumi.RunError
    with what to run first, where this is an update; and in both where the kubeconfig cannot be decrypted.
    """
    stack = stack_parts.platform_stack(mesh.environment)
    try:
        left = _outputs(stack)
        _check(left[OUTPUT], mesh, stack=stack)
    except _NotReadyError as error:
        if not pulumi.runtime.is_dry_run():
            raise pulumi.RunError(str(error)) from None
        pulumi.log.warn(f"{error}; what it would hand over is not known in this preview")
        unknown = relay.Identity(client=_unknown(), tenant=_unknown())
        return Handover(cluster=_unknown(), kubeconfig=pulumi.Output.secret(_unknown()), relay=unknown)
    if KUBECONFIG not in left:
        raise pulumi.RunError(
            f"the kubeconfig that the stack `{stack}` has left cannot be decrypted by this stack's key: give both "
            f"the same secrets provider or passphrase"
        )
    _tell_of_others(left[OUTPUT]["machines"], machines, stack=stack)
    found = left[OUTPUT]
    return Handover(
        cluster=found["cluster"],
        kubeconfig=pulumi.Output.secret(left[KUBECONFIG]),
        relay=relay.Identity(**(found.get("relay") or {"client": "", "tenant": ""})),
    )


def _outputs(stack: str) -> Mapping[str, Any]:
    try:
        left = engine.outputs_of(stack)
    except grpc.RpcError as error:
        # Source: pulumi 3.258 pkg/backend/backend.go, `GetStackOutputs`.
        if "unknown stack" not in str(error):
            raise pulumi.RunError(f"the stack `{stack}` cannot be read: {error}") from error
        left = {}
    if OUTPUT not in left:
        raise _NotReadyError(f"the stack `{stack}`, which makes the environment's platform, is not up: {_run(stack)}")
    return left


def _check(found: Mapping[str, Any], mesh: model.Mesh, *, stack: str) -> None:
    """Raise _NotReadyError for a declared machine or host that the platform was not made for."""
    missing = sorted({item.name for item in mesh.machines} - set(found["machines"]))
    if missing:
        raise _NotReadyError(f"the stack `{stack}` has made no {wording.listed(missing)} yet: {_run(stack)}")
    if mesh.ingress and not found["certificates"]:
        raise _NotReadyError(
            f"the stack `{stack}` has not let the relay read certificates, and hosts are declared: {_run(stack)}"
        )


def _tell_of_others(known: Mapping[str, str], wanted: Mapping[str, str], *, stack: str) -> None:
    others = [name for name, digest in wanted.items() if known[name] != digest]
    if others:
        pulumi.log.warn(
            f"{wording.listed(others)}: rules or user-data are not those of this declaration; a call that it opens "
            f"there works only after `pulumi up --stack {stack}`, too"
        )


def _run(stack: str) -> str:
    return f"run `pulumi up --stack {stack}` first, as somebody with rights in Azure"


def _unknown() -> pulumi.Output[str]:
    """Return an output whose value nobody knows, as of a resource that is not there yet."""

    async def value() -> str:
        return ""

    async def no() -> bool:
        return False

    return pulumi.Output(set(), value(), no(), no())
