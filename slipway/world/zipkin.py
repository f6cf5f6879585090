"""Traces as Zipkin keeps them."""

import json
from dataclasses import dataclass

import urllib3

_TIMEOUT_S = 5.0
_NOT_FOUND = 404
_OK = 200


class ZipkinError(Exception):
    """Zipkin could not be asked: says where, what was asked and what came back."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """One span: the proxy that told it by its service name, ``CLIENT`` or ``SERVER``, and what was called."""

    service: str
    kind: str
    name: str


def spans(url: str, trace: str) -> tuple[Span, ...]:
    """Return the spans of a trace by its id of 32 hexadecimal digits; none while Zipkin does not know it.

    Source: Zipkin API v2, GET /trace/{traceId}.
    """
    address = f"{url}/api/v2/trace/{trace}"
    try:
        answer = urllib3.request("GET", address, timeout=_TIMEOUT_S, retries=False)
    except urllib3.exceptions.HTTPError as error:
        raise ZipkinError(f"{address}: {error}") from error
    if answer.status == _NOT_FOUND:
        return ()
    if answer.status != _OK:
        raise ZipkinError(f"{address}: {answer.status} {answer.data[:200]!r}")
    return tuple(
        Span(
            service=item.get("localEndpoint", {}).get("serviceName", ""),
            kind=item.get("kind", ""),
            name=item.get("name", ""),
        )
        for item in json.loads(answer.data)
    )
