"""One request from outside, one trace, and the services that told a span of it."""

import secrets
from collections.abc import Callable, Sequence

from policies.bundles import gateways
from slipway.mesh import model
from slipway.rollout import expectations, findings, probes, samples
from slipway.rollout.checks import check, ingress, spoken
from slipway.world import kubernetes, zipkin

_LOOKED_UP_FOR_S = 20.0


def request(mesh: model.Mesh, trace: samples.Trace, *, identity: str, authority: str) -> check.Check:
    """Return the request that starts the trace ``identity`` (32 hexadecimal digits), sampled for certain.

    Source: openzipkin/b3-propagation, single header.
    """
    host = next(item for item in mesh.ingress if item.name == trace.ingress)
    sent = probes.Request(
        kind=probes.Kind.HTTP,
        target=probes.Address(host=mesh.network.ingress, port=gateways.HTTPS_PORT),
        tls=probes.Tls(sni=host.host, authority=authority),
        host=host.host,
        path=trace.path,
        headers=(("b3", f"{identity}-{identity[16:]}-1"),),
        timeout_ms=spoken.WORKS_TIMEOUT_MS,
    )
    told = f"https://{host.host}{trace.path}"
    works = expectations.works("200")
    return check.Check(group=check.Group.TRACE, source=ingress.SOURCE, told=told, request=sent, expected=works)


def new_identity() -> str:
    """Return the id of a trace that nobody else has."""
    return secrets.token_hex(16)


def look_up(
    trace: samples.Trace, identity: str, *, spans: Callable[[str], Sequence[zipkin.Span]]
) -> findings.Finding:
    """Wait until Zipkin has a span of every service, at most 20 seconds, and tell what it has.

    A proxy's service name is its ``app`` label and its namespace, joined by a dot.
    Source: istio/api mesh/v1alpha1/proxy.proto, TracingServiceName, APP_LABEL_AND_NAMESPACE.
    """
    found: set[str] = set()

    def missing() -> str:
        found.update(item.service.split(".", maxsplit=1)[0] for item in spans(identity))
        return ", ".join(sorted(set(trace.through) - found))

    difference = ""
    try:
        kubernetes.wait_until(f"trace {identity}", missing, timeout_s=_LOOKED_UP_FOR_S, pause_s=0.5)
    except kubernetes.NotMetError:
        difference = f"no span of {missing()}"
    except zipkin.ZipkinError as error:
        difference = str(error)
    return findings.Finding(
        group=check.Group.TRACE,
        subject=f"Zipkin, trace {identity}",
        expected=f"one trace with {', '.join(trace.through)}",
        measured=", ".join(sorted(found)) or "no trace",
        difference=difference,
    )
