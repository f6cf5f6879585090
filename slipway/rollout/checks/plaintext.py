"""Requests without mutual TLS: from a pod without sidecar, from a node, from another machine past its sidecar."""

import ipaddress
import itertools
from collections.abc import Iterable, Iterator

from slipway.mesh import model
from slipway.rollout import expectations, probes, sources
from slipway.rollout.checks import spoken
from slipway.rollout.checks.check import Check, Group


def emit_plaintext(mesh: model.Mesh) -> Iterator[Check]:
    """Every port of every service, spoken to in the clear from wherever nobody has an identity."""
    for service in mesh.services:
        for port in service.ports:
            expected = _expected(mesh, service, port)
            if expected is None:
                continue
            target, nothing = spoken.endpoint(mesh, service, port), expectations.nothing()
            for source in _senders(mesh, service):
                request = spoken.any_request(mesh, service, port, target, caller=service.name)
                # Between a machine and whoever it is not declared for, packet filters stand before the proxy.
                near = isinstance(target, probes.PodAddress) and source.manner is not sources.Manner.PROXY_USER
                yield Check(
                    group=Group.PLAINTEXT,
                    source=source,
                    told=str(target),
                    request=request,
                    expected=expected if near else expectations.either("nothing passes", nothing, expected),
                )


def _expected(mesh: model.Mesh, service: model.Service, port: model.Port) -> expectations.Expectation | None:
    """Return how the server's proxy refuses plaintext, or ``None`` while it is meant to be accepted.

    A port that callers without a sidecar use takes plaintext, and leaves the refusal to policy.
    """
    mode = mesh.phases.mtls_of(namespace=service.namespace, service=service.name)
    plain = any(call.port == port.name for _, call in mesh.plain_calls(service.name))
    if mode is model.MtlsMode.STRICT and not plain:
        return expectations.closed()
    return spoken.refusal(port) if spoken.is_enforced(mesh, service) else None


def _senders(mesh: model.Mesh, service: model.Service) -> Iterator[sources.Source]:
    networks = [caller.network for caller, _ in mesh.plain_calls(service.name)]
    pods = mesh.network.pods if service.workload is not None else mesh.network.pods_seen_as
    if not _within(pods, networks):
        for namespace in sources.bare_namespaces(mesh):
            yield sources.Source(manner=sources.Manner.BARE, namespace=namespace)
    if not _within(mesh.network.nodes, networks):
        yield sources.Source(manner=sources.Manner.NODE)
    others = itertools.chain.from_iterable(
        sources.identities(mesh, item) for item in mesh.services if item != service
    )
    for identity in others:
        if identity.machine:
            yield sources.Source(manner=sources.Manner.PROXY_USER, identity=identity)


def _within(network: str, callers: Iterable[str]) -> bool:
    """Whether declared callers without a sidecar come from a network."""
    here = ipaddress.ip_network(network)
    return any(here.overlaps(ipaddress.ip_network(item)) for item in callers)
