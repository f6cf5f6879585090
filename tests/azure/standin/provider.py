"""The engine's protocol: what the provider answers to Check, Diff, Create, Read, Update, Delete and Invoke.

Source: pulumi's proto/pulumi/provider.proto; pulumi-azure-native, provider/pkg/provider/provider.go, for what the
real provider makes of each call.
"""

import functools
import hashlib
from collections.abc import Callable
from typing import Any, NamedTuple

import grpc
from google.protobuf import any_pb2, empty_pb2
from pulumi.runtime.proto import plugin_pb2, provider_pb2, provider_pb2_grpc, status_pb2

from standin import arm, catalogue, checking, cloud, differences, functions, manager, model, outputs, schema, values

VERSION = "3.29.0"
_OURS = (arm.RefusalError, catalogue.NotModelledError, schema.NotInSdkError)
_RANDOM_CHARACTERS = 8


class Status(NamedTuple):
    """An error with details, as the protocol carries them."""

    code: grpc.StatusCode
    details: str
    trailing_metadata: tuple[tuple[str, bytes], ...]


def _refusing(method: Callable[..., Any]) -> Callable[..., Any]:
    """Turn a refusal into the call's error; anything else is a mistake of ours and keeps its traceback."""

    @functools.wraps(method)
    def called(self: "Provider", request: Any, context: grpc.ServicerContext) -> Any:
        try:
            return method(self, request, context)
        except _OURS as error:
            return context.abort(grpc.StatusCode.UNKNOWN, str(error))
        except manager.PartialError as error:
            return context.abort_with_status(self.partial(request, error))

    return called


