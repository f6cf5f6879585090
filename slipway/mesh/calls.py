"""Calls with every name resolved: the service or outside host, the port, the requests."""

from collections.abc import Collection, Mapping

from slipway.diagnostics import Collector, catalogue, wording
from slipway.mesh import model, ports, requests
from slipway.mesh.reading import Found

_REQUESTS = ("http", "grpc", "headers")
_Headers = tuple[tuple[str, tuple[str, ...]], ...]


class CallReader:
    """Resolves calls: knows every service, its ports and the outside hosts."""

    def __init__(
        self,
        *,
        services: Mapping[str, Found],
        externals: Mapping[str, Found],
        collector: Collector,
        plain: Collection[str] = (),
    ) -> None:
        self.ports = {name: ports.read_ports(found, collector) for name, found in services.items()}
        self._services = services
        self._plain = plain
        self._externals = externals
        self._collector = collector

    def service_calls(self, caller: str, found: Found) -> tuple[model.ServiceCall, ...]:
        """Return the calls of one service to others, merged where only their requests differ, and sorted."""
        merged: dict[tuple[str, str, _Headers], model.ServiceCall] = {}
        for item in found.list("calls"):
            call = self._service_call(caller, item)
            if call is not None:
                key = (call.service, call.port, call.headers)
                merged[key] = _merge(merged[key], call) if key in merged else call
        return tuple(call for _, call in sorted(merged.items()))

    def external_calls(self, found: Found) -> tuple[model.ExternalCall, ...]:
        """Return the calls of one service to outside hosts, one each, sorted by name."""
        calls: dict[str, model.ExternalCall] = {}
        for item in found.list("calls"):
            target = item.get("external")
            if target is None or not target.text:
                continue
            if target.text not in self._externals:
                self._unknown(catalogue.UNKNOWN_EXTERNAL, "outside host", target, self._externals, "external")
            self._only_external(item, target)
            calls.setdefault(target.text, model.ExternalCall(external=target.text, span=item.span))
        return tuple(call for _, call in sorted(calls.items()))

    def _only_external(self, item: Found, target: Found) -> None:
        for key in ("service", "port", *_REQUESTS):
            if (other := item.get(key)) is not None:
                sentence = f"a call to an outside host has no `{key}`: it is TLS to the one port of the host"
                hint = f"remove `{key}`" if key != "service" else "make two calls of it"
                self._collector.report(
                    catalogue.UNKNOWN_KEY, sentence, span=other.key, path=other.path, found=target.raw, hint=hint
                )

    def _unknown(
        self, code: catalogue.Code, noun: str, target: Found, known: Mapping[str, Found], section: str
    ) -> None:
        near = self._collector.nearest(target.text, known)
        add = f"declare it under `{section}`; declared: {wording.listed(known)}"
        sentence = f"the {noun} {wording.quoted(target.text)} is not declared"
        hint = f"did you mean {wording.quoted(near)}?" if near else add
        self._collector.report(code, sentence, span=target.span, path=target.path, found=target.raw, hint=hint)

    def _service_call(self, caller: str, item: Found) -> model.ServiceCall | None:
        target = item.get("service")
        if target is None:
            if item.get("external") is None and not item.refused:
                self._no_target(item)
            return None
        if not target.text or item.get("external") is not None:
            return None
        if not self._is_callable(target):
            return None
        if target.text == caller:
            sentence = f"{wording.quoted(caller)} calls itself; calls inside a service need no declaration"
            self._collector.report(
                catalogue.CALLS_ITSELF,
                sentence,
                span=target.span,
                path=target.path,
                found=target.raw,
                hint="remove this call",
            )
            return None
        port = self.port(item, target.text, http=any(key in item.fields for key in _REQUESTS))
        if port is None:
            return None
        headers = {
            name: tuple(sorted(value.text for value in values)) for name, values in item.entries("headers").items()
        }
        return model.ServiceCall(
            service=target.text,
            port=port.name,
            http=self._http(item, port),
            span=item.span,
            headers=tuple(sorted(headers.items())),
        )

    def _is_callable(self, target: Found) -> bool:
        if target.text in self._plain:
            sentence = f"{wording.quoted(target.text)} has no sidecar and only calls; it cannot be called"
            hint = "remove this call, or remove `sidecar: none` there"
            self._collector.report(
                catalogue.WITHOUT_SIDECAR, sentence, span=target.span, path=target.path, found=target.raw, hint=hint
            )
        elif target.text not in self._services:
            self._unknown(catalogue.UNKNOWN_SERVICE, "service", target, self._services, "services")
        return target.text in self._services

    def _no_target(self, item: Found) -> None:
        sentence = "a call needs the key `service` or the key `external`"
        hint = "write `{service: NAME}` or `{external: NAME}`"
        self._collector.report(catalogue.MISSING_KEY, sentence, span=item.span, path=item.path, hint=hint)

    def port(self, item: Found, service: str, *, http: bool) -> model.Port | None:
        """Return the port of ``service`` that a call or a route means: the one stated, else the only one that fits.

        With ``http`` only HTTP ports fit. Reports MESH0211, MESH0212 or MESH0315 and returns None otherwise.
        """
        available = self.ports[service]
        stated = item.get("port")
        if stated is not None:
            return self._stated_port(stated, service)
        fitting = [port for port in available if port.protocol.is_http or not http]
        if len(fitting) == 1:
            return fitting[0]
        if http and available and not fitting:
            self._http_on_tcp(next(filter(None, map(item.get, _REQUESTS)), item), available[0], service)
        elif not self._services[service].entries("ports") or fitting:
            self._which_port(item, service, fitting)
        return None

    def _stated_port(self, stated: Found, service: str) -> model.Port | None:
        known = {port.name: port for port in self.ports[service]}
        declared = self._services[service].entries("ports")
        if stated.text and stated.text not in declared:
            near = self._collector.nearest(stated.text, declared)
            sentence = f"the service {wording.quoted(service)} has no port {wording.quoted(stated.text)}"
            hint = f"did you mean {wording.quoted(near)}?" if near else f"its ports are {wording.listed(declared)}"
            self._collector.report(
                catalogue.UNKNOWN_PORT, sentence, span=stated.span, path=stated.path, found=stated.raw, hint=hint
            )
        return known.get(stated.text)

    def _which_port(self, item: Found, service: str, fitting: list[model.Port]) -> None:
        if fitting:
            names = wording.listed(port.name for port in fitting)
            sentence = f"the service {wording.quoted(service)} has several ports that fit: {names}"
            hint = f"state one of them, as `port: {min(port.name for port in fitting)}`"
        else:
            sentence = f"the service {wording.quoted(service)} has no port that could be called"
            hint = f"add `ports` to {wording.quoted(service)}"
        self._collector.report(
            catalogue.PORT_NOT_CHOSEN, sentence, span=item.span, path=item.path, found=service, hint=hint
        )

    def _http(self, item: Found, port: model.Port) -> tuple[model.HttpMatch, ...]:
        """Return the requests of a call, gRPC methods among them; none stand for every one."""
        service = item.text_of("service")
        for key in _REQUESTS:
            if (clause := item.get(key)) is not None and not port.protocol.is_http:
                self._http_on_tcp(clause, port, service)
        grpc = item.get("grpc")
        if grpc is not None and port.protocol is model.Protocol.HTTP:
            sentence = f"gRPC needs HTTP/2, and the port {wording.quoted(port.name)} speaks `{port.protocol.value}`"
            hint = "give the port the protocol `grpc`"
            self._collector.report(catalogue.NEEDS_HTTP, sentence, span=grpc.key, path=grpc.path, hint=hint)
        matches = {requests.to_match(entry.text) for entry in item.list("http") if entry.text}
        matches |= {requests.grpc_to_match(entry.text) for entry in item.list("grpc") if entry.text}
        return tuple(sorted(matches, key=lambda match: (match.path, match.method)))

    def _http_on_tcp(self, clause: Found, port: model.Port, service: str) -> None:
        sentence = (
            f"requests are told apart, and the port {wording.quoted(port.name)} of {wording.quoted(service)} "
            f"speaks {wording.quoted(port.protocol.value)}"
        )
        key = clause.path.rpartition(".")[2]
        removing = f"remove `{key}`, or give" if key in _REQUESTS else "give"
        hint = f"{removing} the port the protocol `http`, `http2` or `grpc`"
        self._collector.report(catalogue.HTTP_ON_TCP, sentence, span=clause.key, path=clause.path, hint=hint)


def _merge(first: model.ServiceCall, second: model.ServiceCall) -> model.ServiceCall:
    """Return one call that allows what either of two allows; no requests stated means every request."""
    both = first.http and second.http
    matches = {*first.http, *second.http} if both else set[model.HttpMatch]()
    http = tuple(sorted(matches, key=lambda match: (match.path, match.method)))
    span = min(first.span, second.span)
    return model.ServiceCall(service=first.service, port=first.port, http=http, span=span, headers=first.headers)
