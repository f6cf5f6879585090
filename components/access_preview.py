"""The calls that an update gains and loses, told before anything is registered."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import grpc
import pulumi
from google.protobuf import struct_pb2
from pulumi.runtime import settings
from pulumi.runtime.proto import resource_pb2

from components import engine, environment, previewed
from policies.bundles import bundle as bundles
from policies.bundles import surroundings
from slipway import reachability
from slipway.diagnostics import DiagnosticsError, render
from slipway.manifests.manifest import Manifest
from slipway.manifests.surroundings import Surroundings
from slipway.mesh import model

MOST_LINES = 100
MOST_ROWS = 200  # a comment of a pull request holds 65 536 characters at GitHub

_NOT_WRITTEN = (
    "who reached whom before is not known, so every call is shown as it will be: the last state holds objects, but "
    "no update that ended kept what stood around them (the output `access`); this update keeps it"
)
_READ_STATE = "pulumi:pulumi:readStackResourceOutputs"
# Source: pulumi 3.258 sdk/go/common/resource/sig.go: the key of values that are more than their shape, as secrets.
_SIGNATURE = "4dabf18193072939515e22adb298388d"


@dataclass(frozen=True, slots=True, kw_only=True)
class LastState:
    """What the last update left: objects that decide who reaches whom, and what stood around them.

    ``withheld`` names objects that hold a secret: they are left out, so that none can be printed. ``surroundings``
    are None where no update wrote them down.
    """

    objects: tuple[Manifest, ...] = ()
    surroundings: Surroundings | None = None
    withheld: tuple[str, ...] = ()

    @property
    def is_whole(self) -> bool:
        """Whether it says who reached whom; a stack without any object is a new one, where nobody did."""
        return self.surroundings is not None or not (self.objects or self.withheld)


class _SecretError(Exception):
    """A value is a secret, or something else that has no place in a manifest."""


def tell(mesh: model.Mesh, bundle: bundles.Bundle, *, file: str | None) -> None:
    """Log the calls that this update gains and loses, once for a preview and the update after it.

    With ``file``, they are written there as JSON instead.

    A last state that cannot be read stops nothing: that is a warning, and a file that says so. One that does not say
    who reached whom before, since no update of it ended that wrote that down, is a warning too, and all calls follow.
    """
    try:
        before = last_state(engine.full_name(pulumi.get_stack()))
        around_before = before.surroundings or Surroundings()
        old = reachability.read_applied(before.objects, around_before)
    except (grpc.RpcError, DiagnosticsError) as error:
        reason = render.text(error.diagnostics) if isinstance(error, DiagnosticsError) else str(error)
        told = f"who reached whom before is not known, so no difference is shown: {reason}"
        pulumi.log.warn(told)
        if file:
            Path(file).write_text(json.dumps({"unknown": told}), encoding="utf-8")
        return
    if before.withheld:
        pulumi.log.warn(f"left out of the access difference, for they hold secrets: {', '.join(before.withheld)}")
    if not before.is_whole:
        pulumi.log.warn(_NOT_WRITTEN)
    around = surroundings.emit_surroundings(mesh, bundle)
    new = reachability.read_applied(bundle.manifests, around)
    found = reachability.diff(old, new) if before.is_whole else reachability.whole(new)
    owners = {**around_before.owners, **around.owners}
    if not file:
        _log(reachability.report.text(found, owners, most_lines=MOST_LINES).rstrip("\n"))
        return
    unknown = {} if before.is_whole else {"unknown": _NOT_WRITTEN}
    Path(file).write_text(json.dumps({**_forms(found, owners), **unknown}), encoding="utf-8")


def _log(told: str) -> None:
    """Log the difference, but for an update whose preview has said the same: that gets its first line only."""
    stack = engine.full_name(pulumi.get_stack())
    try:
        if pulumi.runtime.is_dry_run():
            previewed.keep(stack, told)
        elif previewed.take(stack, told):
            told = f"as the preview said: {told.splitlines()[0]}"
    except OSError as error:
        pulumi.log.debug(f"the update says again what its preview says: {error}")
    pulumi.log.info(told)


def _forms(found: reachability.Difference, owners: Mapping[str, str]) -> dict[str, Any]:
    """Return the difference as JSON values, as text and as Markdown."""
    title = f"Access in {pulumi.get_stack()}"
    return {
        **reachability.report.to_plain(found, owners),
        "text": reachability.report.text(found, owners),
        "markdown": reachability.report.markdown(found, owners, title=title, most_rows=MOST_ROWS),
    }


def last_state(stack: str) -> LastState:
    """Ask the engine for the last state of ``stack`` (``organization/project/stack``); a new one has an empty state.

    The answer holds every output of the stack, secrets too, so only what decides is turned into values.
    Source: pulumi 3.258 pkg/resource/deploy/builtins.go. Raises grpc.RpcError.
    """
    named = struct_pb2.Struct()
    named.update({"stackName": stack})
    monitor: Any = settings.get_monitor()
    answer = monitor.Invoke(resource_pb2.ResourceInvokeRequest(tok=_READ_STATE, args=named))
    return kept(getattr(answer, "return")["outputs"].items())


def kept(resources: Iterable[tuple[str, Any]]) -> LastState:
    """Return what decides among the resources of a state: pairs of URN and a struct of ``type`` and ``outputs``."""
    objects: list[Manifest] = []
    withheld: list[str] = []
    around: Surroundings | None = None
    for urn, resource in resources:
        outputs = resource["outputs"]
        if resource["type"] == environment.TYPE and environment.ACCESS in outputs:
            around = Surroundings.from_json(str(outputs[environment.ACCESS]))
        if not _decides(str(resource["type"])):
            continue
        try:
            objects.append(_manifest(outputs))
        except _SecretError:
            withheld.append(urn.rpartition("::")[2])
    return LastState(objects=tuple(objects), surroundings=around, withheld=tuple(sorted(withheld)))


def _decides(token: str) -> bool:
    """Return whether a type as ``kubernetes:apps/v1:Deployment`` is of a kind that says who reaches whom."""
    package, _, rest = token.partition(":")
    version, _, kind = rest.partition(":")
    return package == "kubernetes" and reachability.is_read(version.removeprefix("core/"), kind)


def _manifest(outputs: Mapping[str, Any]) -> Manifest:
    """Return the object of a resource without what only provider and server write."""
    own = [key for key in outputs if not key.startswith("__") and key != "status"]
    return Manifest.from_dict({key: _plain(outputs[key]) for key in own})


def _plain(value: Any) -> Any:
    if isinstance(value, struct_pb2.Struct):
        if _SIGNATURE in value:
            raise _SecretError
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, struct_pb2.ListValue):
        return [_plain(item) for item in value]
    if isinstance(value, float) and value.is_integer():
        return int(value)
    return value