class Provider(provider_pb2_grpc.ResourceProviderServicer):
    """The stand-in over one resource manager."""

    def __init__(self, known: manager.Manager, calls: functions.Functions) -> None:
        self._manager = known
        self._functions = calls

    def GetPluginInfo(self, request: Any, context: Any) -> plugin_pb2.PluginInfo:
        """Say which version this stands in for."""
        return plugin_pb2.PluginInfo(version=VERSION)

    def Attach(self, request: Any, context: Any) -> empty_pb2.Empty:
        """Meet the engine that wants to debug this provider."""
        return empty_pb2.Empty()

    def CheckConfig(self, request: Any, context: Any) -> provider_pb2.CheckResponse:
        """Take any configuration: there is nothing to log in to."""
        return provider_pb2.CheckResponse(inputs=request.news)

    def DiffConfig(self, request: Any, context: Any) -> provider_pb2.DiffResponse:
        """Never replace the provider."""
        return provider_pb2.DiffResponse(changes=provider_pb2.DiffResponse.DIFF_NONE)

    def Configure(self, request: Any, context: Any) -> provider_pb2.ConfigureResponse:
        """Say what the real provider says: previews yes, secrets no."""
        return provider_pb2.ConfigureResponse(supportsPreview=True, acceptSecrets=False)

    def Cancel(self, request: Any, context: Any) -> empty_pb2.Empty:
        """End what waits."""
        self._manager.cancel()
        return empty_pb2.Empty()

    @_refusing
    def Invoke(self, request: Any, context: Any) -> provider_pb2.InvokeResponse:
        """Call a function."""
        result = self._functions.call(request.tok, values.decode(request.args))
        return provider_pb2.InvokeResponse(**{"return": values.encode(result)})

    @_refusing
    def Check(self, request: Any, context: Any) -> provider_pb2.CheckResponse:
        """Check the inputs against the SDK's types, and add the name and the region where they are left out."""
        kind = _kind(request.urn)
        resource = schema.resource(kind.token)
        news = values.decode(request.news)
        failures = [
            provider_pb2.CheckFailure(property=problem.path, reason=problem.text)
            for problem in checking.inputs(resource, _plain(news))
        ]
        news |= self._defaults(kind, resource, news, values.decode(request.olds), request)
        return provider_pb2.CheckResponse(inputs=values.encode(news), failures=failures)

    @_refusing
    def Diff(self, request: Any, context: Any) -> provider_pb2.DiffResponse:
        """Compare inputs; what the id is made of is replaced."""
        kind = _kind(request.urn)
        return differences.answer(
            values.decode(request.old_inputs),
            values.decode(request.news),
            replaces=(*kind.path.parameters, *kind.replaces),
        )

    @_refusing
    def Create(self, request: Any, context: Any) -> provider_pb2.CreateResponse:
        """Create, or in a preview answer what is known of it already."""
        kind, inputs = _kind(request.urn), values.decode(request.properties)
        if request.preview:
            return provider_pb2.CreateResponse(properties=values.encode(_preview(kind, inputs)))
        record = self._manager.create(kind, _plain(inputs))
        return provider_pb2.CreateResponse(id=record.id, properties=self._outputs(kind, record))

    @_refusing
    def Update(self, request: Any, context: Any) -> provider_pb2.UpdateResponse:
        """Update, or in a preview answer what stays."""
        kind, inputs = _kind(request.urn), values.decode(request.news)
        if request.preview:
            old = values.decode(request.olds)
            kept = {name: old[name] for name in ("name", "location") if name in old}
            return provider_pb2.UpdateResponse(properties=values.encode({**_preview(kind, inputs), **kept}))
        record = self._manager.update(kind, request.id, _plain(inputs))
        return provider_pb2.UpdateResponse(properties=self._outputs(kind, record))

    @_refusing
    def Read(self, request: Any, context: Any) -> provider_pb2.ReadResponse:
        """Return what is in the cloud, or nothing."""
        kind = _kind(request.urn)
        record = self._manager.read(kind, request.id)
        if record is None:
            return provider_pb2.ReadResponse()
        marks = {key: value for key, value in values.decode(request.inputs).items() if key.startswith("__")}
        inputs = {"azureApiVersion": schema.resource(kind.token).api_version, **record.inputs, **marks}
        return provider_pb2.ReadResponse(
            id=record.id, properties=self._outputs(kind, record), inputs=values.encode(inputs)
        )

    @_refusing
    def Delete(self, request: Any, context: Any) -> empty_pb2.Empty:
        """Delete."""
        self._manager.delete(_kind(request.urn), request.id)
        return empty_pb2.Empty()

    def partial(self, request: Any, error: manager.PartialError) -> Status:
        """Return the error for what exists but failed: the engine keeps it, and repairs it next time."""
        given = request.properties if isinstance(request, provider_pb2.CreateRequest) else request.news
        detail = provider_pb2.ErrorResourceInitFailed(
            id=error.record.id,
            properties=self._outputs(_kind(request.urn), error.record),
            reasons=[str(error)],
            inputs=given,
        )
        packed = any_pb2.Any()
        packed.Pack(detail)
        status = status_pb2.Status(code=grpc.StatusCode.UNKNOWN.value[0], message=str(error), details=[packed])
        return Status(grpc.StatusCode.UNKNOWN, str(error), (("grpc-status-details-bin", status.SerializeToString()),))

    def _outputs(self, kind: model.ResourceType, record: cloud.Record) -> Any:
        return values.encode(outputs.of(self._manager.cloud, kind, record))

    def _defaults(
        self,
        kind: model.ResourceType,
        resource: schema.Resource,
        news: values.Properties,
        olds: values.Properties,
        request: Any,
    ) -> values.Properties:
        found: values.Properties = {"azureApiVersion": resource.api_version}
        if kind.name_input not in news:
            found |= _name(kind, olds, request)
        if "location" in resource.inputs and "location" not in news:
            place = olds.get("location") or self._group_location(news.get("resourceGroupName"))
            found |= {"location": place} if place is not None else {}
        return found

    def _group_location(self, group: Any) -> Any:
        """Return the region of the resource group, in which everything stands that names no region."""
        if group is None or isinstance(group, values.Unknown):
            return group
        record = self._manager.cloud.get(f"{arm.ROOT}/resourceGroups/{group}")
        return record.inputs.get("location") if record is not None else None


def _kind(urn: str) -> model.ResourceType:
    return catalogue.by_token(urn.split("::")[2].rpartition("$")[2])


def _plain(inputs: values.Properties) -> values.Properties:
    """Return the inputs as Azure gets them, without the provider's own marks."""
    return {key: value for key, value in inputs.items() if not key.startswith("__") and key != "azureApiVersion"}


def _preview(kind: model.ResourceType, inputs: values.Properties) -> values.Properties:
    known = schema.resource(kind.token).outputs
    return {
        name: schema.preview(field.shape, inputs.get(name), known=name in inputs) for name, field in known.items()
    }


def _name(kind: model.ResourceType, olds: values.Properties, request: Any) -> values.Properties:
    """Return the name that the provider makes up: random where others name things too, otherwise the logical one."""
    if kind.name_input in olds:
        marks = {key: value for key, value in olds.items() if key == "__createBeforeDelete"}
        return {kind.name_input: olds[kind.name_input], **marks}
    logical = request.urn.split("::")[-1]
    digest = hashlib.sha256(request.randomSeed + logical.encode()).hexdigest()
    if "RoleAssignment" in kind.token:
        return {kind.name_input: arm.guid(digest), "__createBeforeDelete": True}
    if kind.is_top_level:
        return {kind.name_input: f"{logical}{digest[:_RANDOM_CHARACTERS]}", "__createBeforeDelete": True}
    return {kind.name_input: logical}
